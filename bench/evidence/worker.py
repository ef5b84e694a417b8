"""One cell in a process of its own: `python -m bench.evidence.worker JOB.json`."""

import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path

from bench.evidence.cells import (
    DONE,
    FAILED,
    Cell,
    CellResult,
    Context,
    code_digest,
    write_cell_result,
)
from bench.evidence.parts import load_part

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}


def write_job(file: Path, cell: Cell, context: Context, output: Path, max_seconds: float) -> None:
    """Write what `main` reads."""
    job = {
        "cell": {
            "part": cell.part,
            "name": cell.name,
            "settings": cell.settings,
            "seed": cell.seed,
        },
        "data": os.fspath(context.data),
        "quick": context.quick,
        "scratch": os.fspath(context.scratch),
        "output": os.fspath(output),
        "max_seconds": max_seconds,
    }
    file.write_text(json.dumps(job), encoding="utf-8")


def main(file: Path) -> None:
    """Measure the cell of a job, and write its result, also where it fails."""
    job = json.loads(file.read_text(encoding="utf-8"))
    limit = int(job["max_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 30))
    cell = Cell(**job["cell"])
    context = Context(Path(job["data"]), job["quick"], Path(job["scratch"]))
    part = load_part(cell.part)
    code = code_digest(tuple(part.sources))
    start = time.process_time()
    try:
        values = part.measure(cell, context)
    except Exception as error:
        traceback.print_exc()
        reason = (str(error).splitlines() or [""])[0]
        result = CellResult(cell, code, FAILED, error=f"{type(error).__name__}: {reason}")
    else:
        result = CellResult(cell, code, DONE, values, seconds=round(time.process_time() - start, 1))
    write_cell_result(Path(job["output"]), result)
    sys.exit(result.status != DONE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
