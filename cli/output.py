"""What is printed: one JSON document, or tables for people; progress on standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer


def print_json(document: Mapping[str, Any]) -> None:
    """Print `document` as JSON, the only thing on standard output."""
    typer.echo(json.dumps(document, indent=2))


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {value}")


def accuracy_facts(accuracy: Sequence[float]) -> dict[str, str]:
    """Return accuracy by timestep, 0 to 1, as facts to print: at the end, and on the way."""
    curve = " ".join(f"{100 * share:.1f}" for share in accuracy)
    return {"right": f"{100 * accuracy[-1]:.1f} %", "by timestep": f"{curve} %"}


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int]) -> None:
    """Print a table; the columns numbered in `right` are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def print_columns(
    header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()
) -> None:
    """Print a table whose lines are never folded, however long; also `right` as above."""
    table = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, row in enumerate(table):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())
        if number == 0:
            last = widths[-1] if len(widths) - 1 in right else len(header[-1])
            typer.echo("\u2500" * (sum(widths[:-1]) + 2 * len(widths) - 2 + last))


def progress(steps: Sequence[int], what: str) -> Iterable[int]:
    """Yield `steps`, with a bar on standard error where a person watches."""
    if not sys.stderr.isatty():
        return steps
    from rich.console import Console
    from rich.progress import track

    return track(steps, what, console=Console(stderr=True), transient=True)
