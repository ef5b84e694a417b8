"""Own data by one table of a recipe: trained, evaluated, converted, verified and profiled."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import CommandResult, pumice
from event_bytes import aedat4
from media import write_flac, write_jpegs, write_video, write_wave

import pumice as pm
from pumice.train.data import Events, write_events

CLASSES, SAMPLES = ("low", "high"), 10
RANDOM = np.random.default_rng(0)
RECIPE = """
[data]
name = "folder"
path = "{path}"
timesteps = 4
unreadable = 0.1
{table}
[network]
channels = [4]
kernels = [3]
strides = [1]
hidden = []
[training]
epochs = 2
qat_epochs = 1
batch_size = 4
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_recording(file: Path, label: int) -> None:
    """Forty events in the upper or the lower half of 8 x 8 pixels."""
    x, y = RANDOM.integers(0, 8, 40), RANDOM.integers(0, 4, 40) + 4 * label
    x[-1] = y[-1] = 7
    polarity, t = RANDOM.integers(0, 2, 40), np.sort(RANDOM.integers(0, 9000, 40))
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".bin":
        write_events(file, Events(x, y, polarity, t, 8, 8))
    elif file.suffix == ".aedat4":
        columns = [column.tolist() for column in (x, y, polarity, t)]
        file.write_bytes(aedat4(list(zip(*columns, strict=True))))
    elif file.suffix == ".csv":
        rows = zip(t, x, y, polarity, strict=True)
        file.write_text("".join(f"{','.join(map(str, row))}\n" for row in rows))
    else:
        np.savez(file, x=x, y=y, p=polarity, t=t)


def write_image(file: Path, label: int) -> None:
    level = 60 + 120 * label
    write_jpegs([file], RANDOM.integers(level, level + 40, (1, 16, 16, 3), np.uint8))


def write_clip(file: Path, label: int) -> None:
    level = 60 + 120 * label
    write_video(file, RANDOM.integers(level, level + 40, (6, 16, 16, 3), np.uint8))


def write_tone(file: Path, label: int) -> None:
    waveform = 0.5 * np.sin(2 * np.pi * (300 + 1500 * label) * np.arange(3000) / 8000)
    noisy = waveform + RANDOM.normal(0, 0.01, 3000)
    write_flac(file, noisy) if file.suffix == ".flac" else write_wave(file, noisy)


def write_series(file: Path, label: int) -> None:
    rows = RANDOM.normal(label, 0.3, (12, 3))
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(",".join(f"{value:.3f}" for value in row) for row in rows)
    file.write_text(f"x,y,z\n{text}\n")


CASES: dict[str, tuple[Callable[[Path, int], None], str, str]] = {
    "bin": (write_recording, ".bin", ""),
    "csv": (write_recording, ".csv", ""),
    "npz": (write_recording, ".npz", ""),
    "aedat4": (write_recording, ".aedat4", ""),
    "images": (write_image, ".jpg", "size = 8"),
    "videos": (write_clip, ".mkv", 'size = 8\nvalues = "gray"'),
    "wav": (write_tone, ".wav", "size = 8\nwindow = 400000"),
    "flac": (write_tone, ".flac", "size = 8\nwindow = 400000"),
    "series": (write_series, ".csv", 'format = "series"'),
}


def write_recipe(tmp_path: Path, path: Path, table: str) -> Path:
    recipe = tmp_path / "own.toml"
    recipe.write_text(RECIPE.format(path=path, table=table))
    return recipe


def run_all(tmp_path: Path, recipe: Path) -> float:
    """Accuracy of the integer network, after all verbs have succeeded."""
    run, network = tmp_path / "run", tmp_path / "run" / "network.pumice"

    def succeed(*arguments: object) -> CommandResult:
        result = pumice(*arguments)
        assert result.status == 0, result.err
        return result

    succeed("train", recipe, "-o", run)
    succeed("evaluate", run, "--json")
    succeed("convert", run, "--calibrate")
    name = ("--data", "folder", "--samples", 2, "--engines", "reference,cpu")
    succeed("verify", network, *name)
    succeed("profile", network, "--samples", 2, "--json")
    accuracy: float = succeed("evaluate", run, "--quantized", "--json").document["accuracy"][-1]
    return accuracy


@pytest.mark.filterwarnings("default::pumice.runtime.errors.PumiceWarning")
@pytest.mark.parametrize("case", CASES)
def test_a_folder_of_files_runs_end_to_end_without_its_damaged_file(
    tmp_path: Path, case: str
) -> None:
    write, suffix, table = CASES[case]
    for label, name in enumerate(CLASSES):
        for k in range(SAMPLES):
            write(tmp_path / "data" / name / f"{k}{suffix}", label)
    damaged = tmp_path / "data" / "low" / f"3{suffix}"
    damaged.write_bytes(b"\0damaged")
    recipe = write_recipe(tmp_path, tmp_path / "data", table)
    assert 0 <= run_all(tmp_path, recipe) <= 1
    trained = pumice(
        "train", recipe, "-o", tmp_path / "again", "--set", "data.unreadable=0.0", "--json"
    )
    assert trained.status == 2 and f"low/3{suffix}: " in trained.err
    few = pumice("train", recipe, "-o", tmp_path / "again", "--set", "data.unreadable=0.01")
    assert few.status == 2 and "1 of 20 samples cannot be read" in few.err
    again = pumice("train", recipe, "-o", tmp_path / "again", "--json")
    assert again.err.count("warning: 1 of 20 samples cannot be read and are left out") == 1
    assert f"low/3{suffix}: " in again.err
    document = again.document
    unreadable = document["provenance"]["data"]["unreadable"]
    assert unreadable["files"] == 1 and unreadable["first"][0].startswith(f"low/3{suffix}: ")


@pytest.mark.parametrize("kind", ["images", "series"])
def test_a_file_of_arrays_runs_end_to_end(tmp_path: Path, kind: str) -> None:
    labels = np.arange(20) % 2
    if kind == "images":
        x = RANDOM.integers(0, 100, (20, 1, 8, 8)) + 100 * labels[:, None, None, None]
        table = 'format = "arrays"'
    else:
        x, table = RANDOM.normal(labels[:, None, None], 0.3, (20, 12, 3)), 'format = "series"'
    np.savez(tmp_path / "own.npz", x=x, y=labels)
    run_all(tmp_path, write_recipe(tmp_path, tmp_path / "own.npz", table))


def test_a_model_trained_in_python_is_evaluated_by_the_command_with_its_folder(
    tmp_path: Path,
) -> None:
    for label, name in enumerate(CLASSES):
        for k in range(SAMPLES):
            write_image(tmp_path / "data" / name / f"{k}.jpg", label)
    data = pm.datasets.from_folder(tmp_path / "data", timesteps=2, size=8, split={"test": 0.4})
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[])
    pm.train(model, data, epochs=2, out=tmp_path / "run", batch_size=4, progress=False)
    expected = pm.evaluate(model, data.test)
    result = pumice("evaluate", tmp_path / "run", "--folder", tmp_path / "data", "--json")
    assert result.status == 0, result.err
    assert result.document["samples"] == 8 and result.document["accuracy"] == expected.tolist()
