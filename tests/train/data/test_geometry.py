import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data.events import Events
from pumice.train.data.frames import to_frames
from pumice.train.data.geometry import crop, downsample


def random_events(width: int = 12, height: int = 8) -> Events:
    generator = np.random.default_rng(3)
    x, y = generator.integers(0, width, 400), generator.integers(0, height, 400)
    t = np.sort(generator.integers(0, 1000, 400))
    return Events(x, y, generator.integers(0, 2, 400), t, width, height)


def test_downsampling_adds_up_the_counts_of_each_square() -> None:
    fine = to_frames(random_events(), 3, values="counts")
    coarse = to_frames(downsample(random_events(), 4), 3, values="counts")
    assert np.array_equal(coarse, fine.reshape(3, 2, 2, 4, 3, 4).sum((3, 5)))


@pytest.mark.parametrize("factor", [0, 3, 5])
def test_a_factor_that_does_not_divide_the_sensor_is_rejected(factor: int) -> None:
    with pytest.raises(DataError, match=f"pool is {factor}, but the sensor is 12 x 8"):
        downsample(random_events(), factor)


def test_a_crop_is_a_slice_of_the_frames() -> None:
    frames = to_frames(random_events(), 1, values="counts", duration=1000)
    part = to_frames(crop(random_events(), 2, 1, 7, 5), 1, values="counts", duration=1000)
    assert np.array_equal(part, frames[:, :, 1:6, 2:9])


def test_a_crop_beyond_the_sensor_is_zero_padded() -> None:
    frames = to_frames(random_events(), 1, values="counts", duration=1000)
    padded = to_frames(crop(random_events(), -2, -1, 16, 10), 1, values="counts", duration=1000)
    assert np.array_equal(padded, np.pad(frames, ((0, 0), (0, 0), (1, 1), (2, 2))))


def test_a_crop_keeps_times_and_polarities() -> None:
    events = random_events()
    inside = events.x < 6
    part = crop(events, 0, 0, 6, 8)
    assert np.array_equal(part.t, events.t[inside])
    assert np.array_equal(part.polarity, events.polarity[inside])
