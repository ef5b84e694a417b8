"""EVT 2.0, 2.1 and 3.0, DAT and Event Stream: worked words, wraps, headers."""

import struct

import numpy as np
import pytest
from event_bytes import EVT_HEAD, dat, event_stream, evt2, evt3, evt21

from pumice.runtime.errors import DataError
from pumice.runtime.stream import StreamStats
from pumice.runtime.stream.formats import DatDecoder, EventDecoder, EventStreamDecoder, EvtDecoder

HEAD3 = EVT_HEAD.format("3.0").encode()


def high(value: int) -> int:
    return 8 << 12 | value


def low(value: int) -> int:
    return 6 << 12 | value


def pixel(x: int, polarity: int) -> int:
    return 2 << 12 | polarity << 11 | x


def decode(decoder: EventDecoder, data: bytes) -> list[list[int]]:
    chunks = [*decoder.decode(data), *decoder.finish()]
    return [row for chunk in chunks for row in np.stack(chunk[:4], axis=1).tolist()]


def decode3(*words: int) -> list[list[int]]:
    return decode(EvtDecoder(StreamStats()), HEAD3 + struct.pack(f"<{len(words)}H", *words))


def test_a_wrap_of_evt3_of_any_step_goes_on() -> None:
    words = [high(4090), low(10), 3, pixel(5, 1), high(2), low(4), pixel(6, 0)]
    rows = decode3(*words, high(2000), low(4), pixel(7, 0))
    assert rows == [[5, 3, 1, 16752650], [6, 3, 0, 16785412], [7, 3, 0, 24969220]]


def test_a_recording_of_evt3_may_start_before_a_wrap() -> None:
    rows = decode3(high(4095), low(10), 3, pixel(5, 1), low(20), pixel(6, 1), high(0), pixel(7, 1))
    assert [row[3] for row in rows] == [16773130, 16773140, 16777216]


def test_times_of_evt3_that_go_back_stay_so() -> None:
    words = [high(7), low(50), 3, pixel(1, 1), low(40), pixel(2, 1), high(6), low(1), pixel(3, 1)]
    rows = decode3(*words, high(7), pixel(4, 1))
    assert [row[3] for row in rows] == [28722, 28712, 24577, 28672]


def test_a_vector_of_evt3_moves_its_base() -> None:
    words = [high(1), low(2), 9, 3 << 12 | 1 << 11 | 100, 4 << 12 | 0x801, 4 << 12, 5 << 12 | 0xF81]
    rows = decode3(*words, 4 << 12 | 2)
    assert rows == [[x, 9, 1, 4098] for x in (100, 111, 124, 131, 133)]


def test_events_of_evt3_without_a_row_are_skipped_and_without_a_time_malformed() -> None:
    stats = StreamStats()
    words = [3, pixel(1, 1), 3 << 12, 4 << 12 | 7, high(0), pixel(2, 1), 1 << 12 | 5, pixel(3, 1)]
    data = HEAD3 + struct.pack(f"<{len(words)}H", *words)
    assert decode(EvtDecoder(stats), data) == [[2, 3, 1, 0]]
    assert stats.malformed == 4


@pytest.mark.parametrize("encode", [evt2, evt21])
def test_a_wrap_of_evt2_goes_on(encode: object) -> None:
    period = 1 << 34
    times = [period - 100, period + 70, period - 6, period + 130, period * 3 // 2, 2 * period + 1]
    rows = [(40 * k, k, k % 2, t) for k, t in enumerate(times)]
    data = encode(rows)  # type: ignore[operator]
    assert decode(EvtDecoder(StreamStats()), data) == [list(row) for row in rows]


def test_a_word_of_evt21_worked_by_hand() -> None:
    # time high 5 (320 us); ON, time low 3, x 32, y 7, pixels 0 and 2
    words = [0x80000005_00000000, 0x10C10007_00000005]
    for head in ("% evt 2.1\n% end\n", "% format EVT21;height=9;width=9\n", EVT_HEAD.format("2.1")):
        data = head.encode() + struct.pack("<2Q", *words)
        assert decode(EvtDecoder(StreamStats()), data) == [[32, 7, 1, 323], [34, 7, 1, 323]]


@pytest.mark.parametrize("is_legacy", [False, True])
@pytest.mark.parametrize("is_stated", [False, True])
def test_the_order_of_halves_is_stated_or_found(is_legacy: bool, is_stated: bool) -> None:
    rng = np.random.default_rng(4)
    rows = [(*rng.integers(0, 640, 2).tolist(), int(rng.integers(2)), 70 * k) for k in range(2000)]
    head = "% evt {}\n"
    if is_stated:
        head += f"% endianness {'legacy' if is_legacy else 'little'}\n"
    data = evt21(rows, is_legacy, head + "% end\n")
    assert decode(EvtDecoder(StreamStats()), data) == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("head", "size"),
    [
        ("% format EVT3;height=720;width=1280\n% end\n", (1280, 720)),
        ("% geometry 640x480\n% evt 3.0\n", (640, 480)),
        ("% evt 3.0\n% caf\u00e9\n% end\n", None),
        ("% evt 3.0\n% geometry -1x9\n% end\n", None),
    ],
)
def test_headers_of_raw_recordings(head: str, size: tuple[int, int] | None) -> None:
    decoder = EvtDecoder(StreamStats())
    assert decode(decoder, evt3([(1, 2, 1, 3)], head)) == [[1, 2, 1, 3]]
    assert decoder.size == size


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"% evt 4.0\n% end\n", "is of EVT version 4.0; needs a RAW header"),
        (b"% format HISTO3D;height=320;width=320\n% end\n", "is of EVT version HISTO3D"),
        (b"% Date 2020\n% end\n", "names no EVT version"),
        (b"% evt 3.0", "names no EVT version|no end"),
    ],
)
def test_other_headers_are_rejected(head: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        assert not decode(EvtDecoder(StreamStats()), head)
        raise DataError("no end")


def test_dat_of_version_1_and_its_clock_of_32_bits() -> None:
    head = b"% Data file containing CD events\n% Version 1\n" + bytes([0, 8])
    words = [(0xFFFFFFF0, 1 << 17 | 200 << 9 | 300), (5, 3 << 9 | 4)]
    data = head + b"".join(struct.pack("<II", *word) for word in words)
    expected = [[300, 200, 1, 0xFFFFFFF0], [4, 3, 0, 0x100000005]]
    assert decode(DatDecoder(StreamStats()), data) == expected


@pytest.mark.parametrize(("kind", "size"), [(0x0E, 8), (40, 28), (0, 9), (13, 8)])
def test_other_kinds_of_dat_are_rejected(kind: int, size: int) -> None:
    data = dat([(1, 2, 1, 3)]).replace(bytes([0x0C, 8]), bytes([kind, size]))
    with pytest.raises(DataError, match=f"events of type 0x{kind:02X} and {size} bytes, version 2"):
        decode(DatDecoder(StreamStats()), data)


@pytest.mark.parametrize(("kind", "name"), [(0, "generic"), (4, "color"), (3, "type 3")])
def test_event_streams_without_polarity_are_rejected(kind: int, name: str) -> None:
    data = b"Event Stream" + bytes([2, 0, 0, kind]) + bytes(40)
    with pytest.raises(DataError, match=f"holds {name} events, without polarity"):
        decode(EventStreamDecoder(StreamStats()), data)


def test_another_version_of_event_stream_is_rejected() -> None:
    with pytest.raises(DataError, match=r"is version 1\.0\.0; needs Event Stream version 2"):
        decode(EventStreamDecoder(StreamStats()), b"Event Stream" + bytes([1, 0, 0, 1]) + bytes(40))


def test_event_streams_count_from_below_and_pass_resets() -> None:
    data = bytearray(event_stream([(3, 719, 1, 300)]))
    data[20:20] = b"\xfe\xfe"
    assert data[-2:] == b"\0\0"
    assert decode(EventStreamDecoder(StreamStats()), bytes(data)) == [[3, 719, 1, 300]]


def test_exposures_of_an_atis_are_skipped() -> None:
    data = event_stream([(3, 5, 1, 300), (4, 6, 0, 400)], is_atis=True)
    exposure = bytes([10 << 2 | 1, 9, 0, 9, 0])
    assert decode(EventStreamDecoder(StreamStats()), data + exposure) == [
        [3, 5, 1, 300],
        [4, 6, 0, 400],
    ]
