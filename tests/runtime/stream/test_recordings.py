"""Recordings read from files: content before ending, and one line for what is none."""

import os
from pathlib import Path

import numpy as np
import pytest
from event_bytes import aedat2_dvs128, aedat3, aedat4, aer40, dat, event_stream, evt2, evt3, text

from pumice.runtime.errors import DataError
from pumice.runtime.stream import StreamStats
from pumice.runtime.stream.recordings import read_recording

ROWS = [(5, 9, 1, 100), (127, 0, 0, 350), (64, 64, 1, 360)]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def read(path: Path) -> list[list[int]]:
    chunks = list(read_recording(path, StreamStats()))
    return [row for chunk in chunks for row in np.stack(chunk[:4], axis=1).tolist()]


@pytest.mark.parametrize(
    "name", ["a.aedat", "a.aedat4", "a.bin", "a.csv", "a.raw", "a.dat", "a.es", "a.unknown", "a"]
)
@pytest.mark.parametrize("encode", [aedat2_dvs128, aedat3, aedat4, evt2, evt3, dat, event_stream])
def test_content_is_preferred_to_the_ending(name: str, encode: object, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(encode(ROWS))  # type: ignore[operator]
    assert read(tmp_path / name) == [list(row) for row in ROWS]


@pytest.mark.parametrize("name", ["a.bin", "a.BS2", "b.CSV", "b.txt"])
def test_what_has_no_header_is_known_by_its_ending(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(aer40(ROWS) if name[0] == "a" else text(ROWS))
    assert read(tmp_path / name) == [list(row) for row in ROWS]


@pytest.mark.parametrize("ending", [".aedat", ".aedat4", ".bin", ".csv", ".raw", ".dat", ".es"])
def test_a_git_lfs_pointer_is_named(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"p{ending}"
    path.write_bytes(POINTER)
    with pytest.raises(DataError, match=f"p{ending}: is a Git LFS pointer, .*: git lfs pull$"):
        read_recording(path, StreamStats())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.xyz", b"", "a.xyz: unknown recording format; known are .bin, .bs2, .csv"),
        ("a.aedat", b"#!AER-DAT1.0\r\n", "is AEDAT 1.0; needs 2.0, 3.1 or 4.0"),
        ("a.aedat", b"nothing", "is AEDAT of no version; needs 2.0, 3.1 or 4.0"),
        ("a.aedat", b"#!AER-DAT9.9.9.9\r\n", "is AEDAT 9.9.9.9; needs"),
        ("a.raw", b"nothing", "has no header of its format; needs a RAW header with"),
        ("a.dat", b"nothing", "has no header of its format; needs a DAT header"),
        ("a.es", b"nothing", "has no header of its format; needs Event Stream version 2"),
        ("a.aedat4", b"nothing", "has no header of its format; needs AEDAT 4"),
        ("a.raw", b"\x89HDF\r\n\x1a\n", "is an HDF5 file; needs a recording: .bin"),
        ("a.csv", b"PK\x03\x04", "is a zip archive"),
    ],
)
def test_what_is_no_recording_is_rejected_at_once(
    name: str, data: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_recording(tmp_path / name, StreamStats())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.bin", b"", r"holds no events \(0 bytes, 0 malformed\); needs five bytes an event"),
        ("a.bin", b"abc", r"holds no events \(3 bytes, 1 malformed\); needs five bytes an event"),
        ("a.csv", b"a story\nof words\n", r", 2 malformed\); needs a line an event such as 't,x"),
        ("a.csv", b"t,x,y,p\n", r"holds no events \(8 bytes, 0 malformed\)"),
        ("a.txt", b"1,2,3\n" * 5, r"holds no events \(30 bytes, 5 malformed\)"),
        (
            "a.aedat",
            b"#!AER-DAT2.0\r\n",
            r"holds no events \(14 bytes, 0 malformed\); needs AEDAT 2.0",
        ),
        ("a.aedat", b"#!AER-DAT3.1\r\n#!END-HEADER\r\n", "holds no events .28 bytes"),
        ("a.aedat4", b"#!AER-DAT4.0\r\n", "has no end of its header; needs AEDAT 4"),
        ("a.raw", b"% evt 3.0\n% end\n", "holds no events .16 bytes"),
        ("a.dat", b"% Version 2\n\x0c\x08", "holds no events .14 bytes"),
        ("a.es", b"Event Stream\x02\x00\x00\x01\x09\x00\x09\x00", "holds no events .20 bytes"),
    ],
)
def test_a_recording_without_events_is_rejected_with_the_expected_form(
    name: str, data: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as rejection:
        list(read_recording(path, StreamStats()))
    assert str(rejection.value).startswith(f"{path}: ") and "\n" not in str(rejection.value)


@pytest.mark.parametrize(
    ("height", "times"), [(None, [5, 8199]), (240, [5, 8199]), (241, [5, 6, 7])]
)
def test_row_240_is_an_event_of_a_sensor_with_more_rows(
    height: int | None, times: list[int], tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(aer40([(1, 1, 1, 5), (0, 240, 0, 6), (1, 1, 1, 7)]))
    chunks = list(read_recording(tmp_path / "a.bin", StreamStats(), height))
    assert [t for chunk in chunks for t in chunk.t.tolist()] == times


def test_absent_files_folders_and_pipes_are_rejected(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "folder.bin").mkdir()
    for name, message in (
        ("none.bin", "no such file"),
        ("pipe.bin", "is no regular file"),
        ("folder.bin", "is no regular file"),
        ("a\0b.bin", "cannot be read|no such file"),
        ("a" * 300 + ".bin", "cannot be read|no such file"),
    ):
        with pytest.raises(DataError, match=message):
            read_recording(tmp_path / name, StreamStats())
