from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data.events import Events
from pumice.train.data.sensor import Sensor, pixel_thresholds, simulate_events

DARK = 1 / 64


def simulate_pixel(signal: list[float], threshold: float = 1.0) -> Events:
    """Events of a pixel whose log intensity is `signal` thresholds above its start at 1."""
    images = np.exp(np.array(signal) * threshold)[:, None, None] - DARK
    return simulate_events(images, Sensor(threshold, 0.0, DARK), interval=1000)


def times_and_signs(events: Events) -> list[tuple[int, int]]:
    return list(zip(events.t.tolist(), (2 * events.polarity.astype(int) - 1).tolist(), strict=True))


# Worked by hand: level crossings of linear segments between images, 1000 us apart.
@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ([0, 0.9], []),
        ([0, 2.5], [(400, 1), (800, 1)]),
        ([0, -2.5], [(400, -1), (800, -1)]),
        # Level 1 is left only at 0 or 2: the way down from 1.6 to 0.4 sends nothing.
        ([0, 1.6, 0.4], [(625, 1)]),
        ([0, 1.6, -0.4], [(625, 1), (1800, -1)]),
        # What remains adds up: 0.75, 1.5 (1 is crossed after a third), 2.25 (2 after two thirds).
        ([0, 0.75, 1.5, 2.25], [(1333, 1), (2666, 1)]),
        # Resting on the way sends nothing.
        ([0, 1.25, 1.25, 2.25], [(800, 1), (2750, 1)]),
        ([0, 3.5, -0.5], [(285, 1), (571, 1), (857, 1), (1375, -1), (1625, -1), (1875, -1)]),
    ],
)
@pytest.mark.parametrize("threshold", [1.0, 0.3])
def test_events_of_one_pixel_match_the_worked_examples(
    signal: list[float], expected: list[tuple[int, int]], threshold: float
) -> None:
    assert times_and_signs(simulate_pixel(signal, threshold)) == expected


def test_the_signal_is_the_logarithm_of_intensity_plus_dark_current() -> None:
    images = np.array([0.0, 0.75])[:, None, None]  # ln((0.75 + 0.25) / 0.25) = ln 4
    assert len(simulate_events(images, Sensor(log(4) / 3.01, 0.0, 0.25), 1000)) == 3
    assert len(simulate_events(images, Sensor(log(4) / 2.99, 0.0, 0.25), 1000)) == 2


def test_events_have_the_changed_pixel_and_ascending_times() -> None:
    images = np.full((2, 3, 4), 1.0)
    images[1, 2, 1], images[1, 0, 3] = 4.0, 0.05
    events = simulate_events(images, Sensor(0.5, 0.0, 0.1), 1000)
    on = events.polarity == 1
    assert {*zip(events.x[on].tolist(), events.y[on].tolist(), strict=True)} == {(1, 2)}
    assert {*zip(events.x[~on].tolist(), events.y[~on].tolist(), strict=True)} == {(3, 0)}
    assert (np.diff(events.t) >= 0).all() and (events.width, events.height) == (4, 3)


def simulate_by_loop(
    images: NDArray[np.float64], sensor: Sensor, interval: int
) -> list[tuple[int, ...]]:
    """Events by a loop over pixels and events: (t, y, x, polarity), sorted."""
    events = []
    scale = pixel_thresholds(sensor, images.shape[2], images.shape[1])
    for y, x in np.ndindex(images.shape[1:]):
        logs = np.log(images[:, y, x] + sensor.dark)
        signal = (logs - logs[0]) / scale[y, x]
        level = 0
        for k in range(1, len(signal)):
            before, after = float(signal[k - 1]), float(signal[k])
            while abs(after - level) >= 1:
                level += 1 if after > level else -1
                fraction = (level - before) / (after - before)
                t = int(np.floor((k - 1 + fraction) * interval))
                events.append((t, y, x, int(after > before)))
    return sorted(events)


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.35, 1.0]), st.sampled_from([0.0, 0.3]))
def test_events_equal_a_loop_over_pixels(seed: int, threshold: float, mismatch: float) -> None:
    images = np.random.default_rng(seed).random((6, 3, 2)) ** 3
    images[3] = images[2]
    sensor = Sensor(threshold, mismatch, 0.05, seed=1)
    events = simulate_events(images, sensor, 997)
    columns = (events.t, events.y, events.x, events.polarity)
    assert sorted(zip(*(c.tolist() for c in columns), strict=True)) == simulate_by_loop(
        images, sensor, 997
    )


def test_constant_images_give_no_events() -> None:
    assert (
        len(simulate_events(np.random.default_rng(0).random((1, 4, 4)).repeat(9, 0), Sensor(), 10))
        == 0
    )


def test_without_mismatch_all_pixels_have_one_threshold() -> None:
    assert (pixel_thresholds(Sensor(0.4), 5, 3) == 0.4).all()


def test_mismatch_is_a_fixed_pattern_of_the_seed() -> None:
    pattern = pixel_thresholds(Sensor(0.4, 0.1, seed=3), 200, 100)
    assert pattern.shape == (100, 200) and abs(pattern.std() / 0.04 - 1) < 0.05
    assert np.array_equal(pattern, pixel_thresholds(Sensor(0.4, 0.1, seed=3), 200, 100))
    assert not np.array_equal(pattern, pixel_thresholds(Sensor(0.4, 0.1, seed=4), 200, 100))


def test_pixel_thresholds_have_a_lower_bound() -> None:
    assert np.isclose(pixel_thresholds(Sensor(0.4, 5.0), 50, 50).min(), 0.04, rtol=1e-12, atol=0)


@pytest.mark.parametrize("values", [{"threshold": 0.0}, {"dark": 0.0}, {"mismatch": -0.1}])
def test_invalid_parameters_are_rejected(values: dict[str, float]) -> None:
    with pytest.raises(DataError, match=f"sensor: .*{next(iter(values))}"):
        Sensor(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "images", [np.ones((3, 3)), np.ones((0, 3, 3)), np.full((2, 1, 1), np.nan), -np.ones((2, 1, 1))]
)
def test_invalid_images_are_rejected(images: NDArray[np.float64]) -> None:
    with pytest.raises(DataError, match="images: shape"):
        simulate_events(images, Sensor(), 10)
