"""Decode bytes: complete, cut anywhere, and damaged."""

from collections.abc import Sequence

import numpy as np
import pytest

from pumice.runtime.stream import Aer40Decoder, CsvDecoder, EventChunk, StreamStats

EVENTS = [(3, 1, 1, 5), (0, 255, 0, 70_000), (200, 7, 1, 4_000_000)]  # x, y, polarity, t


def encode(events: Sequence[Sequence[int]]) -> bytes:
    words = (x << 32 | y << 24 | p << 23 | t % (1 << 23) for x, y, p, t in events)
    return b"".join(word.to_bytes(5, "big") for word in words)


def text(events: Sequence[Sequence[int]]) -> bytes:
    return "".join(f"{t},{x},{y},{p}\n" for x, y, p, t in events).encode()


def rows(*chunks: EventChunk) -> list[list[int]]:
    return [row for chunk in chunks for row in np.stack(chunk[:4], axis=1).tolist()]


def as_lists(events: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(event) for event in events]


def test_an_event_of_five_bytes_worked_by_hand() -> None:
    # x 3, y 1, ON, t 5: 00000011 00000001 1|0000000 00000000 00000101
    assert rows(Aer40Decoder(StreamStats()).decode(bytes([3, 1, 0x80, 0, 5]))) == [[3, 1, 1, 5]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_bytes_may_be_cut_anywhere(size: int) -> None:
    for kind, data in ((Aer40Decoder, encode(EVENTS)), (CsvDecoder, text(EVENTS))):
        decoder = kind(StreamStats())
        chunks = [decoder.decode(data[k : k + size]) for k in range(0, len(data), size)]
        assert rows(*chunks) == as_lists(EVENTS)


def test_a_23_bit_timestamp_wraps_and_jitter_there_is_no_wrap() -> None:
    over = 1 << 23
    times = [over - 3, over + 4, over - 1, over + 9, over + over // 2, 2 * over - 9, 2 * over + 1]
    events = [(0, 0, 0, t) for t in times]
    decoder = Aer40Decoder(StreamStats())
    assert rows(*(decoder.decode(encode([e])) for e in events)) == as_lists(events)
    assert rows(Aer40Decoder(StreamStats()).decode(encode(events))) == as_lists(events)


def test_a_late_first_event_is_where_the_clock_starts() -> None:
    assert (
        rows(Aer40Decoder(StreamStats()).decode(encode([(0, 0, 0, 8_000_000)])))[0][3] == 8_000_000
    )


def test_partial_events_are_counted_once() -> None:
    stats = StreamStats()
    for decoder in (Aer40Decoder(stats), CsvDecoder(stats)):
        decoder.decode(b"1,2")
        decoder.reset()
        decoder.reset()
    assert stats.malformed == 2


def test_malformed_lines_are_counted_and_the_others_decoded() -> None:
    stats = StreamStats()
    data = (
        b"1,2,3,0\n\nx,2,3,0\n1,2,3\n1,2,3,0,5\n1e3,0,0,0\n\xff\xfe\n"
        + b"9" * 90
        + b",1,1,1\n4,5,6,1\r\n"
    )
    assert rows(CsvDecoder(stats).decode(data)) == [[2, 3, 0, 1], [5, 6, 1, 4]]
    assert stats.malformed == 6


def test_an_endless_line_takes_no_memory_and_counts_once() -> None:
    stats = StreamStats()
    lines = CsvDecoder(stats)
    for _ in range(1000):
        lines.decode(b"7" * 65536)
        assert len(lines.remainder) <= 256
    assert rows(lines.decode(b"7\n1,2,3,0\n")) == [[2, 3, 0, 1]]
    assert stats.malformed == 1


def test_random_bytes_never_raise() -> None:
    rng = np.random.default_rng(0)
    for kind in (Aer40Decoder, CsvDecoder):
        decoder = kind(StreamStats())
        for size in rng.integers(0, 3000, 50):
            decoder.decode(rng.bytes(int(size)))
