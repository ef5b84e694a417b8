"""Cells of `bench.evidence`: what is measured, and the results on disk.

A cell is one measurement: settings, as plain values, and a seed. Its result is one JSON file,
written whole, whose name is the hash of both; it holds the digest of the code that decided it.
"""

import ast
import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.results import Claim, Figure, Table
from pumice.runtime.files import atomic_write

ROOT = Path(__file__).parents[2]
DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Cell:
    """One measurement.

    Attributes:
        part: Name of the part it belongs to.
        name: Name in messages; the result does not depend on it.
        settings: Plain values that decide the result, with the seed.
        seed: Seed.
    """

    part: str
    name: str
    settings: Mapping[str, Any]
    seed: int = 0

    @property
    def key(self) -> str:
        """Hash of part, settings and seed."""
        identity = [self.part, self.settings, self.seed]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.part}: {self.name}, seed {self.seed}"


@dataclass(frozen=True)
class CellResult:
    """Outcome of a cell: `values` where it is done, `error` where it failed.

    Attributes:
        cell: The cell.
        code: Digest of the code that decided the values, see `code_digest`.
        status: "done" or "failed".
        values: Results, plain values; `pack_bits` stores one bit per sample.
        error: Reason of the failure.
        seconds: Processor time.
    """

    cell: Cell
    code: str
    status: str
    values: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Context:
    """Folders and mode in which cells run.

    Attributes:
        data: Folder of the datasets.
        quick: Whether everything is made small, to run all code in less than a minute.
        scratch: Folder that cells share, such as for networks that others learn from.
    """

    data: Path
    quick: bool
    scratch: Path

    def has(self, folder: str) -> bool:
        """True where the dataset in `folder` is present."""
        return (self.data / folder).is_dir()


@dataclass(frozen=True)
class Page:
    """Report of a part, for the documentation."""

    tables: Sequence[Table]
    claims: Sequence[Claim] = ()
    figures: Sequence[Figure] = ()


Results = Mapping[str, CellResult]  # by key of the cell


@dataclass(frozen=True)
class Part:
    """A group of cells with one report.

    Attributes:
        name: Name, for `--only`.
        list_cells: Lists the cells, the most important first. It is called again when all are
            measured, with the results so far: settings that are chosen on validation samples come
            in a later stage.
        measure: Measures a cell in a process of its own, with one thread; returns plain values.
        report: Makes the page of the results; with `quick` or a part of the cells, too. It gets the
            folder where images go.
        sources: Patterns of the files, from the root, whose code decides the results.
    """

    name: str
    list_cells: Callable[[Context, Results], Sequence[Cell]]
    measure: Callable[[Cell, Context], dict[str, Any]]
    report: Callable[[Sequence[CellResult], Path], Page]
    sources: Sequence[str]


@cache
def code_digest(sources: tuple[str, ...]) -> str:
    """Hash of the syntax trees of Python files, without docstrings and comments.

    `sources` are patterns from the root of the repository. A change of wording or layout does not
    change it.

    Raises:
        ValueError: A pattern matches no file.
    """
    digest = hashlib.sha256()
    for pattern in sources:
        files = sorted(ROOT.glob(pattern))
        if not files:
            raise ValueError(f"{pattern}: matches no file below {ROOT}")
        for file in files:
            tree = _without_docstrings(ast.parse(file.read_text(encoding="utf-8")))
            digest.update(f"{file.relative_to(ROOT).as_posix()}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree


def read_cell_result(folder: Path, cell: Cell) -> CellResult | None:
    """Result of a cell; None where there is none, or its file is damaged."""
    try:
        document = json.loads(_result_file(folder, cell).read_text(encoding="utf-8"))
        stored = CellResult(**document)
    except (OSError, ValueError, TypeError):
        return None
    return CellResult(cell, stored.code, stored.status, stored.values, stored.error, stored.seconds)


def write_cell_result(folder: Path, result: CellResult) -> None:
    """Write the result of a cell, whole or not at all."""
    file = _result_file(folder, result.cell)
    file.parent.mkdir(parents=True, exist_ok=True)
    document = asdict(result)
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _result_file(folder: Path, cell: Cell) -> Path:
    return folder / "cells" / cell.part / f"{cell.key}.json"


def pack_bits(values: NDArray[np.bool_]) -> dict[str, Any]:
    """Store booleans of any shape as plain values, eight in a byte."""
    packed = base64.b64encode(np.packbits(values).tobytes()).decode()
    return {"bits": packed, "shape": list(values.shape)}


def unpack_bits(stored: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Booleans that `pack_bits` stored."""
    packed = np.frombuffer(base64.b64decode(stored["bits"]), np.uint8)
    count = int(np.prod(stored["shape"]))
    return np.unpackbits(packed, count=count).reshape(stored["shape"]).astype(bool)


def group_by_name(results: Iterable[CellResult]) -> dict[str, list[CellResult]]:
    """Finished results by the name of their cell, in order, each sorted by seed."""
    groups: dict[str, list[CellResult]] = {}
    for result in results:
        if result.status == DONE:
            groups.setdefault(result.cell.name, []).append(result)
    return {name: sorted(each, key=lambda r: r.cell.seed) for name, each in groups.items()}


def common_seeds(
    first: Sequence[CellResult], second: Sequence[CellResult]
) -> Iterator[tuple[CellResult, CellResult]]:
    """Pairs of results with the same seed, and of the same fold where there are folds."""
    found = {_run_of(result): result for result in second}
    return ((each, found[_run_of(each)]) for each in first if _run_of(each) in found)


def _run_of(result: CellResult) -> tuple[int, int]:
    return result.cell.seed, result.cell.settings.get("fold", 0)
