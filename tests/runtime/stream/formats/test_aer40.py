"""Five-byte events: overflow marks, wraps of the clock and pauses."""

from pathlib import Path

import numpy as np
import pytest
from event_bytes import Rows, aer40

from pumice.runtime.stream import EventChunk, StreamStats
from pumice.runtime.stream.formats import Aer40Decoder
from pumice.runtime.stream.recordings import read_recording

PERIOD = 1 << 23


def times(decoder: Aer40Decoder, *parts: Rows) -> list[int]:
    return [t for part in parts for chunk in decoder.decode(aer40(part)) for t in chunk.t.tolist()]


def at(*t: int) -> list[tuple[int, int, int, int]]:
    return [(3, 4, 1, time) for time in t]


def test_an_overflow_mark_is_left_out_and_moves_all_later_events() -> None:
    rows = [(1, 1, 1, 8000), (0, 240, 0, 8191), (2, 2, 1, 9000), (0, 240, 0, 0), (3, 3, 0, 5)]
    (chunk,) = Aer40Decoder(StreamStats()).decode(aer40(rows))
    assert chunk.x.tolist() == [1, 2, 3]
    assert chunk.t.tolist() == [8000, 9000 + 8192, 5 + 2 * 8192]


def test_marks_count_across_parts_and_are_events_where_the_sensor_has_that_row() -> None:
    decoder = Aer40Decoder(StreamStats())
    mark = [(0, 240, 0, 7)]
    assert times(decoder, at(5), mark, at(6), mark, at(7)) == [5, 8192 + 6, 2 * 8192 + 7]
    plain = Aer40Decoder(StreamStats(), overflow_marks=False)
    assert times(plain, at(5), mark, at(6)) == [5, 7, 6]


@pytest.mark.parametrize("pause", [1, 100_000, 4_100_000, 4_200_000, 6_000_000, 8_300_000])
@pytest.mark.parametrize("start", [0, 1_000_000, 5_000_000, PERIOD - 1000])
def test_after_a_pause_the_clock_goes_on(pause: int, start: int) -> None:
    before = [start + 10 * k for k in range(300)]
    after = [before[-1] + pause + 10 * k for k in range(300)]
    rows = at(*before, *after)
    assert times(Aer40Decoder(StreamStats()), rows) == [*before, *after]
    assert times(Aer40Decoder(StreamStats()), *([row] for row in rows)) == [*before, *after]


@pytest.mark.parametrize("pause", [8_323_080, 8_350_000, 8_380_000, PERIOD - 500])
def test_a_pause_of_nearly_a_period_after_the_start_is_a_step_ahead(pause: int) -> None:
    before = [10 * k for k in range(40)]
    after = [before[-1] + pause + 10 * k for k in range(40)]
    rows = at(*before, *after, after[-1] + 5_000_000)
    expected = [row[3] for row in rows]
    assert times(Aer40Decoder(StreamStats()), rows) == expected
    assert times(Aer40Decoder(StreamStats()), *([row] for row in rows)) == expected


def test_events_out_of_order_stay_so_and_do_not_move_the_clock() -> None:
    t = [
        PERIOD - 3,
        PERIOD + 4,
        PERIOD - 1,
        PERIOD + 9,
        PERIOD + 60_000,
        PERIOD + 20,
        2 * PERIOD - 10**5,
    ]
    assert times(Aer40Decoder(StreamStats()), at(*t)) == t


def test_events_out_of_order_at_a_wrap_do_not_wrap_again() -> None:
    over = PERIOD
    t = [over - 3, over + 4, over - 1, over + 9, over + over // 2, 2 * over - 9, 2 * over + 1]
    assert times(Aer40Decoder(StreamStats()), at(*t)) == t
    assert times(Aer40Decoder(StreamStats()), *([row] for row in at(*t))) == t


def test_a_partial_event_counts_once() -> None:
    stats = StreamStats()
    decoder = Aer40Decoder(stats)
    assert not list(decoder.decode(b"abc"))
    decoder.discard()
    decoder.reset()
    assert stats.malformed == 1 and not list(decoder.finish())


def test_datagrams_stand_for_themselves_on_one_clock() -> None:
    stats = StreamStats()
    rows = at(PERIOD - 5, PERIOD + 5)
    datagrams = [aer40(rows[:1]) + b"xyz", b"", aer40(rows[1:]), b"z"]
    (chunk,) = Aer40Decoder(stats).decode_datagrams(datagrams)
    assert chunk.t.tolist() == [PERIOD - 5, PERIOD + 5] and stats.malformed == 2


def test_without_wraps_a_step_back_stays_one() -> None:
    t = [5_000_000, 100]
    assert times(Aer40Decoder(StreamStats(), wraps=False), at(*t)) == t


def test_a_late_first_event_starts_the_clock() -> None:
    assert times(Aer40Decoder(StreamStats()), at(8_000_000)) == [8_000_000]


@pytest.mark.parametrize("k", range(1, 7))
def test_recorded_gestures_equal_a_reading_byte_by_byte(shared_data: Path, k: int) -> None:
    recorded = shared_data / "dvs_gesture6" / f"{k}.bs2"
    if not recorded.exists():
        pytest.skip(f"no recorded gesture at {recorded}")
    data = recorded.read_bytes()
    words = [int.from_bytes(data[i : i + 5], "big") for i in range(0, len(data), 5)]
    expected = [(w >> 32, w >> 24 & 0xFF, w >> 23 & 1, w & 0x7FFFFF) for w in words]
    actual = read(recorded)
    assert actual == expected


def test_recorded_digits_come_back(shared_data: Path, tmp_path: Path) -> None:
    recorded = shared_data / "nmnist900" / "nmnist900.npz"
    if not recorded.exists():
        pytest.skip(f"no recorded digits at {recorded}")
    with np.load(recorded) as arrays:
        ends, columns = arrays["offsets"][:6], [arrays[key] for key in "xypt"]
    for first, end in zip(ends[:-1], ends[1:], strict=True):
        rows = list(zip(*(column[first:end].tolist() for column in columns), strict=True))
        (tmp_path / "digit.bin").write_bytes(aer40(rows))
        assert read(tmp_path / "digit.bin") == rows


def read(path: Path) -> list[tuple[int, ...]]:
    chunks: list[EventChunk] = list(read_recording(path, StreamStats()))
    return [tuple(row) for chunk in chunks for row in np.stack(chunk[:4], axis=1).tolist()]
