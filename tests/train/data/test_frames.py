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


def made(*happened: tuple[int, int, int, int]) -> Events:
    """Events from (t, x, y, polarity)."""
    columns = np.array(sorted(happened), int).reshape(-1, 4).T
    t, x, y, polarity = columns
    return Events(x, y, polarity, t, WIDTH, HEIGHT)


EVENT = st.tuples(
    st.integers(0, 10**7), st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(0, 1)
)
RECORDINGS = st.lists(EVENT, max_size=30).map(lambda events: made(*events))


def naive(events: Events, timesteps: int, binning: str, duration: int | None) -> NDArray[np.uint8]:
    """The counts, event by event and with fractions."""
    frames = np.zeros((timesteps, 2, HEIGHT, WIDTH), np.uint8)
    t = [int(time) for time in events.t]
    kept = [k for k in range(len(t)) if duration is None or 0 <= t[k] < duration]
    for order, k in enumerate(kept):
        if binning == "count":
            place = Fraction(order, len(kept))
        elif duration is not None:
            place = Fraction(t[k], duration)
        else:
            place = Fraction(t[k] - t[0], t[-1] - t[0] + 1)
        frames[floor(place * timesteps), events.polarity[k], events.y[k], events.x[k]] += 1
    return frames


@given(
    RECORDINGS,
    st.integers(1, 20),
    st.sampled_from(["time", "count"]),
    st.none() | st.integers(1, 10**7),
)
def test_frames_are_what_a_loop_over_the_events_makes(
    events: Events, timesteps: int, binning: str, duration: int | None
) -> None:
    expected = naive(events, timesteps, binning, duration)
    counts = to_frames(events, timesteps, binning, "counts", duration)  # type: ignore[arg-type]
    binary = to_frames(events, timesteps, binning, "binary", duration)  # type: ignore[arg-type]
    assert counts.dtype == binary.dtype == np.uint8
    assert np.array_equal(counts, expected) and np.array_equal(binary, expected > 0)


def test_a_worked_recording_falls_into_its_frames() -> None:
    events = made((10, 0, 0, 1), (11, 1, 0, 0), (12, 2, 2, 1), (49, 3, 1, 1))
    by_time = to_frames(events, 2)  # 10..29 and 30..49
    by_count = to_frames(events, 2, "count")
    assert by_time.sum((1, 2, 3)).tolist() == [3, 1]
    assert by_count.sum((1, 2, 3)).tolist() == [2, 2]
    assert by_time[1, 1, 1, 3] == 1 and by_time[0, 0, 0, 1] == 1


def test_a_window_leaves_out_what_lies_beyond_it() -> None:
    events = made((-1, 0, 0, 1), (0, 1, 0, 1), (99, 2, 0, 1), (100, 3, 0, 1))
    assert to_frames(events, 2, duration=100)[:, 1, 0].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]


def test_counts_stop_at_255() -> None:
    events = made(*[(k, 1, 1, 0) for k in range(300)])
    assert to_frames(events, 1, values="counts")[0, 0, 1, 1] == 255


@pytest.mark.parametrize("binning", ["time", "count"])
def test_a_recording_without_events_makes_empty_frames(binning: str) -> None:
    frames = to_frames(made(), 3, binning)  # type: ignore[arg-type]
    assert frames.shape == (3, 2, HEIGHT, WIDTH) and not frames.any()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"timesteps": 0}, "timesteps is 0"),
        ({"timesteps": 1, "duration": 0}, "duration is 0 us"),
        ({"timesteps": 1, "binning": "even"}, 'binning is "even", needs "time" or "count"'),
        ({"timesteps": 1, "values": "signed"}, 'values is "signed", needs "binary" or "counts"'),
    ],
)
def test_an_argument_that_means_nothing_is_refused(arguments: dict[str, int], told: str) -> None:
    with pytest.raises(DataError, match=told):
        to_frames(made((0, 0, 0, 0)), **arguments)  # type: ignore[arg-type]


def test_recordings_are_pooled_cut_and_stacked_as_the_options_say() -> None:
    one = Events([0, 1], [0, 1], [1, 1], [0, 9], 4, 2)  # type: ignore[arg-type]
    options = DataOptions(timesteps=2, binning="count", values="counts", pool=2)
    frames = stack_frames(iter([one, one]), options)
    assert frames[:, 0, 1, 0].tolist() == [[1, 0], [1, 0]]
    assert np.array_equal(frames[:, 0], frames[:, 1])
    assert frames.shape == (2, 2, 2, 1, 2) and not frames[:, :, 0].any()
