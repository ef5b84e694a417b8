from dataclasses import replace

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data.events import Events

EVENTS = Events(
    x=np.array([0, 4, 2]),
    y=np.array([2, 0, 1]),
    polarity=np.array([1, 0, 1]),
    t=np.array([5, 5, 9]),
    width=5,
    height=3,
)


def test_arrays_are_read_only_copies_of_their_types() -> None:
    times = np.array([5, 5, 9])
    events = replace(EVENTS, t=times)
    times[0] = 7
    arrays = (events.x, events.y, events.polarity, events.t)
    assert [a.dtype.name for a in arrays] == ["uint16", "uint16", "uint8", "int64"]
    assert events == EVENTS and len(events) == 3 and not any(a.flags.writeable for a in arrays)


def test_a_recording_may_be_empty() -> None:
    empty = np.zeros(0, int)
    assert len(Events(empty, empty, empty, empty, 5, 3)) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": [0, 5, 2]}, r"event 1 is at x 5, y 0, but the sensor is 5 x 3"),
        ({"y": [2, 0, 3]}, r"event 2 is at x 2, y 3, but the sensor is 5 x 3"),
        ({"x": [0, -1, 2]}, "x: value -1 "),
        ({"t": [5, 6, 5]}, "event 2 is at 5 us, before event 1 at 6 us"),
        ({"t": [5, 5.5, 6]}, "t: value 5.5"),
        ({"polarity": [0, 2, 1]}, "event 1 has polarity 2, needs 0 or 1"),
        ({"polarity": [0, 1]}, "3 x, 3 y, 2 polarity, 3 t; need arrays of one length"),
        ({"t": [[5, 5, 9]]}, r"t: shape \(1, 3\), needs \(events,\)"),
        ({"width": 0}, "sensor of 0 x 3 pixels"),
        ({"height": 65537}, "sensor of 5 x 65537 pixels"),
    ],
)
def test_invalid_events_are_rejected(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(EVENTS, **changes)  # type: ignore[arg-type]
