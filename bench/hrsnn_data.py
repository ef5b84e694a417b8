"""The data of `bench.hrsnn`: train, validation and test parts of each set, as event frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pumice.train.data import Events, cropped, load, pooled, read_events, split_off, to_frames
from pumice.train.data.dataset import FrameSet
from pumice.train.hrsnn import grey_clip
from pumice.train.hrsnn.encode import differences

SETS = ("digit-motions", "dvs-gesture", "kth")
PARTS = ("train", "validation", "test")
VALIDATION_PER_CLASS = 30
# DVS128 Gesture, one recording a class: windows lie wholly inside these spans (microseconds).
SPANS = {"train": (0, 800_000), "validation": (800_000, 1_120_000), "test": (1_120_000, 1_450_000)}
WINDOW, STRIDE, BIN, POOL = 200_000, 20_000, 10_000, 8
# KTH's own sub-sequences of the three recordings, counted from frame 1.
CLIPS = {
    "boxing": ((1, 106), (107, 195), (196, 265), (305, 390)),
    "handclapping": ((1, 102), (103, 182), (183, 260), (261, 378)),
    "jogging": ((1, 50), (120, 170), (250, 300), (362, 415)),
}
CLIP_PARTS = ("train", "train", "validation", "test")
FRAMES, FRAME_STRIDE, SCALED, SIDE = 21, 3, (24, 32), 16
JITTER, SHIFT = 4, 1  # pixels of 16


@dataclass(frozen=True)
class Parts:
    """Three sets of samples; settings are chosen on `validation`, `test` is read once."""

    train: FrameSet
    validation: FrameSet
    test: FrameSet


def parts(name: str, folder: Path | None) -> Parts:
    """Return the data set `name` of `SETS`; recordings are read from `folder`."""
    if name == "digit-motions":
        data = load(name, label="motion", timesteps=31)
        rest, validation = split_off(data.train, VALIDATION_PER_CLASS, seed=0)
        return Parts(rest, validation, data.test)
    if folder is None:
        raise SystemExit(f"{name}: needs --folder, where the recordings are")
    windows = gesture_windows(folder) if name == "dvs-gesture" else kth_windows(folder)
    cut: dict[str, list[tuple[NDArray[np.uint8], int]]] = {part: [] for part in PARTS}
    for part, frames, label in windows:
        cut[part].append((frames, label))
    sets = {}
    for part, samples in cut.items():
        labels = np.array([label for _, label in samples], np.int64)
        sets[part] = FrameSet(np.stack([frames for frames, _ in samples]), labels)
    return Parts(**sets)


def gesture_windows(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8], int]]:
    """Give windows of 200 ms of six recordings, in steps of 10 ms, each from 20 ms later.

    With one recording a class, where the arms are would tell the class: each window is moved by up
    to `SHIFT` of the 16 pixels along both axes, drawn for each, with nothing at the edge.
    """
    generator = np.random.default_rng(0)
    for label in range(6):
        events = pooled(read_events(folder / "dvs_gesture6" / f"{label + 1}.bs2", 128, 128), POOL)
        since = events.t - events.t[0]
        for part, (begin, end) in SPANS.items():
            for start in range(begin, end - WINDOW + 1, STRIDE):
                of = (since >= start) & (since < start + WINDOW)
                x, y, polarity = events.x[of], events.y[of], events.polarity[of]
                window = Events(x, y, polarity, since[of] - start, events.width, events.height)
                left, top = generator.integers(-SHIFT, SHIFT, 2, endpoint=True)
                window = cropped(window, left, top, events.width, events.height)
                yield part, to_frames(window, WINDOW // BIN, duration=WINDOW), label


def kth_windows(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8], int]]:
    """Give windows of 21 frames of three videos, each from 3 frames later.

    With one video a class, where the person stands would tell the class: 16 x 16 pixels are cut
    out round the middle of what moves, up to `JITTER` pixels off it, drawn for each window.
    """
    generator = np.random.default_rng(0)
    for label, (name, clips) in enumerate(CLIPS.items()):
        file = next((folder / "kth" / name).iterdir())
        video = np.pad(grey_clip(file, *SCALED), ((0, 0), *[(SIDE, SIDE)] * 2), mode="edge")
        for part, (first, last) in zip(CLIP_PARTS, clips, strict=True):
            for start in range(first - 1, last - FRAMES + 1, FRAME_STRIDE):
                window = video[start : start + FRAMES]
                moving = np.abs(np.diff(window, axis=0)).sum(axis=0) ** 2
                centre = [np.average(axis, weights=moving) for axis in np.indices(moving.shape)]
                corner = np.rint(centre + generator.uniform(-JITTER, JITTER, 2)) - SIDE // 2
                top, left = corner.clip(0, np.array(moving.shape) - SIDE).astype(int)
                cut = window[:, top : top + SIDE, left : left + SIDE]
                yield part, differences(cut), label
