"""Results of benchmarks as JSON, from which the tables of the documentation are rendered.

Every script of `bench/` takes `--json FILE` and writes one document: what ran, when, on which
machine, with which versions, and its tables. The documents in `docs/benchmarks/` are rendered into
the pages by `docs/_ext/benchmark_tables.py`.
"""

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pumice.runtime.files import atomic_write
from pumice.runtime.host_timing import cpu_name
from pumice.runtime.verify import package_versions

VERDICTS = ("reproduced", "not reproduced", "not testable")
PACKAGES = ("pumice", "numpy", "torch", "onnxruntime", "spikingjelly", "snntorch", "lava-nc",
            "lava-dl")  # fmt: skip
MEASURED = "measured"
Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table. Numbers are rendered with three digits or more, text as it is.

    Raises:
        ValueError: A row has another number of cells than there are columns.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __post_init__(self) -> None:
        """Compare the length of each row with the number of columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"table {self.title!r}: a row has {len(row)} cells for "
                    f"{len(self.columns)} columns: {list(row)}"
                )


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and what was found here.

    `figure` holds the published and the measured value, `regime` the data, size and seeds of the
    experiment.

    Raises:
        ValueError: The verdict is none of `VERDICTS`.
    """

    paper: str
    claim: str
    verdict: str
    figure: str
    regime: str

    def __post_init__(self) -> None:
        """Look up the verdict."""
        if self.verdict not in VERDICTS:
            raise ValueError(f"claim {self.claim!r}: verdict {self.verdict!r}, of {VERDICTS}")


@dataclass(frozen=True)
class Figure:
    """An image beside the document, and its caption."""

    file: str
    caption: str


@dataclass(frozen=True)
class Result:
    """All that one run of a benchmark reports.

    Attributes:
        bench: Name of the script, without `bench.`.
        command: The command that ran.
        date: Day in ISO format, UTC.
        machine: Processor, number of cores, memory and system; "accelerator" where one was used.
        versions: Versions by package, and of Python.
        tables: Tables.
        claims: Claims of papers.
        figures: Images.
        provenance: `measured`, or where the figures were transcribed from.
    """

    bench: str
    command: str
    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    tables: Sequence[Table]
    claims: Sequence[Claim] = ()
    figures: Sequence[Figure] = ()
    provenance: str = MEASURED


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--json FILE` to the parser of a benchmark."""
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the tables, with the run's settings"
    )


def write_result(
    path: Path | None,
    bench: str,
    tables: Iterable[Table],
    claims: Iterable[Claim] = (),
    figures: Iterable[Figure] = (),
    accelerator: str = "",
) -> None:
    """Write the result of this run to `path`, whole or not at all; does nothing without a path."""
    if path is None:
        return
    result = Result(
        bench,
        format_command(bench, sys.argv[1:]),
        datetime.now(UTC).date().isoformat(),
        describe_machine() | ({"accelerator": accelerator} if accelerator else {}),
        {"python": platform.python_version(), **package_versions(PACKAGES)},
        tuple(tables),
        tuple(claims),
        tuple(figures),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        text = json.dumps(asdict(result), indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_result(path: Path) -> Result:
    """Read a document.

    Raises:
        ValueError: The document has other keys, a row of another length or an unknown verdict.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    try:
        document["tables"] = [Table(**each) for each in document["tables"]]
        document["claims"] = [Claim(**each) for each in document.get("claims", ())]
        document["figures"] = [Figure(**each) for each in document.get("figures", ())]
        return Result(**document)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def print_table(table: Table) -> None:
    """Print a table in Markdown."""
    print(f"\n{format_table(table)}", flush=True)


def format_table(table: Table) -> str:
    """Format a table in Markdown: title, rows and note."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    rows = "\n".join(f"| {' | '.join(format_cell(cell) for cell in line)} |" for line in lines)
    title = f"**{table.title}**" if table.title else ""
    return "\n\n".join(part for part in (title, rows, table.note) if part)


def format_cell(value: Cell) -> str:
    """Format a cell: numbers with separators and three digits or more, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        digits = next((n for n in range(6) if abs(value) * 10**n >= 100), 6) if value else 0
        return f"{value:,.{digits}f}"
    if isinstance(value, int):
        return f"{value:,}"
    return " ".join(value.split()).replace("|", "\\|").replace(" ± ", "\u00a0±\u00a0")


def format_command(bench: str, arguments: Sequence[str]) -> str:
    """Format the command without `--json`, and absolute paths as their last part."""
    words, given = ["python", "-m", f"bench.{bench}"], iter(arguments)
    for word in given:
        if word == "--json":
            next(given, None)
        elif not word.startswith("--json="):
            words.append(Path(word).name if Path(word).is_absolute() else word)
    return shlex.join(words)


def describe_machine() -> dict[str, Any]:
    """Describe this machine: processor, cores that this process may use, memory and system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
    }
