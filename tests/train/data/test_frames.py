from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data.events import Events
from pumice.train.data.frames import stack_frames, to_frames
from pumice.train.data.options import DataOptions

WIDTH, HEIGHT = 4, 3


def make_events(*rows: tuple[int, int, int, int]) -> Events:
    """Events from (t, x, y, polarity)."""
    columns = np.array(sorted(rows), int).reshape(-1, 4).T
    t, x, y, polarity = columns
    return Events(x, y, polarity, t, WIDTH, HEIGHT)


EVENT = st.tuples(
    st.integers(0, 10**7), st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(0, 1)
)
RECORDINGS = st.lists(EVENT, max_size=30).map(lambda events: make_events(*events))


def bin_by_loop(
    events: Events, timesteps: int, binning: str, duration: int | None
) -> NDArray[np.uint8]:
    """Event counts, by a loop over events with exact fractions."""
    frames = np.zeros((timesteps, 2, HEIGHT, WIDTH), np.uint8)
    t = [int(time) for time in events.t]
    chosen = [k for k in range(len(t)) if duration is None or 0 <= t[k] < duration]
    for order, k in enumerate(chosen):
        if binning == "count":
            position = Fraction(order, len(chosen))
        elif duration is not None:
            position = Fraction(t[k], duration)
        else:
            position = Fraction(t[k] - t[0], t[-1] - t[0] + 1)
        frames[floor(position * timesteps), events.polarity[k], events.y[k], events.x[k]] += 1
    return frames


@given(
    RECORDINGS,
    st.integers(1, 20),
    st.sampled_from(["time", "count"]),
    st.none() | st.integers(1, 10**7),
)
def test_frames_equal_a_loop_over_the_events(
    events: Events, timesteps: int, binning: str, duration: int | None
) -> None:
    expected = bin_by_loop(events, timesteps, binning, duration)
    counts = to_frames(events, timesteps, binning, "counts", duration)  # type: ignore[arg-type]
    binary = to_frames(events, timesteps, binning, "binary", duration)  # type: ignore[arg-type]
    assert counts.dtype == binary.dtype == np.uint8
    assert np.array_equal(counts, expected) and np.array_equal(binary, expected > 0)


def test_a_worked_example_is_binned_as_computed_by_hand() -> None:
    events = make_events((10, 0, 0, 1), (11, 1, 0, 0), (12, 2, 2, 1), (49, 3, 1, 1))
    by_time = to_frames(events, 2)  # 10..29 and 30..49
    by_count = to_frames(events, 2, "count")
    assert by_time.sum((1, 2, 3)).tolist() == [3, 1]
    assert by_count.sum((1, 2, 3)).tolist() == [2, 2]
    assert by_time[1, 1, 1, 3] == 1 and by_time[0, 0, 0, 1] == 1


def test_events_outside_the_window_are_dropped() -> None:
    events = make_events((-1, 0, 0, 1), (0, 1, 0, 1), (99, 2, 0, 1), (100, 3, 0, 1))
    assert to_frames(events, 2, duration=100)[:, 1, 0].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]


def test_counts_are_clipped_at_255() -> None:
    events = make_events(*[(k, 1, 1, 0) for k in range(300)])
    assert to_frames(events, 1, values="counts")[0, 0, 1, 1] == 255


@pytest.mark.parametrize("binning", ["time", "count"])
def test_a_recording_without_events_gives_empty_frames(binning: str) -> None:
    frames = to_frames(make_events(), 3, binning)  # type: ignore[arg-type]
    assert frames.shape == (3, 2, HEIGHT, WIDTH) and not frames.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timesteps": 0}, "timesteps is 0"),
        ({"timesteps": 1, "duration": 0}, "duration is 0 us"),
        ({"timesteps": 1, "binning": "even"}, 'binning is "even", needs "time" or "count"'),
        ({"timesteps": 1, "values": "signed"}, 'values is "signed", needs "binary" or "counts"'),
    ],
)
def test_an_invalid_argument_is_rejected(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        to_frames(make_events((0, 0, 0, 0)), **arguments)  # type: ignore[arg-type]


def test_recordings_are_downsampled_binned_and_stacked() -> None:
    recording = Events([0, 1], [0, 1], [1, 1], [0, 9], 4, 2)  # type: ignore[arg-type]
    options = DataOptions(timesteps=2, binning="count", values="counts", pool=2)
    frames = stack_frames(iter([recording, recording]), options)
    assert frames[:, 0, 1, 0].tolist() == [[1, 0], [1, 0]]
    assert np.array_equal(frames[:, 0], frames[:, 1])
    assert frames.shape == (2, 2, 2, 1, 2) and not frames[:, :, 0].any()
