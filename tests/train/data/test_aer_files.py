from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pumice.runtime.errors import DataError
from pumice.train.data.aer_files import read_events, write_events
from pumice.train.data.events import Events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "00002.bin"


def test_the_bits_of_an_event_follow_the_format(path: Path) -> None:
    # x 3, y 33, ON at 0x012345; then x 33, y 0, OFF at 0x7FFFFF.
    path.write_bytes(bytes([3, 33, 0x81, 0x23, 0x45, 33, 0, 0x7F, 0xFF, 0xFF]))
    events = read_events(path, 34, 34)
    assert events.x.tolist() == [3, 33] and events.y.tolist() == [33, 0]
    assert events.polarity.tolist() == [1, 0]
    assert events.t.tolist() == [74565, 8388607]


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 1)), max_size=20),
    st.data(),
)
def test_events_survive_a_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    coordinates: list[tuple[int, int, int]],
    data: st.DataObject,
) -> None:
    times = data.draw(
        st.lists(st.integers(0, 2**23 - 1), min_size=len(coordinates), max_size=len(coordinates))
    )
    x, y, polarity = np.array(coordinates, int).reshape(-1, 3).T
    events = Events(x, y, polarity, np.array(sorted(times), int), 256, 256)
    path = tmp_path_factory.mktemp("events") / "one.bs2"
    write_events(path, events)
    assert read_events(path, 256, 256) == events
    assert path.stat().st_size == 5 * len(events)


@pytest.mark.parametrize("removed", [1, 2, 3, 4])
def test_a_truncated_file_is_rejected_with_one_line(path: Path, removed: int) -> None:
    path.write_bytes(bytes(10 - removed))
    with pytest.raises(
        DataError, match=f"00002.bin: has {10 - removed} bytes, .*truncated"
    ) as caught:
        read_events(path, 34, 34)
    assert "\n" not in str(caught.value)


def test_an_event_outside_the_sensor_is_rejected_with_file_and_index(path: Path) -> None:
    path.write_bytes(bytes(5) + bytes([34, 7, 0, 0, 9]))
    with pytest.raises(DataError, match="00002.bin: event 1 is at x 34, y 7, .* 34 x 34"):
        read_events(path, 34, 34)


def test_a_flipped_bit_of_time_is_rejected(path: Path) -> None:
    path.write_bytes(bytes([0, 0, 0x40, 0, 1]) + bytes([0, 0, 0, 0, 2]))
    with pytest.raises(DataError, match="00002.bin: event 1 is at 2 us, before event 0"):
        read_events(path, 34, 34)


def test_an_overflow_event_shifts_all_later_times_and_is_dropped(path: Path) -> None:
    mark = bytes([0, 240, 0, 0, 0])
    path.write_bytes(bytes([1, 1, 0, 0, 9]) + mark + bytes([2, 2, 0, 0, 5]) + mark * 2)
    events = read_events(path, 34, 34, overflow=True)
    assert events.x.tolist() == [1, 2] and events.t.tolist() == [9, 8192 + 5]
    with pytest.raises(DataError, match="event 1 is at x 0, y 240"):
        read_events(path, 34, 34)


def test_an_empty_file_has_no_events(path: Path) -> None:
    path.write_bytes(b"")
    assert len(read_events(path, 34, 34)) == 0


def test_a_missing_file_is_rejected(path: Path) -> None:
    with pytest.raises(DataError, match="00002.bin: cannot be read: No such file"):
        read_events(path, 34, 34)


@pytest.mark.parametrize(
    ("t", "width", "message"),
    [
        (2**23, 4, "times run from 8388608 to 8388608 us"),
        (-1, 4, "times run from -1 to -1 us"),
        (0, 257, "the sensor is 257 x 4"),
    ],
)
def test_events_out_of_the_range_of_40_bits_are_not_written(
    path: Path, t: int, width: int, message: str
) -> None:
    zero = np.zeros(1, int)
    with pytest.raises(DataError, match=message):
        write_events(path, Events(zero, zero, zero, zero + t, width, 4))
    assert not path.exists()


@pytest.mark.parametrize("k", range(1, 7))
def test_recorded_gestures_are_read_completely(shared_data: Path, tmp_path: Path, k: int) -> None:
    file = shared_data / "dvs_gesture6" / f"{k}.bs2"
    if not file.exists():
        pytest.skip(f"no file gesture at {file}")
    events = read_events(file, 128, 128)
    assert 5 * len(events) == file.stat().st_size
    assert 1_449_000 < events.t[-1] < 1_450_000 and 0.4 < events.polarity.mean() < 0.6
    write_events(tmp_path / "again.bs2", events)
    assert (tmp_path / "again.bs2").read_bytes() == file.read_bytes()
