"""Tasks of `bench.evidence.hrsnn`: spoken digits, pairs of them, and digits drawn in the air."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pumice.train.data import FrameSet, load

SPOKEN, DRAWN = "spoken_digits", "imu_digits"
LEFT_OUT = "s5"  # the speaker that is never heard in training
DELTA = {"encoding": "delta", "delta_threshold": 26}  # a tenth of the range
DRAWN_STEPS, DRAWN_DELTA, DRAWN_RANGE = 64, 16, 3.0  # timesteps; of 255; standard deviations


@dataclass(frozen=True)
class Readout:
    """Input of the linear read-out: counts in `bins` after the fraction `start` of the steps."""

    bins: int
    start: float = 0.0


@dataclass(frozen=True)
class Task:
    """A dataset and its read-outs, of which the first chooses the settings.

    Attributes:
        folder: Folder of the dataset.
        splits: Names of the splits into training and test samples.
        readouts: Read-outs by name.
        strengths: Sums of weights by class of synapses.
        repeats: Successive test samples that share a recording.
    """

    folder: str
    splits: tuple[str, ...]
    readouts: dict[str, Readout]
    strengths: dict[str, float]
    repeats: int = 1


WEAK = {"input": 3.0, "ee": 0.3, "ei": 0.5, "ie": 1.5, "ii": 0.2}
STRONG = {"input": 3.0, "ee": 0.3, "ei": 2.0, "ie": 3.0, "ii": 0.5}
COUNTS = {"counts": Readout(1), "5 bins": Readout(5)}
TASKS = {
    "pairs": Task(SPOKEN, ("own speakers", "new speaker"),
                  {"second half": Readout(1, 0.5), "counts": Readout(1)}, STRONG, 4),
    "digits": Task(SPOKEN, ("own speakers", "new speaker"), COUNTS, WEAK),
    "drawn digits": Task(DRAWN, ("later in time",), COUNTS, WEAK),
}  # fmt: skip


def load_task(name: str, split: str, data: Path) -> tuple[FrameSet, FrameSet]:
    """Training and test samples, spikes (timesteps, samples, channels, 1, width)."""
    task = TASKS[name]
    if task.folder == DRAWN:
        return _load_imu_digits(data / DRAWN / "imu_digits.npz")
    options: dict[str, Any] = dict(DELTA)
    if split == "new speaker":
        options["split"] = {"test_groups": [LEFT_OUT]}
    dataset, steps = {"pairs": ("spoken-pairs", 60), "digits": ("spoken-digits", 50)}[name]
    loaded = load(dataset, folder=data / task.folder, timesteps=steps, **options)
    return loaded.train[:], loaded.test[:]


def _load_imu_digits(file: Path) -> tuple[FrameSet, FrameSet]:
    """The first 20 recordings of each digit for training, and the later 20 for test."""
    from pumice.runtime.encoders import DeltaCode

    with np.load(file) as arrays:
        values, labels = arrays["x"], arrays["y"].astype(np.int64)
    late = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        late[members[len(members) // 2 :]] = True
    steps = values.reshape(len(values), DRAWN_STEPS, -1, values.shape[2]).mean(axis=2)
    mean, deviation = (f(steps[~late], axis=(0, 1)) for f in (np.mean, np.std))
    scaled = ((steps - mean) / deviation / DRAWN_RANGE).clip(-1, 1)
    levels = np.rint(127.5 * (1 + scaled)).astype(np.uint8).swapaxes(0, 1)[:, :, None, None]
    spikes = DeltaCode(DRAWN_DELTA).encode(levels)
    return FrameSet(spikes[:, ~late], labels[~late]), FrameSet(spikes[:, late], labels[late])
