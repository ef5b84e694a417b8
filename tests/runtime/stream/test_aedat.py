"""AEDAT files, written here by hand after the description of the format."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.runtime.stream import StreamStats, read_recording

ROWS = [(5, 9, 1, 100), (127, 0, 0, 90), (64, 64, 1, 350)]  # x, y, polarity, t
DAVIS = b"# AEChip: eu.seebetter.ini.chips.davis.Davis240C\r\n"
Rows = Sequence[tuple[int, int, int, int]]


def dvs128(rows: Rows) -> bytes:
    """A DVS128, with an event from outside among them."""
    words = [(127 - y << 8 | x << 1 | p, t) for x, y, p, t in rows]
    words.insert(1, (1 << 15, 95))
    body = b"".join(struct.pack(">II", *word) for word in words)
    return b"#!AER-DAT2.0\r\n# a comment\r\n" + body


def davis240(rows: Rows) -> bytes:
    """A DAVIS 240C, with a sample of a frame and one of motion among them."""
    words = [(179 - y << 22 | x << 12 | p << 11, t) for x, y, p, t in rows]
    words[1:1] = [(1 << 31, 95), (1 << 10, 96)]
    return b"#!AER-DAT2.0\r\n" + DAVIS + b"".join(struct.pack(">II", *word) for word in words)


def packets(rows: Rows) -> bytes:
    """Version 3.1: a special event, then a packet with one event that is not valid."""
    special = struct.pack("<HHIIIIII", 0, 0, 8, 4, 0, 1, 1, 1) + bytes(8)
    words = [(x << 17 | y << 2 | p << 1 | 1, t) for x, y, p, t in rows]
    words.insert(2, (5 << 17, 99))
    header = struct.pack("<HHIIIIII", 1, 0, 8, 4, 0, 4, 4, 3)
    body = b"".join(struct.pack("<II", *word) for word in words)
    return b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n" + special + header + body


def read(path: Path, tally: StreamStats) -> list[list[int]]:
    pieces = list(read_recording(path, tally))
    return [row for piece in pieces for row in np.stack(piece[:4], axis=1).tolist()]


@pytest.mark.parametrize("encode", [dvs128, davis240, packets])
def test_events_round_trip(encode: Callable[[Rows], bytes], tmp_path: Path) -> None:
    path, tally = tmp_path / "made.aedat", StreamStats()
    path.write_bytes(encode(ROWS))
    assert read(path, tally) == [list(row) for row in ROWS] and tally.malformed == 0
    path.write_bytes(encode(ROWS)[:-3])
    assert read(path, tally) == [list(row) for row in ROWS[:-1]] and tally.malformed == 1


def test_a_31_bit_timestamp_wraps(tmp_path: Path) -> None:
    path = tmp_path / "late.aedat"
    late = struct.pack("<HHIIIIII", 1, 0, 8, 4, 2, 1, 1, 1) + struct.pack("<II", 1, 7)
    path.write_bytes(b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + late)
    assert read(path, StreamStats()) == [[0, 0, 0, (2 << 31) + 7]]


def test_many_events_are_split_into_chunks(tmp_path: Path) -> None:
    path = tmp_path / "many.aedat"
    path.write_bytes(dvs128(ROWS * 10_000))
    assert len(read(path, StreamStats())) == 30_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"#!AER-DAT1.0\r\n", "has AEDAT version 1.0, needs 2.0 or 3.1"),
        (b"nothing", "has AEDAT version none"),
        (b"#!AER-DAT2.0\r\n# AEChip: a.b.Cochlea\r\n", "is of the chip Cochlea; known are DVS128"),
    ],
)
def test_other_files_are_rejected(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.aedat"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(path, StreamStats())


def test_altered_bytes_raise_no_other_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = tmp_path / "altered.aedat"
    for encode in (dvs128, davis240, packets):
        whole = np.frombuffer(encode(ROWS * 20), np.uint8)
        for _ in range(60):
            altered = whole.copy()
            altered[rng.integers(0, len(whole), 3)] = rng.integers(0, 256, 3)
            path.write_bytes(altered.tobytes()[: rng.integers(1, len(whole))])
            try:
                read(path, StreamStats())
            except DataError:
                continue
