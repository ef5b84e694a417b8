"""Trace linear functions: new cells from the cells of their arguments."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.weak import WeakTensorKeyDictionary

from ..diagnostics import UnsupportedLayerError
from ..quantize.linear_ops import AffineOp, LinearOp, Op, PoolOp, Shape
from .neuron_layout import find_kind, iter_tensors
from .sequential import SPIKE_MAX_POOL_PARAMS
from .torch_layers import make_label
from .trace_cells import (
    Cell,
    CellTable,
    Expression,
    Ids,
    RowGroup,
    Term,
    TracedPopulation,
    append_op,
    shift_terms,
)
from .trace_ops import (
    LINEAR_FUNCTIONS,
    apply_op,
    has_bias,
    max_pool_op,
    output_shape,
    restrict_op,
    without_bias,
)


class LinearTracer:
    """Cells, operations and populations of a run, and the linear functions between them.

    Args:
        module: The module.
        batch: Samples.
        binary: Whether inputs are spikes.

    Attributes:
        cells: All cells.
        populations: Populations in the order of their first call.
        ops: Layer and operation of each key in the terms of an expression.
        layers: Kind and conversion of each layer, in the order of their first call.
    """

    def __init__(self, module: Any, batch: int, binary: bool) -> None:
        self.cells = CellTable(batch)
        self.populations: dict[str, TracedPopulation] = {}
        self.ops: dict[str, tuple[str, Op]] = {}
        self.layers: dict[str, tuple[str, str]] = {}
        self._batch, self._binary = batch, binary
        self._ids: Any = WeakTensorKeyDictionary()
        self._paths = {id(child): name for name, child in module.named_modules()}
        self._stack: list[Any] = []

    def add_input(self, tensor: Any, ids: Ids) -> None:
        """Give the elements of an input tensor their identifiers."""
        self._ids[tensor] = torch.from_numpy(np.ascontiguousarray(ids))

    def ids_of(self, tensor: Any) -> Ids:
        """Identifiers of the elements of a tensor, -1 for constants."""
        ids = self._ids.get(tensor)
        return np.full(tuple(tensor.shape), -1) if ids is None else np.asarray(ids.numpy())

    def _path(self) -> str:
        named = (self._paths.get(id(module), "") for module in reversed(self._stack))
        return next((name for name in named if name), "model")

    # Linear operations

    def _intern(self, op: Op, name: str) -> str:
        """Key of an operation, equal for equal ones of the same place."""
        arrays = [v for v in vars(op).values() if isinstance(v, np.ndarray)]
        others = [v for v in vars(op).values() if not isinstance(v, np.ndarray)]
        digest = hash((*(array.tobytes() for array in arrays), repr(others)))
        key = f"{name} {type(op).__name__} {digest}"
        self.ops.setdefault(key, (name, op))
        return key

    def _apply(self, op: Op, cell: Cell) -> Cell:
        """Cell of an operation on a whole cell."""
        terms = cell.expression.terms
        if not isinstance(op, AffineOp) or np.any(op.gain != 1):
            terms = append_op(terms, self._intern(without_bias(op), self._path()))
        offset = cell.expression.offset
        if offset is not None or has_bias(op):
            before = np.zeros(cell.shape) if offset is None else offset
            factor = 1.0
            if cell.decode:
                steps = max(len(p.expressions) for p in self.populations.values())
                factor = 1 / (cell.decode * steps)
            unbiased = apply_op(without_bias(op), before)
            offset = unbiased + (apply_op(op, before) - unbiased) * factor
        return self.cells.add(
            output_shape(op, cell.shape),
            cell.time,
            Expression(terms, offset),
            decode=cell.decode,
        )

    def _materialize(self, group: RowGroup, row: Shape, op: Op | None = None) -> Cell:
        """Cell of `op` on rows of several parts, of the row itself without one."""
        if op is None:
            width = int(np.prod(row))
            op = LinearOp(np.eye(width), np.zeros(width))
        time = group.time
        terms: list[Term] = []
        value = np.zeros(int(np.prod(row)))
        value[group.constant_positions] = group.constants
        total = apply_op(op, value.reshape(row))
        for part in group.parts:
            own = restrict_op(without_bias(op), part.features, part.positions, part.cell.shape, row)
            key = self._intern(own, self._path())
            delay = 0 if part.cell.time is None or time is None else time - part.cell.time
            terms += append_op(shift_terms(part.cell.expression.terms, delay), key)
            if part.cell.expression.offset is not None:
                total = total + apply_op(own, part.cell.expression.offset)
        decodes = {part.cell.decode for part in group.parts}
        if len(decodes) > 1 or (any(decodes) and has_bias(op)):
            raise UnsupportedLayerError("concatenates values that are summed over time")
        offset = total if np.any(total) else None
        return self.cells.add(
            tuple(total.shape), time, Expression(tuple(terms), offset), decode=decodes.pop()
        )

    def _linear(self, name: str, args: Any, kwargs: Any, result: Any) -> Ids:
        make, axes = LINEAR_FUNCTIONS[name]
        x = args[0] if args else kwargs["input"]
        rest = args[1:] if args else ()
        others = {key: value for key, value in kwargs.items() if key != "input"}
        if any(tensor in self._ids for tensor in iter_tensors((rest, others))):
            raise UnsupportedLayerError(f"{name} of two values that depend on the input")
        op = make(x, *rest, **others)
        row = tuple(x.shape[1:] if axes == 0 else x.shape[-axes:])
        if axes == 2:
            row = (row[-1],)
        ids = self.ids_of(x).reshape(-1, int(np.prod(row)))
        values = x.detach().double().reshape(ids.shape).numpy()
        out = np.zeros((len(ids), result.numel() // len(ids)), np.int64)
        for group in self.cells.group_rows(ids, values):
            if not group.parts:
                out[group.rows] = -1
                continue
            cell = group.whole_cell()
            if (
                cell is not None
                and not isinstance(op, AffineOp)
                and axes == 3
                and cell.shape != row
            ):
                raise UnsupportedLayerError(
                    f"views {cell.shape} as {row}", f"give input_shape {row} or keep the image"
                )
            made = self._materialize(group, row, op) if cell is None else self._apply(op, cell)
            features = np.arange(made.size)
            out[group.rows] = made.base + group.samples[:, None] * made.size + features
        self._note_layer(name)
        return out.reshape(tuple(result.shape))

    def _note_layer(self, name: str) -> None:
        path = self._path()
        module = self._stack[-1] if self._stack else None
        kind = type(module).__name__ if self._paths.get(id(module)) == path else name
        self.layers.setdefault(make_label(path, kind.lower()), (kind, "part of a projection"))

    def _max_pool(self, args: Any, kwargs: Any, result: Any) -> Ids:
        pool = max_pool_op(*args, **kwargs)
        x = args[0]
        row = tuple(x.shape[-3:])
        ids = self.ids_of(x).reshape(-1, int(np.prod(row)))
        out = np.zeros(
            (len(ids), result[0].numel() if x.dim() == 3 else result.numel() // len(ids)), np.int64
        )
        values = result.detach().double().reshape(len(ids), -1).numpy()
        for group in self.cells.group_rows(ids, np.zeros(ids.shape)):
            cell = group.whole_cell()
            if cell is None or cell.shape != row or not self._is_binary(cell):
                raise UnsupportedLayerError(
                    "takes the maximum of values that are no spikes",
                    "move it after the neurons, or use average pooling",
                )
            made = self._pool_spikes(cell, pool, group, values)
            out[group.rows] = made.base + group.samples[:, None] * made.size + np.arange(made.size)
        return out.reshape(tuple(result.shape))

    def _is_binary(self, cell: Cell) -> bool:
        terms = cell.expression.terms
        if len(terms) != 1 or terms[0].ops or cell.expression.offset is not None or cell.decode:
            return False
        source = self.populations.get(terms[0].source)
        if source is None:
            return self._binary
        return source.params.spiking and source.params.max_spikes == 1

    def _pool_spikes(self, cell: Cell, pool: PoolOp, group: RowGroup, values: Any) -> Cell:
        module = self._stack[-1] if self._stack else None
        path = self._paths.get(id(module), "")
        if module is None or find_kind(module, ("MaxPool2d",)) is None:
            path = f"{path}.maxpool2d" if path else "maxpool2d"
        label = make_label(path, "maxpool2d")
        expression = Expression(append_op(cell.expression.terms, self._intern(pool, label)))
        base, number = label, 1
        while label in self.populations and not self.populations[label].expressions[0].equals(
            expression
        ):
            number += 1
            label = f"{base}_{number}"
        shape = output_shape(pool, cell.shape)
        population = self.populations.setdefault(
            label, TracedPopulation(label, "MaxPool2d", self._path(), SPIKE_MAX_POOL_PARAMS, shape)
        )
        population.static |= cell.time is None
        order = group.rows[np.argsort(group.samples, kind="stable")][: self._batch]
        steps = len(population.expressions)
        if cell.time is None or cell.time == steps:
            population.expressions.append(expression)
            population.outputs.append(values[order].reshape(self._batch, *shape))
        self.layers[label] = "MaxPool2d", "a neuron that fires if any input in its window spikes"
        return self.cells.add(shape, cell.time, Expression((Term(label),)))

    # Elementwise functions and sums

    def _elementwise(self, name: str, args: Any, kwargs: Any) -> Ids:
        left, right = args if len(args) > 1 else (args[0], kwargs.get("other", 1.0))
        alpha = float(kwargs.get("alpha", 1.0))
        kind = ELEMENTWISE[name]
        if kind == "neg":
            left, right, kind = args[0], -1.0, "mul"
        if kind == "rsub":
            left, right, kind = right, left, "sub"
        sign = -alpha if kind == "sub" else alpha
        tracked = [hasattr(v, "dim") and v in self._ids for v in (left, right)]
        if all(tracked):
            if kind not in ("add", "sub"):
                raise UnsupportedLayerError(f"{name} of two values that depend on the input")
            a, b = np.broadcast_arrays(self.ids_of(left), self.ids_of(right))
            if a.shape != self.ids_of(left).shape or b.shape != self.ids_of(right).shape:
                raise UnsupportedLayerError("adds values of two shapes")
            return self._sum(a, b, sign)
        x, constant = (left, right) if tracked[0] else (right, left)
        values = constant.detach().double().numpy() if hasattr(constant, "dim") else constant
        ids, values = np.broadcast_arrays(self.ids_of(x), np.asarray(values, np.float64))
        if kind == "div":
            if not tracked[0]:
                raise UnsupportedLayerError("divides by a value that depends on the input")
            return self._scale(ids, 1 / values, np.zeros(ids.shape))
        if kind == "mul":
            return self._scale(ids, values, np.zeros(ids.shape))
        gain = np.ones(ids.shape)
        if kind == "sub" and not tracked[0]:
            return self._scale(ids, -gain, values)
        return self._scale(ids, gain, sign * values)

    def _scale(self, ids: Ids, gain: Any, offset: Any) -> Ids:
        """Identifiers of `gain * x + offset`, elementwise."""
        if np.all(gain == 1) and not np.any(offset):
            return ids
        index, samples, features = self.cells.locate(ids)
        out = np.full(ids.shape, -1)
        for number in np.unique(index[index >= 0]):
            cell, chosen = self.cells.cell(int(number)), index == number
            per_feature = []
            for values in (gain, offset):
                found = np.zeros(cell.size)
                found[features[chosen]] = values[chosen]
                if not np.array_equal(found[features[chosen]], values[chosen]):
                    raise UnsupportedLayerError("scales the samples of a batch differently")
                per_feature.append(_by_channel(found, cell.shape))
            made = self._apply(AffineOp(per_feature[0], per_feature[1]), cell)
            out[chosen] = made.base + samples[chosen] * made.size + features[chosen]
        return out

    def _sum(self, left: Ids, right: Ids, sign: float) -> Ids:
        """Identifiers of `left + sign * right`, elementwise."""
        if sign != 1:
            right = self._scale(right, np.full(right.shape, sign), np.zeros(right.shape))
        a, b = self.cells.locate(left), self.cells.locate(right)
        out = np.where(left < 0, right, left)
        both = (left >= 0) & (right >= 0)
        pairs = np.unique(np.stack([a[0][both], b[0][both]], 1), axis=0)
        for one, other in pairs.tolist():
            chosen = both & (a[0] == one) & (b[0] == other)
            cells = self.cells.cell(one), self.cells.cell(other)
            aligned = all(
                np.array_equal(x[chosen], y[chosen]) for x, y in zip(a[1:], b[1:], strict=True)
            )
            if not aligned or cells[0].size != cells[1].size or cells[0].decode != cells[1].decode:
                raise UnsupportedLayerError("adds values of two shapes or arrangements")
            made = self._add_cells(*cells)
            out[chosen] = made.base + a[1][chosen] * made.size + a[2][chosen]
        return out

    def _add_cells(self, left: Cell, right: Cell) -> Cell:
        times = [cell.time for cell in (left, right) if cell.time is not None]
        time = max(times) if times else None
        terms: tuple[Term, ...] = ()
        offset: Any = None
        for cell in (left, right):
            delay = 0 if cell.time is None or time is None else time - cell.time
            terms += shift_terms(cell.expression.terms, delay)
            own = cell.expression.offset
            if own is not None:
                offset = own.reshape(left.shape) + (0.0 if offset is None else offset)
        return self.cells.add(left.shape, time, Expression(terms, offset), decode=left.decode)

    def _reduce(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> Ids:
        """Identifiers of a sum or mean over the timesteps, or over the pixels of each channel."""
        ids = self.ids_of(args[0])
        axes = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
        if axes is None:
            raise UnsupportedLayerError(f"takes the {name} of everything")
        dims = tuple(
            axis % ids.ndim for axis in (axes if isinstance(axes, tuple | list) else (axes,))
        )
        kept = [axis for axis in range(ids.ndim) if axis not in dims]
        rows = ids.transpose(*kept, *dims).reshape(int(np.prod([ids.shape[k] for k in kept])), -1)
        index, samples, features = self.cells.locate(rows)
        if rows.min() < 0 or (samples != samples[:, :1]).any():
            raise UnsupportedLayerError(f"takes the {name} of samples or constants")
        factor = 1 / rows.shape[1] if name == "mean" else 1.0
        if (features == features[:, :1]).all():
            return self._decode(rows, factor).reshape(tuple(result.shape))
        return self._pool_all(rows, factor).reshape(tuple(result.shape))

    def _decode(self, rows: Ids, factor: float) -> Ids:
        index, samples, features = self.cells.locate(rows)
        out = np.zeros(len(rows), np.int64)
        for key in np.unique(index, axis=0):
            chosen = (index == key).all(axis=1)
            cells = [self.cells.cell(int(number)) for number in key]
            times = [cell.time for cell in cells]
            if times != list(range(len(cells))):
                raise UnsupportedLayerError("sums other values than all timesteps in their order")
            last = cells[-1].expression
            if not all(c.expression.equals(last, k) for k, c in enumerate(cells)):
                raise UnsupportedLayerError("sums values that are computed differently")
            made = self.cells.add(cells[0].shape, None, last, decode=factor)
            out[chosen] = made.base + samples[chosen, 0] * made.size + features[chosen, 0]
        return out

    def _pool_all(self, rows: Ids, factor: float) -> Ids:
        index, samples, features = self.cells.locate(rows)
        out = np.zeros(len(rows), np.int64)
        for number in np.unique(index):
            cell, chosen = self.cells.cell(int(number)), (index == number).all(axis=1)
            if len(cell.shape) != 3 or rows.shape[1] != cell.shape[1] * cell.shape[2]:
                raise UnsupportedLayerError("sums other values than all pixels of each channel")
            pixels = rows.shape[1]
            channel = features[chosen] // pixels
            if (channel != channel[:, :1]).any():
                raise UnsupportedLayerError("sums pixels of several channels")
            size = cell.shape[1], cell.shape[2]
            made = self._apply(PoolOp(size, size, scale=factor), cell)
            out[chosen] = made.base + samples[chosen, 0] * made.size + channel[:, 0]
        return out


ELEMENTWISE = {
    **dict.fromkeys(("add", "__add__", "__radd__", "__iadd__"), "add"),
    **dict.fromkeys(("sub", "__sub__", "__isub__", "subtract"), "sub"),
    **dict.fromkeys(("__rsub__", "rsub"), "rsub"),
    **dict.fromkeys(("mul", "__mul__", "__rmul__", "__imul__", "multiply"), "mul"),
    **dict.fromkeys(("div", "__truediv__", "true_divide", "__itruediv__", "divide"), "div"),
    **dict.fromkeys(("neg", "__neg__", "negative"), "neg"),
}


def _by_channel(values: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    """One value where all are equal, one per channel where those of each are, else all."""
    if np.ptp(values) == 0:
        return values[:1]
    channels = values.reshape(shape[0], -1)
    return channels[:, 0] if not np.ptp(channels, axis=1).any() else values
