"""Values of a traced torch module, element by element, as affine functions of population outputs.

A cell is one value per sample at one timestep: (batch, *shape). Its expression says how it follows
from the outputs of populations: terms, each a sequence of linear operations on one of them, and an
offset. Every element of a cell has an identifier, so that a view, permutation, stack or slice of a
tensor is traced by doing the same to its identifiers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import UnsupportedLayerError
from ..quantize.linear_ops import Float64Array, Shape
from ..quantize.neuron_params import NeuronParams

Ids = NDArray[np.int64]
CONSTANT = -1


@dataclass(frozen=True)
class Term:
    """Operations on the output of population `source`, `delay` timesteps before.

    `ops` are keys of the tracer's table of operations, in their order.
    """

    source: str
    delay: int = 0
    ops: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Expression:
    """Sum of `terms` and `offset`, float64 of the cell's shape or None for zero."""

    terms: tuple[Term, ...]
    offset: Float64Array | None = None

    def equals(self, other: "Expression", step: int | None = None) -> bool:
        """Test for equality; with `step`, terms that reach further back than step 0 may lack."""
        theirs = other.terms
        if step is not None:
            theirs = tuple(term for term in theirs if term.delay <= step)
        return sorted_terms(self.terms) == sorted_terms(theirs) and _equal_offsets(self, other)


@dataclass(frozen=True, eq=False)
class Cell:
    """Values of one timestep.

    Attributes:
        base: Identifier of its first element; element (sample, feature) follows in C order.
        shape: Shape per sample.
        time: Timestep; None where it is the same at every timestep.
        expression: Its value.
        problem: Why it has none, raised where the value is needed.
        state: (population, call, index) of a neuron state.
        decode: Factor of a sum over all timesteps; 0 where it is no such sum.
    """

    base: int
    shape: Shape
    time: int | None
    expression: Expression
    problem: UnsupportedLayerError | None = None
    state: tuple[str, int, int] | None = None
    decode: float = 0.0

    @property
    def size(self) -> int:
        """Values per sample."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Part:
    """Elements of one cell in a row: `features` of the cell at `positions` of the row."""

    cell: Cell
    features: Ids
    positions: Ids


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Rows of equal composition, for the samples in `samples`.

    Attributes:
        parts: Parts of one row.
        rows: Indices of the rows.
        samples: Sample of each row.
        constants: Values at `constant_positions`, which no cell gives.
        constant_positions: Their positions.
    """

    parts: tuple[Part, ...]
    rows: Ids
    samples: Ids
    constants: Float64Array
    constant_positions: Ids

    @property
    def time(self) -> int | None:
        """Latest timestep of its cells."""
        times = [part.cell.time for part in self.parts if part.cell.time is not None]
        return max(times) if times else None

    def whole_cell(self) -> Cell | None:
        """The cell that a row consists of, in its order; None where there is no such cell."""
        if len(self.parts) != 1 or self.constant_positions.size:
            return None
        part = self.parts[0]
        whole = len(part.features) == part.cell.size
        ordered = whole and np.array_equal(part.features, np.arange(part.cell.size))
        return part.cell if ordered else None


class CellTable:
    """All cells of a trace, by the identifiers of their elements."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self._cells: list[Cell] = []
        self._bases: list[int] = []
        self._next = 0

    def add(self, shape: Shape, time: int | None, expression: Expression, **values: object) -> Cell:
        """Add a cell; `values` are its other attributes."""
        cell = Cell(self._next, shape, time, expression, **values)  # type: ignore[arg-type]
        self._next += self.batch * cell.size
        self._cells.append(cell)
        self._bases.append(cell.base)
        return cell

    def ids(self, cell: Cell) -> Ids:
        """Identifiers of a cell, (batch, *shape)."""
        count = self.batch * cell.size
        return np.arange(cell.base, cell.base + count).reshape(self.batch, *cell.shape)

    def locate(self, ids: Ids) -> tuple[Ids, Ids, Ids]:
        """Index of the cell, sample and feature of each identifier; cell -1 for constants."""
        bases = np.array([*self._bases, self._next])
        index = np.where(ids < 0, CONSTANT, np.searchsorted(bases, ids, "right") - 1)
        sizes = np.array([*(cell.size for cell in self._cells), 1])
        relative = ids - bases[index]
        return index, relative // sizes[index], relative % sizes[index]

    def cell(self, index: int) -> Cell:
        """Cell by index; raises its problem."""
        cell = self._cells[index]
        if cell.problem is not None:
            raise cell.problem
        return cell

    def peek(self, index: int) -> Cell:
        """Cell by index, whatever its problem."""
        return self._cells[index]

    def group_rows(self, ids: Ids, values: Float64Array) -> list[RowGroup]:
        """Group the rows of `ids` (rows, features) by the cells that they consist of.

        Raises:
            UnsupportedLayerError: A row mixes samples, or a cell has a problem.
        """
        cells, samples, features = self.locate(ids)
        tracked = cells >= 0
        low = np.where(tracked, samples, np.iinfo(np.int64).max).min(axis=1)
        if not np.array_equal(low, np.where(tracked, samples, -1).max(axis=1)):
            raise UnsupportedLayerError(
                "mixes the samples of a batch", "keep the batch in an axis of its own"
            )
        keys = np.concatenate([cells, features], axis=1)
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        groups = []
        for number in np.argsort(first):
            row = int(first[number])
            rows = np.flatnonzero(inverse.reshape(-1) == number)
            constant = np.flatnonzero(~tracked[row])
            same = values[rows][:, constant]
            if constant.size and np.ptp(same, axis=0).any():
                raise UnsupportedLayerError("has constants that differ between samples")
            groups.append(
                RowGroup(
                    self._parts(cells[row], features[row]),
                    rows,
                    samples[rows, np.argmax(tracked[row])],
                    values[row, constant],
                    constant,
                )
            )
        return groups

    def _parts(self, cells: Ids, features: Ids) -> tuple[Part, ...]:
        parts = []
        for index in dict.fromkeys(cells[cells >= 0].tolist()):
            positions = np.flatnonzero(cells == index)
            parts.append(Part(self.cell(index), features[positions], positions))
        return tuple(parts)


@dataclass(eq=False)
class TracedPopulation:
    """A population met in a trace, with what it got and gave at every call.

    `expressions[k]` is its input at timestep k; `inputs[k]` and `outputs[k]` are the values
    (batch, neurons) in the traced run, `spikes[k]` its own outputs where others are handed on. A
    read-out has a `total` instead: `decode` times the sum of its inputs over time.
    """

    name: str
    kind: str
    path: str
    params: NeuronParams
    shape: Shape
    module: Any = None
    conversion: str = ""
    expressions: list[Expression] = field(default_factory=list)
    inputs: list[NDArray[np.float64]] = field(default_factory=list)
    outputs: list[NDArray[np.float64]] = field(default_factory=list)
    spikes: list[NDArray[np.float64]] = field(default_factory=list)
    total: NDArray[np.float64] | None = None
    decode: float = 0.0
    static: bool = False

    def expression(self) -> Expression:
        """Its input at every timestep.

        Raises:
            UnsupportedLayerError: It differs between timesteps.
        """
        last = self.expressions[-1]
        for step, each in enumerate(self.expressions):
            if not each.equals(last, None if self.static else step):
                raise UnsupportedLayerError(
                    f"gets another input at timestep {step} than at timestep "
                    f"{len(self.expressions) - 1}",
                    "compute every timestep alike",
                )
        return last


def sorted_terms(terms: Sequence[Term]) -> list[Term]:
    """Sort terms, so that sums in another order are equal."""
    return sorted(terms, key=lambda term: (term.source, term.delay, term.ops))


def shift_terms(terms: Sequence[Term], steps: int) -> tuple[Term, ...]:
    """Terms as seen `steps` timesteps later."""
    return tuple(Term(term.source, term.delay + steps, term.ops) for term in terms)


def append_op(terms: Sequence[Term], key: str) -> tuple[Term, ...]:
    """Terms with the operation `key` after their own."""
    return tuple(Term(term.source, term.delay, (*term.ops, key)) for term in terms)


def _equal_offsets(left: Expression, right: Expression) -> bool:
    a, b = (0.0 if e.offset is None else e.offset for e in (left, right))
    return bool(np.array_equal(np.broadcast_arrays(a, b)[0], np.broadcast_arrays(a, b)[1]))
