"""Whatever happens to a run: its error is told, and nothing of it stays behind."""

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
# Makes `fail` what the neurons do in Lava's processes: before they send, so others wait for them.
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
    """Give a function that makes every neuron do the Python statement it is given."""

    def sabotage(statement: str) -> None:
        code = SABOTAGE.format(statement)
        (tmp_path / "sitecustomize.py").write_text(code, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    return sabotage


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder for temporary files, and see that each test leaves it and all else empty."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    blocks = unused_blocks()
    yield folder
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []
    assert unused_blocks() <= blocks


def processes_of(folder: Path) -> list[int]:
    """Processes that were started with a path in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:  # it ended
            continue
    return found


def unused_blocks() -> set[str]:
    """Names of shared memory that no process holds."""
    held = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            held |= set(re.findall(r"/dev/shm/(\S+)", maps.read_text(encoding="utf-8")))
        except OSError:
            continue
    return set(os.listdir("/dev/shm")) - held


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, half a minute at most."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited half a minute in vain"
        time.sleep(0.05)


def test_a_whole_run_leaves_nothing() -> None:
    assert run(NETWORK, EVENTS).spikes["next"].all()


def test_a_model_that_raises_says_which_and_why(sabotage: Callable[[str], None]) -> None:
    sabotage("raise ValueError('the voltage\\nis gone')")
    with pytest.raises(EngineError) as caught:
        run(NETWORK, EVENTS)
    assert re.fullmatch(r"lava: (cell|next): ValueError: the voltage is gone", str(caught.value))


def test_a_process_that_is_killed_is_missed(sabotage: Callable[[str], None]) -> None:
    sabotage("os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(EngineError, match="its process ended with status -9"):
        run(NETWORK, EVENTS)


def test_a_run_that_hangs_ends_in_time(sabotage: Callable[[str], None]) -> None:
    sabotage("time.sleep(1000)")
    start = time.monotonic()
    with pytest.raises(EngineError, match="lava: no end after 5 s; raise the time limit"):
        run(NETWORK, EVENTS, timeout=5)
    assert time.monotonic() - start < 20


def test_python_that_cannot_start_shows_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('numpy is broken')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(EngineError, match="^lava: RuntimeError: numpy is broken$"):
        run(NETWORK, EVENTS)


def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(EngineError, match="^lava: .*/nowhere/.*; fix this and run again$"):
        run(NETWORK, EVENTS)


@pytest.fixture
def hanging(
    sabotage: Callable[[str], None], tmp_path: Path, scratch: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Give a program that waits for a run of Lava that hangs."""
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


def test_an_interrupt_ends_a_run_at_once(hanging: subprocess.Popen[bytes]) -> None:
    hanging.send_signal(signal.SIGINT)
    _, said = hanging.communicate(timeout=30)
    assert said.decode().strip().endswith("KeyboardInterrupt")


def test_a_killed_parent_takes_the_run_along(
    hanging: subprocess.Popen[bytes], scratch: Path
) -> None:
    hanging.kill()
    until(lambda: processes_of(scratch) == [])
    for left in scratch.iterdir():  # nobody was there to remove it
        shutil.rmtree(left)
