"""Every format: known events come back, however the bytes are cut; damage never escapes."""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from event_bytes import (
    Rows,
    aedat2_davis,
    aedat2_dvs128,
    aedat3,
    aedat4,
    aer40,
    dat,
    event_stream,
    evt2,
    evt3,
    evt21,
    text,
)

from pumice.runtime.errors import DataError
from pumice.runtime.stream import EventChunk, StreamStats
from pumice.runtime.stream.formats import make_file_decoder

ROWS = [(5, 9, 1, 100), (127, 0, 0, 350), (64, 64, 1, 350), (0, 127, 0, 9000), (33, 7, 1, 70_000)]
Encoder = Callable[[Rows], bytes]
FORMATS: dict[str, tuple[str, Encoder]] = {
    "five-byte": (".bin", aer40),
    "text": (".csv", text),
    "text-xypt": (".txt", lambda rows: text(rows, "xypt", " ")),
    "aedat2-dvs128": (".aedat", aedat2_dvs128),
    "aedat2-davis": (".aedat", aedat2_davis),
    "aedat3": (".aedat", aedat3),
    "aedat4": (".aedat4", aedat4),
    "evt2": (".raw", evt2),
    "evt21": (".raw", evt21),
    "evt21-legacy": (".raw", lambda rows: evt21(rows, is_legacy=True)),
    "evt3": (".raw", evt3),
    "dat-cd": (".dat", dat),
    "dat-2d": (".dat", lambda rows: dat(rows, 0)),
    "es-dvs": (".es", event_stream),
    "es-atis": (".es", lambda rows: event_stream(rows, is_atis=True)),
}
SIZES = {
    "aedat2-dvs128": (128, 128),
    "aedat2-davis": (240, 180),
    "aedat4": (346, 260),
    **dict.fromkeys(
        ("evt2", "evt21", "evt21-legacy", "evt3", "dat-cd", "dat-2d", "es-dvs", "es-atis"),
        (1280, 720),
    ),
}


def decode(ending: str, *parts: bytes, stats: StreamStats | None = None) -> list[EventChunk]:
    """Decode a recording that arrives in `parts`."""
    decoder = make_file_decoder(ending, b"".join(parts)[:4096], stats or StreamStats())
    chunks = [chunk for part in parts for chunk in decoder.decode(part)]
    return [*chunks, *decoder.finish()]


def rows_of(chunks: list[EventChunk]) -> list[tuple[int, ...]]:
    return [tuple(row) for chunk in chunks for row in np.stack(chunk[:4], axis=1).tolist()]


@pytest.mark.parametrize("name", FORMATS)
def test_known_events_come_back_and_nothing_is_malformed(name: str) -> None:
    ending, encode = FORMATS[name]
    stats = StreamStats()
    decoder = make_file_decoder(ending, encode(ROWS)[:4096], stats)
    assert rows_of([*decoder.decode(encode(ROWS)), *decoder.finish()]) == ROWS
    assert stats.malformed == 0 and decoder.size == SIZES.get(name)
    assert all(
        array.dtype == np.int64 for chunk in decode(ending, encode(ROWS)) for array in chunk[:4]
    )


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_may_be_cut_anywhere(name: str) -> None:
    ending, encode = FORMATS[name]
    data = encode(ROWS)
    for cut in range(1, len(data)):
        assert rows_of(decode(ending, data[:cut], data[cut:])) == ROWS, cut
    assert rows_of(decode(ending, *(data[k : k + 1] for k in range(len(data))))) == ROWS


@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_that_ends_anywhere_gives_the_events_before(name: str) -> None:
    ending, encode = FORMATS[name]
    data = encode(ROWS)
    for end in range(len(data)):
        stats = StreamStats()
        try:
            actual = rows_of(decode(ending, data[:end], stats=stats))
        except DataError as error:
            assert "\n" not in str(error)
            continue
        full = ROWS[: len(actual)]
        assert actual == full or (name.startswith("text") and actual[:-1] == full[:-1])
        assert stats.malformed <= 1


@pytest.mark.parametrize("name", FORMATS)
def test_a_decoder_starts_again_with_another_recording(name: str) -> None:
    ending, encode = FORMATS[name]
    stats = StreamStats()
    decoder = make_file_decoder(ending, encode(ROWS)[:4096], stats)
    list(decoder.decode(encode(ROWS)[:-1]))
    decoder.reset()
    assert stats.malformed == 1
    assert rows_of([*decoder.decode(encode(ROWS)), *decoder.finish()]) == ROWS


@pytest.mark.parametrize("name", FORMATS)
def test_long_recordings_come_in_chunks_of_bounded_size(name: str) -> None:
    ending, encode = FORMATS[name]
    many = [(k % 128, k // 128 % 128, k % 2, 10 * k) for k in range(30_000)]
    chunks = decode(ending, encode(many))
    assert rows_of(chunks) == many
    assert max(len(chunk.t) for chunk in chunks) <= 1 << 16
    assert len(chunks) > 1 or name == "aedat4"


@pytest.mark.parametrize("name", FORMATS)
def test_altered_recordings_raise_nothing_but_data_errors(name: str) -> None:
    ending, encode = FORMATS[name]
    rng = np.random.default_rng(11)
    whole = np.frombuffer(encode(ROWS * 4 if "es-" not in name else ROWS), np.uint8)
    for _ in range(400):
        altered = whole.copy()
        places = rng.integers(0, len(whole), rng.integers(1, 5))
        altered[places] = rng.choice(
            [0, 0xFF, 0x7F, 0x80, 10, *rng.integers(0, 256, 3)], len(places)
        )
        data = altered.tobytes()[: rng.integers(1, len(whole) + 1)]
        if rng.random() < 0.3:
            data = (
                data[: len(data) // 2]
                + rng.bytes(int(rng.integers(1, 40)))
                + data[len(data) // 2 :]
            )
        stats = StreamStats()
        start = time.monotonic()
        try:
            chunks = decode(ending, data, stats=stats)
        except DataError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            continue
        assert sum(len(chunk.t) for chunk in chunks) <= 32 * len(data)
        assert time.monotonic() - start < 5


@pytest.mark.parametrize("name", FORMATS)
def test_random_bodies_take_little_memory(name: str) -> None:
    ending, encode = FORMATS[name]
    rng = np.random.default_rng(5)
    head = encode([(1, 1, 1, 1)])
    decoder = make_file_decoder(ending, head, StreamStats())
    tracemalloc.start()
    try:
        list(decoder.decode(head))
        for _ in range(10):
            for _ in decoder.decode(rng.bytes(1 << 17)):
                pass
        list(decoder.finish())
    except DataError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 200 << 20
