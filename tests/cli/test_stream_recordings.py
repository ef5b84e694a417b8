"""`pumice stream` on recordings of every format, and on files that are none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, pumice
from event_bytes import (
    Rows,
    aedat2_dvs128,
    aedat3,
    aedat4,
    aedat4_header,
    aer40,
    dat,
    event_stream,
    evt2,
    evt3,
    evt21,
    text,
)

BIN_US = 10_000
OPTIONS = ("--steps", 5, "--every-step", "--no-real-time", "--sensor", "6x6")
NOT_UTF8 = aedat4_header(["EVTS"]).replace(b"DAVIS346_1", b"Cam\xe9\xff\xda    ")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"


def third_sample() -> Rows:
    """Events of the third sample, the first at time 0."""
    step, p, y, x = np.nonzero(EVENTS[:, 2])
    return list(zip(x.tolist(), y.tolist(), p.tolist(), (step * BIN_US).tolist(), strict=True))


@pytest.fixture
def expected(network: Path, tmp_path: Path) -> str:
    path = tmp_path / "third.bin"
    path.write_bytes(aer40(third_sample()))
    return without_times(pumice("stream", network, path, *OPTIONS).out)


def without_times(lines: str) -> str:
    """Predictions without the time that each took."""
    return "\n".join(
        json.dumps({k: v for k, v in json.loads(line).items() if k != "milliseconds"})
        for line in lines.splitlines()
    )


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("a.csv", text),
        ("a.txt", lambda rows: text(rows, "xypt", " ")),
        ("a.aedat", aedat2_dvs128),
        ("a.aedat", aedat3),
        ("a.aedat", aedat4),
        ("a.aedat4", aedat4),
        ("a.raw", evt2),
        ("a.raw", evt21),
        ("a.raw", evt3),
        ("a.dat", lambda rows: dat(rows, 0)),
        ("a.es", event_stream),
    ],
)
def test_every_format_gives_the_same_predictions(
    name: str, encode: Callable[[Rows], bytes], network: Path, expected: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(encode(third_sample()))
    result = pumice("stream", network, tmp_path / name, *OPTIONS)
    assert result.status == 0 and expected
    assert without_times(result.out) == expected
    assert json.loads(result.err)["malformed"] == 0


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.bin", POINTER, "is a Git LFS pointer, not the recording; run: git lfs pull"),
        ("a.csv", POINTER, "is a Git LFS pointer, not the recording; run: git lfs pull"),
        ("a.csv", b"a story\nof words\n", "holds no events (17 bytes, 2 malformed); needs a line"),
        ("a.bin", b"", "holds no events (0 bytes, 0 malformed); needs five bytes an event"),
        ("a.aedat", b"#!AER-DAT2.0\r\n" + b"\x10" * 80, "names no chip, but its addresses"),
        ("a.aedat4", NOT_UTF8, "holds no events"),
        ("a.aedat4", b"#!AER-DAT4.0\r\n" + b"\xff" * 99, "has a header of 4294967295 bytes"),
        ("a.raw", b"% evt 2.1\n% end\n\x00\x01", "holds no events (18 bytes, 1 malformed)"),
        ("a.dat", b"% Version 2\n\x0e\x08" + bytes(80), "holds events of type 0x0E"),
        ("a.es", b"Event Stream\x02\x00\x00\x04" + bytes(80), "holds color events"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_recording_ends_with_one_line_and_status_2(
    name: str, data: bytes, message: str, network: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    for option in ("--no-real-time", "--every-step"):
        result = pumice("stream", network, tmp_path / name, option)
        errors = [line for line in result.err.splitlines() if not line.startswith("{")]
        assert result.status == 2 and not result.out
        assert len(errors) == 1 and f"{name}: {message}" in errors[0], result.err
