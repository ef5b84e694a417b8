"""Evidence for the methods of four papers, measured on real data: `python -m bench.evidence`.

Each part (low timesteps, ...) is a list of cells: settings and a seed, measured in a process of
their own with one thread, for at most 20 minutes. The result of a cell is a file, and a run that is
killed, or runs out of its `--hours`, continues from there. A cell is measured again when the code
that decides it was changed. Then each part writes its tables, and one row for each claim of the
papers, to `PART.json` in the output folder, for the documentation.

One protocol: settings are chosen on validation samples, and test samples are read once; all cells
of a comparison train for the same number of samples; differences are paired over seeds and test
samples and have 95 % confidence intervals (`bench/evidence/statistics.py`); cells that failed are
listed.

The data are those of `../shared/data`, or of PUMICE_TEST_DATA; parts of datasets that are missing
are left out.
"""

import argparse
import os
from pathlib import Path

from bench.evidence.cells import DONE, CellResult, Context, Part, code_digest
from bench.evidence.parts import MODULES, load_parts
from bench.evidence.runner import RunOptions, list_all_cells, read_results, run_parts
from bench.results import Cell, Table, print_table, write_result
from pumice.train.engine.run_folder import lock_run


def main() -> None:
    """Measure the missing cells, and report all."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.evidence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="run all code in less than a minute")
    parser.add_argument("--only", nargs="+", choices=MODULES, default=[], metavar="PART",
                        help=f"parts to measure: {', '.join(MODULES)}")  # fmt: skip
    parser.add_argument("--match", default="", metavar="TEXT",
                        help="measure only the cells with this in their name")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=2, help="parallel processes (default 2)")
    parser.add_argument("--hours", type=float, default=10.0,
                        help="start no further cell after so many hours (default 10)")  # fmt: skip
    parser.add_argument("--retry", action="store_true", help="measure failed cells again")
    parser.add_argument("--any-version", action="store_true",
                        help="keep results of other versions of the code")  # fmt: skip
    parser.add_argument("--report", action="store_true", help="report alone, measure nothing")
    parser.add_argument("-o", "--output", type=Path, default=Path("bench/evidence/results"),
                        help="folder of the results (default bench/evidence/results)")  # fmt: skip
    arguments = parser.parse_args()
    data = Path(os.environ.get("PUMICE_TEST_DATA", "../shared/data"))
    if not data.is_dir():
        parser.error(f"{data}: no such folder; set PUMICE_TEST_DATA to that of the datasets")
    folder = arguments.output / "quick" if arguments.quick else arguments.output
    context = Context(data.resolve(), arguments.quick, folder.resolve() / "scratch")
    parts = load_parts(arguments.only)
    if not arguments.report:
        options = RunOptions(
            max(arguments.jobs, 1),
            max_hours=arguments.hours,
            retry=arguments.retry,
            any_version=arguments.any_version,
            match=arguments.match,
        )
        with lock_run(folder):
            context.scratch.mkdir(exist_ok=True)
            run_parts(parts, context, folder.resolve(), options)
    for part in parts:
        report_part(part, context, folder.resolve())


def report_part(part: Part, context: Context, folder: Path) -> None:
    """Print the tables of a part, and write its document."""
    cells = list_all_cells(part, context, folder)
    results = read_results(part, context, folder)
    if not results:
        print(f"\n{part.name}: nothing is measured")
        return
    page = part.report(results, folder)
    tables = [*page.tables, *list_failures(results), describe_cells(part, len(cells), results)]
    for table in tables:
        print_table(table)
    document = folder / f"{part.name}.json"
    write_result(document, "evidence", tables, page.claims, page.figures)
    print(f"\n{document}")


def list_failures(results: list[CellResult]) -> list[Table]:
    """Table of the cells that failed; none where none did."""
    failed = [result for result in results if result.status != DONE]
    rows: list[list[Cell]] = [[r.cell.name, r.cell.seed, r.error] for r in failed]
    return [Table("Cells that failed", ("cell", "seed", "reason"), rows)] if rows else []


def describe_cells(part: Part, total: int, results: list[CellResult]) -> Table:
    """Table of how many cells were measured, and how long they took."""
    done = [result for result in results if result.status == DONE]
    current = code_digest(tuple(part.sources))
    older = sum(result.code != current for result in done)
    hours = sum(result.seconds for result in done) / 3600
    longest = max((result.seconds for result in done), default=0.0) / 60
    columns = ("cells", "measured", "by an earlier version of the code", "failed",
               "processor time, hours", "longest cell, minutes")  # fmt: skip
    row: list[Cell] = [
        total,
        len(done),
        older,
        len(results) - len(done),
        round(hours, 2),
        round(longest, 1),
    ]
    return Table("Cells", columns, [row], "Each cell ran in a process of its own with one thread.")


if __name__ == "__main__":
    main()
