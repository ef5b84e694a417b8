"""`pumice stream`: predictions equal those of a run, and the statistics count all events."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, NETWORK, pumice

from pumice.runtime import logits_over_time
from pumice.runtime.engines import reference

BIN_US = 10_000
COMMAND = "import sys; from pumice.cli import main; main()"


def encode_events(frames: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    """Encode `frames` (timesteps, 2, 6, 6) as five bytes per event, the first at time 0."""
    step, p, y, x = np.nonzero(frames)
    t = step * BIN_US
    assert step[0] == 0
    columns = (x, y, p << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF)
    return np.stack(columns, 1).astype(np.uint8).tobytes()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """The third sample as a recording, with three stray bytes at its end."""
    path = tmp_path / "third.bin"
    path.write_bytes(encode_events(EVENTS[:, 2]) + b"cut")
    return path


def expected_classes() -> list[int]:
    logits = logits_over_time(NETWORK, reference.run(NETWORK, EVENTS[:, 2:3]))
    classes: list[int] = logits[:, 0].argmax(1).tolist()
    return classes


def test_predictions_equal_a_run_and_the_statistics_count_all_events(
    network: Path, recording: Path
) -> None:
    options = ("--steps", 5, "--every-step", "--no-real-time", "--repeat", 3)
    result = pumice("stream", network, recording, *options)
    lines = [json.loads(line) for line in result.out.splitlines()]
    stats = json.loads(result.err)
    assert result.status == 0
    assert [line["class_index"] for line in lines] == 3 * expected_classes()
    assert [line["step"] for line in lines] == 3 * [1, 2, 3, 4, 5]
    assert stats["events"] == 3 * int(EVENTS[:, 2].sum()) and stats["malformed"] == 3
    assert (stats["time_bins"], stats["predictions"], stats["dropped_events"]) == (15, 15, 0)


def test_a_recording_in_real_time_gives_the_same_prediction(network: Path, recording: Path) -> None:
    result = pumice("stream", network, recording, "--steps", 5)
    assert json.loads(result.out)["class_index"] == expected_classes()[-1]


def test_standard_input_gives_the_same_prediction(
    network: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(recording.read_bytes())))
    result = pumice("stream", network, "-", "--steps", 5)
    assert json.loads(result.out)["class_index"] == expected_classes()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("nowhere.bin",), "nowhere.bin: no such file"),
        (("tcp://8.8.8.8:80",), "tcp://8.8.8.8:80: is not an address of this host"),
        (("-", "--sensor", "six"), "--sensor six: needs the form 128x96"),
        (("-", "--sensor", "9x9"), "a sensor of 9 x 9"),
    ],
)
def test_an_unusable_source_is_an_error_of_one_line(
    network: Path, options: tuple[str, ...], message: str
) -> None:
    result = pumice("stream", network, *options)
    assert result.status == 2 and message in result.err and result.out == ""


def test_ctrl_c_ends_the_stream_with_statistics(network: Path, recording: Path) -> None:
    options = ("--repeat", "0", "--every-step")
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "stream", network, recording, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env=os.environ,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(err.splitlines()[0])["time_bins"] >= 1 and "Traceback" not in err
