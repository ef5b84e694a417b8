"""Failing runs: the error is reported, and neither processes nor files remain."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pumice.deploy.lava import run
from pumice.runtime import Dense, Network, Population, Projection, write_network
from pumice.runtime.errors import EngineError

pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc, so Linux only"),
]

ONE = Dense(np.full((1, 1), 100))
NETWORK = Network(
    (Population("input", (1,), kind="input"), Population("cell", (1,)), Population("next", (1,))),
    (Projection("first", "input", "cell", ONE), Projection("second", "cell", "next", ONE)),
)
EVENTS = np.ones((4, 1, 1), np.uint8)
# Makes the neurons of Lava's processes call `fail` before they send, so that others wait for them.
SABOTAGE = """
import pumice.runtime.lava_compat as module

original = module.patch_lava

def patch_lava():
    original()
    from pumice.deploy.lava.models.recording_lif import PyRecordingLifModel
    PyRecordingLifModel.spiking_activation = fail

module.patch_lava = patch_lava

def fail(model):
    import os, signal, time
    {}
"""


@pytest.fixture
def sabotage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that makes every neuron execute a Python statement."""

    def sabotage(statement: str) -> None:
        code = SABOTAGE.format(statement)
        (tmp_path / "sitecustomize.py").write_text(code, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    return sabotage


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder for temporary files; checks that each test leaves it empty, and no process."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    blocks = unused_blocks()
    yield folder
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []
    assert unused_blocks() <= blocks


def processes_of(folder: Path) -> list[int]:
    """Ids of processes that were started with a path in `folder`."""
    ids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes():
                ids.append(int(process.name))
        except OSError:  # it ended
            continue
    return ids


def unused_blocks() -> set[str]:
    """Names of shared memory blocks that no process maps."""
    mapped = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            mapped |= set(re.findall(r"/dev/shm/(\S+)", maps.read_text(encoding="utf-8")))
        except OSError:
            continue
    return set(os.listdir("/dev/shm")) - mapped


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, for half a minute at most."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "condition not met in half a minute"
        time.sleep(0.05)


def test_a_completed_run_leaves_nothing() -> None:
    assert run(NETWORK, EVENTS).spikes["next"].all()


def test_an_exception_of_a_model_is_reported_with_its_process(
    sabotage: Callable[[str], None],
) -> None:
    sabotage("raise ValueError('the voltage\\nis gone')")
    with pytest.raises(EngineError) as caught:
        run(NETWORK, EVENTS)
    assert re.fullmatch(r"lava: (cell|next): ValueError: the voltage is gone", str(caught.value))


def test_a_killed_process_raises(sabotage: Callable[[str], None]) -> None:
    sabotage("os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(EngineError, match="its process ended with status -9"):
        run(NETWORK, EVENTS)


def test_a_hanging_run_times_out(sabotage: Callable[[str], None]) -> None:
    sabotage("time.sleep(1000)")
    start = time.monotonic()
    with pytest.raises(EngineError, match="lava: no end after 5 s; raise the time limit"):
        run(NETWORK, EVENTS, timeout=5)
    assert time.monotonic() - start < 20


def test_an_interpreter_that_fails_to_start_reports_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('numpy is broken')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(EngineError, match="^lava: RuntimeError: numpy is broken$"):
        run(NETWORK, EVENTS)


def test_an_unwritable_folder_raises_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(EngineError, match="^lava: .*/nowhere/.*; fix this and run again$"):
        run(NETWORK, EVENTS)


@pytest.fixture
def hanging(
    sabotage: Callable[[str], None], tmp_path: Path, scratch: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that waits for a hanging run of Lava."""
    write_network(tmp_path / "n.pumice", NETWORK)
    sabotage("time.sleep(1000)")
    code = (
        "import numpy, signal, sys, tempfile\nfrom pumice.deploy.lava import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # may be off where tests run
        "from pumice.runtime import read_network\ntempfile.tempdir = sys.argv[2]\n"
        "run(read_network(sys.argv[1]), numpy.ones((4, 1, 1), numpy.uint8))"
    )
    arguments = [sys.executable, "-P", "-c", code, str(tmp_path / "n.pumice"), str(scratch)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE)
    try:
        until(lambda: len(processes_of(scratch)) > 4)
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_an_interrupt_ends_a_run_immediately(hanging: subprocess.Popen[bytes]) -> None:
    hanging.send_signal(signal.SIGINT)
    _, output = hanging.communicate(timeout=30)
    assert output.decode().strip().endswith("KeyboardInterrupt")


def test_killing_the_parent_ends_the_run(hanging: subprocess.Popen[bytes], scratch: Path) -> None:
    hanging.kill()
    until(lambda: processes_of(scratch) == [])
    for left in scratch.iterdir():  # the killed process could not remove it
        shutil.rmtree(left)
