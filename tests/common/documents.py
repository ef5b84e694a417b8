"""Fenced blocks of README and documentation, the files that they name, and how to run them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from encoders import encoder_network, make_log_mel
from event_bytes import aedat4
from media import write_wave

import pumice as pm

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BUILT = {"_build", "generated"}  # folders of the built site
PAGES = sorted(path for path in DOCS.rglob("*.md") if not BUILT & set(path.parts))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+) -->\n+)?^(?P<fence>```+)(?P<kind>[^\s`]*)[^\n]*\n"
    r"(?P<body>.*?)^(?P=fence)$",
    re.M | re.S,
)
SHELLS = {"sh", "bash", "console"}
# Settings that make the long commands of the pages short; they are added to the command.
EPOCHS = 3
TRAINING = f"--set training.epochs={EPOCHS} --set training.batch_size=64"
SHORT = {
    "demo": f"{TRAINING} --set training.qat_epochs=1",
    "demo --prednext": TRAINING,
    "pretrain": TRAINING,
    "sweep": f"{TRAINING} --set training.qat_epochs=1 --trials 2",
    "train": f"{TRAINING} --set training.qat_epochs=1",
    "train-hrsnn": "--set hrsnn.epochs=1 --set hrsnn.excitatory=20 --set hrsnn.inhibitory=5",
    "train-hrsnn --search": "--set search.trials=2",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, text and line, and the reason of a block that is not run."""

    page: Path
    kind: str
    text: str
    line: int
    reason: str

    @property
    def name(self) -> str:
        """Page and line."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def read_blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page; options of a code cell are left out."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text[: match.start("fence")].count("\n") + 1
        kind, body = match["kind"], re.sub(r"\A(:\w+:.*\n)+", "", match["body"])
        if kind == "{code-cell}" and body.startswith("%%bash\n"):
            kind, body = "%%bash", body.removeprefix("%%bash\n")
        yield Block(page, kind, body, line, match["reason"] or "")


def select_blocks(*kinds: str) -> list[Block]:
    """The blocks of some kinds in all documents."""
    return [block for page in DOCUMENTS for block in read_blocks(page) if block.kind in kinds]


def shorten(command: str) -> str:
    """Add the settings that make a long command short; a run that is resumed has its own."""
    code, hash_sign, comment = command.partition("  #")
    words = code.split()
    if words[:1] != ["pumice"] or "--resume" in words or "--smoke" in words:
        return command
    keys = [key for key in SHORT if set(key.split()) <= set(words) and words[1] == key.split()[0]]
    added = SHORT[max(keys, key=len)] if keys else ""
    return f"{code.rstrip()} {added}{hash_sign}{comment}" if added else command


def run_shell(text: str, folder: Path, environment: dict[str, str]) -> None:
    """Run commands with bash in `folder`; fails with their output if one of them fails."""
    lines = "\n".join(shorten(line) for line in text.splitlines())
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, f"{lines}\n{run.stdout}\n{run.stderr}"


def shell_environment(folder: Path) -> dict[str, str]:
    """Environment in which `pumice` and `python` are those of this interpreter and checkout."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    for name, words in {"pumice": " -m pumice", "python": ""}.items():
        path = binaries / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n')
        path.chmod(0o755)
    return os.environ | {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def provide_files(text: str, folder: Path) -> None:
    """Make the files that a reader has, if the text names them and no block before made them."""
    for name, make in GIVEN.items():
        if re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", text):
            path = folder / name
            trains = name.startswith("runs/") and "pumice train " in text
            if not path.exists() and not trains:
                path.parent.mkdir(parents=True, exist_ok=True)
                make(path)


def digits_model() -> tuple[pm.models.ConvNet, pm.datasets.Dataset]:
    """A small network, trained for one epoch, and its data."""
    data = pm.datasets.load("digits-events", timesteps=4)
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[16])
    pm.train(model, data, epochs=1, lr=1e-2, progress=False)
    return model, data


def _network(path: Path) -> None:
    model, _ = digits_model()
    pm.convert(model).save(path)


def _nir(path: Path) -> None:
    model, _ = digits_model()
    pm.convert(model).to_nir(path)


def _netx(path: Path) -> None:
    model, _ = digits_model()
    pm.convert(model).to_netx(path, round_biases=True)


def _run_folder(path: Path) -> None:
    data = pm.datasets.load("digits-events", timesteps=4)
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[16])
    pm.train(model, data, epochs=1, progress=False, out=path)


def _report(path: Path) -> None:
    model, data = digits_model()
    report = pm.build_report(pm.convert(model), data.test[:50], path.parent.name, engines="cpu")
    pm.write_report(path.parent, report)


def _audio_network(path: Path) -> None:
    encoder_network((make_log_mel(),)).save(path)


def _wave(path: Path) -> None:
    write_wave(path, 0.4 * np.sin(np.arange(2400) / 3))


def _recording(path: Path) -> None:
    path.write_bytes(aedat4([(x, x, x & 1, 2000 * x) for x in range(16)]))


def _table(path: Path) -> None:
    path.write_text("".join(f"{2000 * x},{x},{x},{x & 1}\n" for x in range(16)))


def _python_model(path: Path) -> None:
    pytest.importorskip("snntorch", reason="the dependency group docs is not installed")
    path.write_text(
        "import snntorch, torch\n\n\ndef make_model():\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(512, 10),\n"
        "                               snntorch.Leaky(beta=0.9, reset_mechanism='zero'))\n"
    )


GIVEN: dict[str, Callable[[Path], None]] = {
    "model.pumice": _network,
    "model.nir": _nir,
    "model.net": _netx,
    "mymodel.py": _python_model,
    "recording.aedat4": _recording,
    "recording.csv": _table,
    "runs/digits": _run_folder,
    "runs/digits-events": _run_folder,
    "first/report.json": _report,
    "second/report.json": _report,
    "spoken-digits.pumice": _audio_network,
    "seven.wav": _wave,
    "two.wav": _wave,
}
