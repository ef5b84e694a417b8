"""Output formats of the verbs: one JSON document, or tables; progress goes to standard error."""

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import typer

MAX_COLUMNS = 60  # characters of a table


def print_json(document: Mapping[str, Any]) -> None:
    """Print `document` as JSON on standard output."""
    typer.echo(json.dumps(_finite(document), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    """Copy plain values with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values in two columns; a terminal narrower than a line wraps the values."""
    width = max(map(len, facts))
    columns = max(shutil.get_terminal_size((1000, 24)).columns, width + 20)
    for name, value in facts.items():
        line = f"{name:<{width}}  {value}"
        if len(line) > columns:
            line = textwrap.fill(line, columns, subsequent_indent=" " * (width + 2))
        typer.echo(line)


def print_list(entries: Mapping[str, str], indent: str = "") -> None:
    """Print names and descriptions in two columns, wrapped to the width of the terminal."""
    width = min(80, shutil.get_terminal_size().columns)
    first = max(map(len, entries))
    for name, text in entries.items():
        start = f"{indent}{name:<{first}}  "
        typer.echo(textwrap.fill(start + text, width, subsequent_indent=" " * len(start)))


def print_progress(message: str) -> None:
    """Print one line on standard error."""
    typer.echo(message, err=True)


def print_warning(message: str) -> None:
    """Print a warning as one line on standard error."""
    typer.echo(f"pumice: warning: {message}", err=True)


def format_percent(fraction: float) -> str:
    """Format a fraction between 0 and 1 as percent with one decimal."""
    return f"{100 * fraction:.1f} %"


def format_mean(mean: float, deviation: float | None) -> str:
    """Format a mean fraction and its standard deviation as percent."""
    spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
    return f"{100 * mean:.1f}{spread} %"


def accuracy_facts(accuracy: Sequence[float]) -> dict[str, str]:
    """Format the accuracy after the last timestep and after each timestep."""
    curve = " ".join(f"{100 * fraction:.1f}" for fraction in accuracy)
    return {"accuracy": format_percent(accuracy[-1]), "by timestep": f"{curve} %"}


def print_accuracy(curves: Mapping[str, Sequence[float]]) -> None:
    """Print the accuracy of each curve at T = 1, 2, ..., eight timesteps a line."""
    width = max(map(len, ("accuracy", *curves)))
    steps = len(next(iter(curves.values())))
    for start in range(0, steps, 8):
        part = range(start, min(start + 8, steps))
        cells = (f"T={step + 1}" for step in part)
        typer.echo(f"{'accuracy':<{width}}" + "".join(f"{cell:>6}" for cell in cells))
        for name, values in curves.items():
            percent = "".join(f"{100 * values[step]:6.1f}" for step in part)
            typer.echo(f"{name:<{width}}{percent} %")


def print_errors(curves: Mapping[str, Sequence[float]]) -> None:
    """Print the mean absolute error of each curve at T = 1, 2, ..., eight timesteps a line."""
    width = max(map(len, ("mean absolute error", *curves)))
    steps = len(next(iter(curves.values())))
    for start in range(0, steps, 8):
        part = range(start, min(start + 8, steps))
        typer.echo(
            f"{'mean absolute error':<{width}}" + "".join(f"{f'T={k + 1}':>9}" for k in part)
        )
        for name, values in curves.items():
            cells = "".join(f"{format_error(values[step]):>9}" for step in part)
            typer.echo(f"{name:<{width}}{cells}")


def format_error(value: float) -> str:
    """Format an error of a regression to four significant digits."""
    return f"{value:.4g}"


def error_facts(mae: Sequence[float], rmse: Sequence[float]) -> dict[str, str]:
    """Format the errors of a regression after the last timestep and after each timestep."""
    curve = " ".join(map(format_error, mae))
    return {
        "mean absolute error": format_error(mae[-1]),
        "root mean squared error": format_error(rmse[-1]),
        "by timestep": curve,
    }


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int]) -> None:
    """Print a table that wraps long cells; `right` lists the columns aligned to the right."""
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
    """Print a table without wrapping; `right` lists the columns aligned to the right.

    Columns that do not fit 60 characters follow in further tables, which repeat the first column.
    """
    table = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, part in enumerate(_split_columns(widths)):
        if number:
            typer.echo()
        _print_part([[row[k] for k in part] for row in table], [k in right for k in part])


def _split_columns(widths: Sequence[int]) -> list[list[int]]:
    """Divide columns among tables of at most `MAX_COLUMNS` characters, all with the first one."""
    parts = [[0]]
    for column in range(1, len(widths)):
        used = sum(widths[k] + 2 for k in parts[-1])
        if used + widths[column] > MAX_COLUMNS and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(column)
    return parts


def _print_part(table: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, row in enumerate(table):
        cells = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())
        if number == 0:
            last = widths[-1] if right[-1] else len(table[0][-1])
            typer.echo("\u2500" * (sum(widths[:-1]) + 2 * len(widths) - 2 + last))


def print_text(text: str, indent: str = "") -> None:
    """Print a paragraph, wrapped to the width of the terminal; in a pipe it is one line."""
    width = shutil.get_terminal_size((1000, 24)).columns
    typer.echo(textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent))


def track_progress(steps: Sequence[int], label: str) -> Iterable[int]:
    """Yield `steps`, with a progress bar on standard error if it is a terminal."""
    if not sys.stderr.isatty():
        return steps
    from rich.console import Console
    from rich.progress import track

    return track(steps, label, console=Console(stderr=True), transient=True)


@contextmanager
def stdout_to_stderr() -> Iterator[bool]:
    """Redirect prints of libraries to standard error; yields whether that is a terminal."""
    with redirect_stdout(sys.stderr):
        yield sys.stderr.isatty()
