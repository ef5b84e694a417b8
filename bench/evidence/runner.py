"""Run cells, each in a process of its own with one thread, and keep what is done."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.evidence.cells import (
    DONE,
    FAILED,
    ROOT,
    Cell,
    CellResult,
    Context,
    Part,
    code_digest,
    read_cell_result,
    write_cell_result,
)
from bench.evidence.worker import ONE_THREAD, write_job

POLL_SECONDS = 0.1
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)  # what people end processes by
GRACE = 12  # wall-clock time allowed for each second of processor time


@dataclass(frozen=True)
class RunOptions:
    """Settings of a run of cells.

    Attributes:
        jobs: Number of processes.
        max_seconds: Processor time of a cell, after which it fails.
        max_hours: Time after which no further cell starts.
        retry: Whether to measure failed cells again.
        any_version: Whether to keep results of other versions of the code.
        match: Text in the names of the cells that are measured; "" for all.
    """

    jobs: int = 2
    max_seconds: float = 20 * 60
    max_hours: float = 10.0
    retry: bool = False
    any_version: bool = False
    match: str = ""


@dataclass
class _Process:
    """A running cell."""

    cell: Cell
    part: Part
    process: subprocess.Popen[bytes]
    log: Path
    start: float = field(default_factory=time.monotonic)


def list_all_cells(part: Part, context: Context, folder: Path) -> list[Cell]:
    """Cells of a part, of each stage whose earlier stages are measured."""
    results: dict[str, CellResult] = {}
    while True:
        cells = list(part.list_cells(context, results))
        found = {cell.key: read_cell_result(folder, cell) for cell in cells}
        known = {key: result for key, result in found.items() if result}
        if known.keys() == results.keys():
            return cells
        results = known


def read_results(part: Part, context: Context, folder: Path) -> list[CellResult]:
    """Results of a part so far, in the order of its cells."""
    cells = list_all_cells(part, context, folder)
    return [result for cell in cells if (result := read_cell_result(folder, cell))]


def run_parts(parts: Sequence[Part], context: Context, folder: Path, options: RunOptions) -> None:
    """Measure the cells of all parts that are missing, stage by stage."""
    deadline = time.monotonic() + 3600 * options.max_hours
    tried: set[str] = set()
    while time.monotonic() < deadline:
        pending = deque(
            (part, cell)
            for part in parts
            for cell in list_all_cells(part, context, folder)
            if cell.key not in tried
            and options.match in str(cell)
            and _is_missing(part, cell, folder, options)
        )
        if not pending:
            return
        tried |= {cell.key for _, cell in pending}
        _run_cells(pending, context, folder, options, deadline)


def _is_missing(part: Part, cell: Cell, folder: Path, options: RunOptions) -> bool:
    result = read_cell_result(folder, cell)
    if result is None:
        return True
    if result.status == FAILED and options.retry:
        return True
    return not options.any_version and result.code != code_digest(tuple(part.sources))


def _run_cells(
    pending: deque[tuple[Part, Cell]],
    context: Context,
    folder: Path,
    options: RunOptions,
    deadline: float,
) -> None:
    running: list[_Process] = []
    total, done = len(pending), 0
    with _stop_all(running), tempfile.TemporaryDirectory(prefix="pumice-evidence-") as jobs:
        while running or (pending and time.monotonic() < deadline):
            while pending and len(running) < options.jobs and time.monotonic() < deadline:
                part, cell = pending.popleft()
                running.append(_start(part, cell, context, folder, options, Path(jobs)))
            time.sleep(POLL_SECONDS)
            for each in [one for one in running if _has_ended(one, options)]:
                running.remove(each)
                done += 1
                print(f"{done} of {total}: {_conclude(each, folder, options)}", flush=True)


def _start(
    part: Part, cell: Cell, context: Context, folder: Path, options: RunOptions, jobs: Path
) -> _Process:
    job = jobs / f"{cell.key}.json"
    write_job(job, cell, context, folder, options.max_seconds)
    log = folder / "logs" / cell.part / f"{cell.key}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.evidence.worker", os.fspath(job)],
            env={**os.environ, **ONE_THREAD},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return _Process(cell, part, process, log)


def _has_ended(running: _Process, options: RunOptions) -> bool:
    if running.process.poll() is not None:
        return True
    if _is_late(running, options):
        running.process.kill()
        running.process.wait()
        return True
    return False


def _is_late(running: _Process, options: RunOptions) -> bool:
    return time.monotonic() - running.start > GRACE * options.max_seconds


def _conclude(ended: _Process, folder: Path, options: RunOptions) -> str:
    """Describe a cell that ended; where it left no result, write that it failed.

    A cell that somebody stopped is still missing.
    """
    code, cell = ended.process.returncode, ended.cell
    result = read_cell_result(folder, cell)
    current = code_digest(tuple(ended.part.sources))
    if code == 0 and result and result.status == DONE:
        return f"{cell}: {result.seconds:.0f} s"
    late = code == -signal.SIGXCPU or _is_late(ended, options)
    if -code in STOPPING and not late:
        return f"{cell}: was stopped by signal {-code}; the next run measures it"
    if code != 1 or result is None or result.code != current:
        reason = "took longer than a cell may" if late else f"ended with status {code}"
        result = CellResult(cell, current, FAILED, error=reason)
        write_cell_result(folder, result)
    return f"{cell}: failed, {result.error}; see {ended.log}"


@contextmanager
def _stop_all(running: list[_Process]) -> Iterator[None]:
    """Stop the cells that still run where the block is left early, by SIGTERM too."""

    def leave(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        for each in running:
            each.process.terminate()
            each.process.wait()
