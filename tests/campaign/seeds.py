"""Seed inputs of a campaign: a valid file of every format, and the command that reads it."""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import event_bytes
import numpy as np
from command import EVENTS, LABELS, NETWORK
from media import write_flac, write_jpegs, write_video

from pumice.cli.app import run_command
from pumice.convert.formats.netx.writer import write_netx
from pumice.convert.formats.nir.files import write_nir
from pumice.deploy.targets.target import list_targets
from pumice.runtime import write_network

ROWS = [(k % 6, 5 * k % 6, k % 2, 100 + 700 * k) for k in range(60)]
RECORDINGS: dict[str, Callable[[event_bytes.Rows], bytes]] = {
    ".bin": event_bytes.aer40,
    ".csv": event_bytes.text,
    ".aedat": event_bytes.aedat2_davis,
    ".3.aedat": event_bytes.aedat3,
    ".aedat4": event_bytes.aedat4,
    ".2.raw": event_bytes.evt2,
    ".21.raw": event_bytes.evt21,
    ".3.raw": event_bytes.evt3,
    ".dat": event_bytes.dat,
    ".es": event_bytes.event_stream,
}
ONE_EPOCH = ("--set", "training.epochs=1")  # an empty recipe is one of many epochs
RECIPE = """
[data]
name = "folder"
path = "{path}"
timesteps = 4
{table}
[network]
channels = [3]
kernels = [3]
strides = [2]
hidden = []
[training]
epochs = {epochs}
qat_epochs = 1
batch_size = 4
"""


@dataclass(frozen=True)
class Seed:
    """A valid file, and the arguments of `pumice` that read its mutants.

    `{}` stands for the mutant and `@` for a folder that is made anew for each; a mutant of a run
    is written into a copy of it, `{run}`.
    """

    name: str
    path: Path
    arguments: tuple[str, ...]
    weight: int  # of 10,000 mutants


def make_seeds(folder: Path) -> list[Seed]:
    """Write a valid file of every format into `folder`, with what the commands need."""
    network, events = folder / "net.pumice", folder / "events.npz"
    write_network(network, NETWORK)
    np.savez(events, events=EVENTS, labels=LABELS)
    seeds = [
        Seed("pumice", network, ("run", "{}", "--events", str(events)), 900),
        Seed("pumice export", network, ("export", "{}", "--to", "onnx", "-o", "@/x.onnx"), 300),
        Seed("pumice place", network, ("profile", "{}", "--events", str(events)), 300),
        Seed("events", events, ("run", str(network), "--events", "{}"), 700),
        *_recording_seeds(folder, network),
        *_imported_seeds(folder),
        *_trained_seeds(folder),
        *_text_seeds(folder, network, events),
    ]
    return seeds


def _recording_seeds(folder: Path, network: Path) -> list[Seed]:
    seeds = []
    for suffix, encode in RECORDINGS.items():
        path = folder / f"recording{suffix}"
        path.write_bytes(encode(ROWS))
        arguments = ("stream", str(network), "{}", "--no-real-time", "--steps", "5")
        seeds.append(Seed(f"recording{suffix}", path, arguments, 450))
    return seeds


def _imported_seeds(folder: Path) -> list[Seed]:
    netx, nir = folder / "net.net", folder / "net.nir"
    write_netx(netx, NETWORK)
    write_nir(nir, NETWORK)
    return [
        Seed("netx", netx, ("convert", "{}", "-o", "@/x.pumice"), 350),
        Seed("nir", nir, ("convert", "{}", "-o", "@/x.pumice"), 350),
    ]


def _trained_seeds(folder: Path) -> list[Seed]:
    """A finished run, and small files of pictures, sound, video and series to train on."""
    random = np.random.default_rng(0)
    arrays, recipe = folder / "arrays.npz", folder / "run.toml"
    x = random.integers(0, 200, (16, 1, 8, 8))
    np.savez(arrays, x=x, y=np.arange(16) % 2)
    recipe.write_text(RECIPE.format(path=arrays, table='format = "arrays"', epochs=1))
    run = folder / "run"
    if quietly("train", str(recipe), "-o", str(run)):
        raise RuntimeError("the seed run failed")
    seeds = [
        Seed("weights", run / "model.safetensors", ("convert", "{run}", "-o", "@/x.pumice"), 500),
        Seed("checkpoint", run / "last.ckpt", ("train", "--resume", "-o", "{run}"), 60),
        Seed("arrays", arrays, _training(folder, "arrays", 'format = "arrays"'), 40),
    ]
    for kind, table in (("jpg", "size = 8"), ("mkv", "size = 8"), ("flac", "window = 400000"),
                        ("series.csv", 'format = "series"')):  # fmt: skip
        path = folder / f"own.{kind}"
        if kind == "jpg":
            write_jpegs([path], random.integers(60, 120, (1, 16, 16, 3), np.uint8))
        elif kind == "mkv":
            write_video(path, random.integers(60, 120, (6, 16, 16, 3), np.uint8))
        elif kind == "flac":
            write_flac(path, random.normal(0, 0.1, 3000))
        else:
            path.write_text("\n".join(f"{k},{k * k}.5,{-k}" for k in range(9)))
        seeds.append(Seed(kind, path, _training(folder, kind, table), 40))
    return seeds


def _training(folder: Path, name: str, table: str) -> tuple[str, ...]:
    """Arguments that train on a folder of two classes: `{data}` is it, or its file of arrays."""
    recipe = folder / f"train-{name}.toml"
    recipe.write_text(RECIPE.format(path="absent", table=table, epochs=1))
    return ("train", str(recipe), "-o", "@/run", "--set", "data.path={data}")


def _text_seeds(folder: Path, network: Path, events: Path) -> list[Seed]:
    recipe, target = folder / "recipe.toml", folder / "chip.toml"
    recipe.write_text(RECIPE.format(path="absent", table="size = 8\npool = 1", epochs=3))
    shipped = Path(list_targets.__code__.co_filename).parent / "loihi2.toml"
    target.write_bytes(shipped.read_bytes())
    report = folder / "report"
    if quietly("report", str(network), "--events", str(events), "-o", str(report)):
        raise RuntimeError("the seed report failed")
    original, curve = report / "report.json", folder / "curve.json"
    curve.write_text(json.dumps({"accuracy": [0.1, 0.5, 0.5, 0.75, 1.0]}))
    data = ("--events", str(events))
    return [
        Seed("recipe", recipe, ("train", "{}", "-o", "@/run", *ONE_EPOCH), 500),
        Seed("target", target, ("profile", str(network), *data, "--target", "{}"), 400),
        Seed("report", original, ("report", "--compare", str(original), "{}", "-o", "@"), 400),
        Seed("curve", curve, ("report", str(network), *data, "--curve", "x={}", "-o", "@"), 100),
    ]


def quietly(*arguments: str) -> int:
    """Status of `pumice` in this process, its output thrown away."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return run_command(arguments)
