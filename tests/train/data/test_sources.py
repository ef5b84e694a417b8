"""Sources of frames: read by index, selected, pickled and read ahead by worker processes."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data.dataset import FrameSet, compute_digest
from pumice.train.data.options import DataOptions
from pumice.train.data.reading import read_ahead
from pumice.train.data.sources import (
    ArraySource,
    DecodedSource,
    FileSource,
    IndexedSource,
    SampleSource,
    repeat,
    select,
)

EVENTS = np.random.default_rng(0).integers(0, 9, (3, 11, 2, 4, 5)).astype(np.uint8)
EVENTS.flags.writeable = False


def decode(index: int) -> NDArray[np.uint8]:
    return np.asarray(EVENTS[:, index])


def decode_image(index: int) -> NDArray[np.uint8]:
    return np.asarray(EVENTS[0, index])


def fail(index: int) -> NDArray[np.uint8]:
    raise DataError(f"item {index}: is damaged")


@pytest.fixture(params=["array", "decoded", "file", "indexed"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> SampleSource:
    (tmp_path / "frames.bin").write_bytes(EVENTS.swapaxes(0, 1).tobytes())
    backwards = np.ascontiguousarray(EVENTS[:, ::-1])
    sources: dict[str, SampleSource] = {
        "array": ArraySource(EVENTS),
        "decoded": DecodedSource(range(11), decode, (3, 2, 4, 5)),
        "file": FileSource(tmp_path / "frames.bin", 11, (3, 2, 4, 5)),
        "indexed": IndexedSource(ArraySource(backwards), np.arange(11)[::-1]),
    }
    return sources[request.param]


def test_every_source_gives_the_same_frame_set(source: SampleSource) -> None:
    samples, expected = FrameSet(source, np.arange(11)), FrameSet(EVENTS, np.arange(11))
    assert samples == expected and len(samples) == 11 and samples.timesteps == 3
    assert np.array_equal(samples.events, EVENTS) and not samples.events.flags.writeable
    assert np.array_equal(samples[-2][0], EVENTS[:, 9]) and samples[-2][1] == 9
    mask = np.arange(11) % 3 == 1
    assert samples[mask][1:] == FrameSet(EVENTS[:, [4, 7, 10]], np.array([4, 7, 10]))
    assert pickle.loads(pickle.dumps(samples)) == samples
    options = DataOptions()
    assert compute_digest(samples, samples, options) == compute_digest(expected, expected, options)
    assert samples.max_value == (255 if isinstance(source, DecodedSource | FileSource) else 8)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_are_the_same_for_any_number_of_workers(workers: int) -> None:
    samples = FrameSet(DecodedSource(range(11), decode, (3, 2, 4, 5)), np.arange(11))
    batches = list(samples.batches(4, workers))
    assert [events.shape[1] for events, _ in batches] == [4, 4, 3]
    assert np.array_equal(np.concatenate([events for events, _ in batches], axis=1), EVENTS)
    assert np.concatenate([labels for _, labels in batches]).tolist() == list(range(11))


@pytest.mark.parametrize("workers", [0, 2])
def test_images_are_repeated_over_time_without_being_copied(workers: int) -> None:
    images = DecodedSource(range(11), decode_image, (7, 2, 4, 5), static=True)
    in_memory = ArraySource(repeat(EVENTS[0], 7))
    for source in (images, in_memory, select(images, np.arange(11))):
        (events,) = read_ahead(source, [np.array([3, 1])], workers)
        assert events.shape == (7, 2, 2, 4, 5) and events.strides[0] == 0
        assert np.array_equal(events[6], EVENTS[0][[3, 1]])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_item_that_cannot_be_decoded_is_named_in_one_line(workers: int) -> None:
    samples = FrameSet(DecodedSource(range(11), fail, (3, 2, 4, 5)), np.arange(11))
    with pytest.raises(DataError, match=r"^item 0: is damaged$"):
        list(samples.batches(4, workers))
    assert samples[3:5].labels.tolist() == [3, 4]  # nothing is decoded before it is asked for


def test_an_item_of_another_shape_is_named() -> None:
    source = DecodedSource(["first.png"], lambda _: np.zeros((1, 2), np.uint8), (3, 2, 4, 5))
    with pytest.raises(DataError, match=r"first.png: decodes to \(1, 2\), needs \(3, 2, 4, 5\)"):
        source.read(np.array([0]))
