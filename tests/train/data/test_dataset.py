from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data.dataset import Dataset, FrameSet, compute_digest, hold_out
from pumice.train.data.options import DataOptions


def frames(samples: int, timesteps: int = 2, seed: int = 0) -> NDArray[np.uint8]:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (samples, timesteps, 2, 3, 4), np.uint8)


def small() -> Dataset:
    train, test = FrameSet(frames(4), np.arange(4) % 2), FrameSet(frames(2), np.arange(2))
    digest = compute_digest(train, test, DataOptions())
    return Dataset("small", train, test, 2, digest, {"source": "drawn"})


def test_frames_and_labels_are_read_only_copies() -> None:
    given = frames(3)
    held = FrameSet(given, np.zeros(3, np.int64))
    given[:] = 0
    assert held.frames.any() and len(held) == 3 and held.labels.dtype == np.int64
    assert not held.frames.flags.writeable and not held.labels.flags.writeable


def test_frames_of_another_rank_are_refused() -> None:
    with pytest.raises(DataError, match=r"frames: shape \(2, 2, 3, 4\), needs \(samples"):
        FrameSet(frames(2)[:, 0], np.zeros(2, np.int64))


def test_labels_must_be_as_many_as_the_samples() -> None:
    with pytest.raises(DataError, match=r"labels: shape \(3,\), but there are 2 samples"):
        FrameSet(frames(2), np.zeros(3, np.int64))


def test_values_that_no_frame_or_label_can_hold_are_refused() -> None:
    with pytest.raises(DataError, match="frames: value 256"):
        FrameSet(np.full((1, 1, 1, 1, 1), 256), np.zeros(1, np.int64))
    with pytest.raises(DataError, match="labels: hold -1"):
        FrameSet(frames(1), np.array([-1]))


def test_train_and_test_must_be_alike() -> None:
    with pytest.raises(DataError, match=r"small: train frames are \(2, .*test frames are \(5,"):
        replace(small(), test=FrameSet(frames(2, timesteps=5), np.arange(2)))


def test_a_label_without_a_class_is_refused() -> None:
    with pytest.raises(DataError, match="small: a label is 1, but there are 1 classes"):
        replace(small(), classes=1)


def test_frames_without_a_sample_are_refused() -> None:
    with pytest.raises(DataError, match=r"frames: shape \(0, 2, 2, 3, 4\) is empty"):
        FrameSet(frames(0), np.zeros(0, np.int64))


def test_provenance_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        small().provenance["source"] = "elsewhere"  # type: ignore[index]


def test_the_digest_sees_one_bit_and_every_option_but_the_folder() -> None:
    data, options = small(), DataOptions()
    altered = data.train.frames.copy()
    altered[3, 1, 1, 2, 3] ^= 1
    others = [
        compute_digest(FrameSet(altered, data.train.labels), data.test, options),
        compute_digest(FrameSet(data.train.frames, 1 - data.train.labels), data.test, options),
        compute_digest(data.train, data.test, DataOptions(seed=1)),
        compute_digest(data.test, data.train, options),
    ]
    assert len({data.digest, *others}) == 5
    moved = DataOptions.model_validate({"folder": "/elsewhere"})
    assert compute_digest(data.train, data.test, moved) == data.digest


def test_samples_split_off_are_missing_from_the_rest() -> None:
    whole = FrameSet(frames(10), np.repeat([0, 1], 5))
    rest, held = hold_out(whole, 2, seed=4)
    assert sorted(held.labels) == [0, 0, 1, 1] and len(rest) == 6
    together = [f.tobytes() for part in (rest, held) for f in part.frames]
    assert sorted(together) == sorted(f.tobytes() for f in whole.frames)
    assert hold_out(whole, 2, seed=4) == (rest, held)
