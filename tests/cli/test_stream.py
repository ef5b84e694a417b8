"""`pumice stream`: JSON lines that are what a run says, and an account of what was left out."""

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

WINDOW = 10_000  # microseconds
COMMAND = "import sys; from pumice.cli.app import main; main()"


def recorded(frames: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    """Five bytes for each event of `frames` (timesteps, 2, 6, 6), the first at time 0."""
    step, p, y, x = np.nonzero(frames)
    t = step * WINDOW
    assert step[0] == 0
    parts = (x, y, p << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF)
    return np.stack(parts, 1).astype(np.uint8).tobytes()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The third sample as a recording."""
    path = tmp_path / "third.bin"
    path.write_bytes(recorded(EVENTS[:, 2]) + b"cut")
    return path


def expected() -> list[int]:
    values = logits_over_time(NETWORK, reference.run(NETWORK, EVENTS[:, 2:3]))
    told: list[int] = values[:, 0].argmax(1).tolist()
    return told


def test_answers_are_those_of_a_run_and_the_account_balances(network: Path, file: Path) -> None:
    told = pumice("stream", network, file, "--steps", 5, "--each", "--full-speed", "--repeat", 3)
    lines = [json.loads(line) for line in told.out.splitlines()]
    counts = json.loads(told.err)
    assert told.status == 0
    assert [line["answer"] for line in lines] == 3 * expected()
    assert [line["step"] for line in lines] == 3 * [1, 2, 3, 4, 5]
    assert counts["events"] == 3 * int(EVENTS[:, 2].sum()) and counts["malformed"] == 3
    assert (counts["windows"], counts["answers"], counts["dropped"]) == (15, 15, 0)


def test_a_recording_at_its_own_speed_says_the_same(network: Path, file: Path) -> None:
    told = pumice("stream", network, file, "--steps", 5)
    assert json.loads(told.out)["answer"] == expected()[-1]


def test_standard_input_says_the_same(
    network: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    told = pumice("stream", network, "-", "--steps", 5)
    assert json.loads(told.out)["answer"] == expected()[-1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("nowhere.bin",), "nowhere.bin: no such file"),
        (("tcp://8.8.8.8:80",), "tcp://8.8.8.8:80: is not an address of this host"),
        (("-", "--sensor", "six"), "--sensor six: needs the form 128x96"),
        (("-", "--sensor", "9x9"), "a sensor of 9 x 9"),
    ],
)
def test_what_cannot_be_streamed_is_one_line(
    network: Path, options: tuple[str, ...], told: str
) -> None:
    answer = pumice("stream", network, *options)
    assert answer.status == 2 and told in answer.err and answer.out == ""


def test_ctrl_c_ends_it_with_the_account(network: Path, file: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "stream", network, file, "--repeat", "0", "--each"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env=os.environ,
    )
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert json.loads(err.splitlines()[0])["windows"] >= 1 and "Traceback" not in err
