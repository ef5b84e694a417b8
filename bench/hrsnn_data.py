"""Datasets of `bench.hrsnn`: samples for the search, for training and for testing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pumice.train.data import Events, downsample, load_motion_recordings, read_events, to_frames
from pumice.train.data.dataset import FrameSet
from pumice.train.data.digit_motions import Scene, split_indices
from pumice.train.hrsnn import read_grayscale
from pumice.train.hrsnn.encode import frame_differences

SETS = ("digit-motions", "dvs-gesture", "kth")
SIDE = 16  # pixels of all three datasets
# Each seed shows the digits in other motions.
MOTION_SEEDS = {"train": (0,), "validation": (0, 11, 12), "test": (21, 22, 23, 24)}
STEPS = 31
# DVS128 Gesture, one recording per class: windows lie completely inside a span (microseconds).
TEST_SPAN, SEARCH_SPANS = (0, 560_000), ((560_000, 1_005_000), (1_005_000, 1_450_000))
WINDOW, STRIDE, BIN, POOL, SHIFT = 200_000, 10_000, 10_000, 8, 4
# KTH's sub-sequences of the three recordings, counted from frame 1; the first two are for testing.
CLIPS = {
    "boxing": ((1, 106), (107, 195), (196, 265), (305, 390)),
    "handclapping": ((1, 102), (103, 182), (183, 260), (261, 378)),
    "jogging": ((1, 50), (120, 170), (250, 300), (362, 415)),
}
FRAMES, FRAME_STRIDE, FRAME_SIZE, JITTER = 21, 3, (24, 32), 4
CROPS_PER_WINDOW = {"dvs-gesture": 2, "kth": 6}  # crops per window
Sample = tuple[NDArray[np.uint8], int]


@dataclass(frozen=True)
class Fold:
    """Training samples, and test or validation samples."""

    train: FrameSet
    test: FrameSet


def load_fold(name: str, folder: Path | None) -> Fold:
    """Load the training and test samples of a dataset; recordings are read from `folder`."""
    if name == "digit-motions":
        return Fold(load_digits("train"), load_digits("test"))
    first, second = load_search_folds(name, folder)
    test = load_recordings(name, folder, len(SEARCH_SPANS))
    both = FrameSet(
        np.concatenate([first.train.events, second.train.events], axis=1),
        np.concatenate([first.train.labels, second.train.labels]),
    )
    return Fold(both, test)


def load_search_folds(name: str, folder: Path | None) -> list[Fold]:
    """Load the folds of a search, without test samples."""
    if name == "digit-motions":
        return [Fold(load_digits("train"), load_digits("validation"))]
    first, second = (load_recordings(name, folder, number) for number in range(len(SEARCH_SPANS)))
    return [Fold(first, second), Fold(second, first)]


def load_recordings(name: str, folder: Path | None, number: int) -> FrameSet:
    """Load the windows of a part of the recordings: 0 and 1 are for the search, 2 for testing."""
    if folder is None:
        raise SystemExit(f"{name}: needs --folder with the recordings")
    if name == "dvs-gesture":
        return to_frame_set(iter_gestures(folder, (*SEARCH_SPANS, TEST_SPAN)[number], number))
    return to_frame_set(iter_actions(folder, ((2,), (3,), (0, 1))[number], number))


def to_frame_set(samples: Iterator[Sample]) -> FrameSet:
    """Return `samples` as a set."""
    frames, labels = zip(*samples, strict=True)
    return FrameSet(np.stack(frames, axis=1), np.array(labels, np.int64))


def load_digits(part: Literal["train", "validation", "test"]) -> FrameSet:
    """Load moving digits, each shifted cyclically to a random position.

    The position thus does not reveal the motion. Test digits are those of the dataset.
    """
    samples: list[Sample] = []
    for seed in MOTION_SEEDS[part]:
        recordings, labels = load_motion_recordings(seed)
        generator = np.random.default_rng([seed, SIDE])
        for k in split_indices(labels["digit"], part):
            frames = to_frames(recordings.events[k], STEPS, duration=Scene().duration)
            rolled = np.roll(frames, generator.integers(0, SIDE, 2), axis=(2, 3))
            samples.append((rolled, labels["motion"][k]))
    return to_frame_set(iter(samples))


def iter_gestures(folder: Path, span: tuple[int, int], seed: int) -> Iterator[Sample]:
    """Yield windows of 200 ms of six recordings, with a stride and a bin width of 10 ms.

    With one recording per class, the position of the arms would reveal the class: each window is
    shifted randomly by up to `SHIFT` of the 16 pixels along both axes, with zeros beyond the edge.
    """
    generator = np.random.default_rng([seed, SHIFT])
    for label in range(6):
        events = downsample(
            read_events(folder / "dvs_gesture6" / f"{label + 1}.bs2", 128, 128), POOL
        )
        time = events.t - events.t[0]
        for start in range(span[0], span[1] - WINDOW + 1, STRIDE):
            inside = (time >= start) & (time < start + WINDOW)
            x, y, polarity = events.x[inside], events.y[inside], events.polarity[inside]
            window = Events(x, y, polarity, time[inside] - start, SIDE, SIDE)
            frames = to_frames(window, WINDOW // BIN, duration=WINDOW)
            padded = np.pad(frames, ((0, 0), (0, 0), *[(SHIFT, SHIFT)] * 2))
            for _ in range(CROPS_PER_WINDOW["dvs-gesture"]):
                top, left = generator.integers(0, 2 * SHIFT, 2, endpoint=True)
                yield padded[:, :, top : top + SIDE, left : left + SIDE], label


def iter_actions(folder: Path, clips: tuple[int, ...], seed: int) -> Iterator[Sample]:
    """Yield windows of 21 frames of three videos, with a stride of 3 frames.

    With one video per class, the position of the person would reveal the class: 16 x 16 pixels are
    cropped around the center of motion, displaced randomly by up to `JITTER` pixels.
    """
    generator = np.random.default_rng([seed, JITTER])
    for label, (name, spans) in enumerate(CLIPS.items()):
        file = next((folder / "kth" / name).iterdir())
        video = np.pad(
            read_grayscale(file, *FRAME_SIZE), ((0, 0), *[(SIDE, SIDE)] * 2), mode="edge"
        )
        for first, last in (spans[clip] for clip in clips):
            for start in range(first - 1, last - FRAMES + 1, FRAME_STRIDE):
                window = video[start : start + FRAMES]
                moving = np.abs(np.diff(window, axis=0)).sum(axis=0) ** 2
                center = [np.average(axis, weights=moving) for axis in np.indices(moving.shape)]
                for _ in range(CROPS_PER_WINDOW["kth"]):
                    corner = np.rint(center + generator.uniform(-JITTER, JITTER, 2)) - SIDE // 2
                    top, left = corner.clip(0, np.array(moving.shape) - SIDE).astype(int)
                    cut = window[:, top : top + SIDE, left : left + SIDE]
                    yield frame_differences(cut), label
