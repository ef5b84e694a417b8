"""Trace the forward method of a torch module, run on drawn inputs, as a graph of populations.

The module runs as it is, loops over time included. Every tensor that depends on the input has an
identifier per element (see `trace_cells`). A function that only moves elements moves their
identifiers, a linear one gives new cells, and neurons are populations that are called once per
timestep. What no population or projection holds is an error only where its value is needed.

`torch.fx` and `torch.export` would fix the number of timesteps or reject the loop; their graphs
also leave out which elements of a view belong to which timestep and sample.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode

from ..diagnostics import UnsupportedLayerError
from ..quantize.linear_ops import LinearOp
from ..quantize.neuron_params import NeuronParams
from .module_copy import check_hooks, copy_module
from .neuron_layout import (
    find_kind,
    hides_neurons,
    iter_tensors,
    layout_of,
    read_output,
    takes_state,
)
from .source_lines import place
from .torch_layers import LayerParser, layer_kind, make_label, parse_layer
from .trace_cells import (
    Expression,
    Ids,
    Term,
    TracedPopulation,
    shift_terms,
)
from .trace_linear import ELEMENTWISE, LinearTracer
from .trace_ops import (
    LINEAR_FUNCTIONS,
)

MOVES = (
    *("reshape", "view", "flatten", "unflatten", "ravel", "view_as", "reshape_as", "atleast_2d"),
    *("permute", "transpose", "t", "movedim", "swapaxes", "flip", "contiguous", "clone", "detach"),
    *("unsqueeze", "squeeze", "expand", "expand_as", "repeat"),
    *(
        "__getitem__",
        "select",
        "narrow",
        "index_select",
        "chunk",
        "split",
        "tensor_split",
        "unbind",
    ),
    *("stack", "cat", "concat", "concatenate", "hstack", "vstack"),
)
CASTS = (
    *("to", "float", "double", "half", "bfloat16", "cuda", "cpu", "type", "type_as", "detach_"),
    *("requires_grad_", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
    "feature_alpha_dropout",
)
READS = (
    *("__bool__", "__int__", "__float__", "__index__", "item", "tolist", "numpy", "__array__"),
    *("nonzero", "equal", "allclose", "__contains__", "is_nonzero"),
)
ATTRIBUTES = (
    *("size", "dim", "numel", "__len__", "stride", "is_contiguous", "is_floating_point"),
    *("is_complex", "get_device", "element_size", "nelement", "ndimension", "__repr__", "__hash__"),
    *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"),
    *("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"),
)
TENSOR_ATTRIBUTES = frozenset(("data", "T", "mT"))
FORCED_RATE = 0.4


class LayoutError(UnsupportedLayerError):
    """The module takes inputs with other axes than it was given."""


class Tracer(LinearTracer, TorchFunctionMode):
    """Traces one run of a module on a batch of drawn inputs.

    Args:
        module: The module, in evaluation mode.
        parsers: Parsers of neurons by class names.
        batch: Samples.
        binary: Whether inputs are spikes.
    """

    def __init__(
        self, module: Any, parsers: Mapping[str, LayerParser], batch: int, binary: bool
    ) -> None:
        TorchFunctionMode.__init__(self)
        LinearTracer.__init__(self, module, batch, binary)
        self._parsers = parsers
        self._forced: np.random.Generator | None = None

    # Inputs and outputs

    def force_spikes(self, rng: np.random.Generator) -> None:
        """Let spiking neurons hand on drawn spikes, so that every later layer gets some."""
        self._forced = rng

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Trace all torch functions and calls of modules within the block."""
        call = torch.nn.Module.__call__
        apply = vars(torch.autograd.Function)["apply"]
        tracer = self

        def traced_call(module: Any, *args: Any, **kwargs: Any) -> Any:
            return tracer._call_module(call, module, args, kwargs)

        def traced_apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
            result = apply.__get__(None, cls)(*args, **kwargs)
            if any(tensor in tracer._ids for tensor in iter_tensors(args)):
                tracer._mark(result, UnsupportedLayerError(f"applies {cls.__name__} ({place()})"))
            return result

        torch.nn.Module.__call__ = traced_call  # type: ignore[method-assign]
        function: Any = torch.autograd.Function
        function.apply = classmethod(traced_apply)
        try:
            with torch.no_grad(), self:
                yield
        finally:
            torch.nn.Module.__call__ = call  # type: ignore[method-assign]
            function.apply = apply

    # Modules

    def _call_module(self, call: Any, module: Any, args: Any, kwargs: Any) -> Any:
        self._stack.append(module)
        path = self._path()
        try:
            kind = find_kind(module, self._parsers)
            if kind is None and not hides_neurons(module):
                check_hooks(module)
                return call(module, *args, **kwargs)
            if kind is None:
                name = type(module).__name__
                raise UnsupportedLayerError(f"{name} is not a supported layer")
            if kind == "VotingLayer" or not any(t in self._ids for t in iter_tensors(args)):
                return call(module, *args, **kwargs)
            return self._call_neurons(call, module, kind, args, kwargs)
        except UnsupportedLayerError as error:
            if not hasattr(error, "path"):
                error.kind = type(module).__name__  # type: ignore[attr-defined]
                error.path = make_label(path, error.kind.lower())  # type: ignore[attr-defined]
            raise
        finally:
            self._stack.pop()

    def _call_neurons(self, call: Any, module: Any, kind: str, args: Any, kwargs: Any) -> Any:
        path = self._path()
        label = make_label(path, kind.lower())
        x, states = args[0], [*iter_tensors(args[1:]), *iter_tensors(kwargs)]
        population = self.populations.get(label)
        if population is None:
            check_hooks(module)
            params, note = parse_layer(module, {layer_kind(module): self._parsers[kind]})
            assert isinstance(params, NeuronParams)
            pristine = copy_module(module)
            population = TracedPopulation(label, kind, path, params, (), pristine, note)
        if isinstance(population.params.input, LinearOp):
            op = population.params.input
            weights, bias = torch.from_numpy(op.weights), torch.from_numpy(op.bias)
            x = torch.nn.functional.linear(x, weights.to(x.dtype), bias.to(x.dtype))
        steps = self._time_steps(module, self.ids_of(x))
        self._check_states(population, states)
        first = len(population.expressions)
        for number, ids in enumerate(steps):
            self._add_input(population, ids.reshape(self._batch, -1), first + number)
        self.populations[label] = population
        self.layers[label] = kind, population.conversion
        with torch._C.DisableTorchFunction():
            result = call(module, *args, **kwargs)
            out, *new_states = iter_tensors(result)
            read = read_output(result, population.params.spiking)
            self._record(population, module, x, read)
        if read is out:
            self._give_ids(population, module, out, first, len(steps))
        else:
            self._mark(out, UnsupportedLayerError("reads spikes of neurons that have no reset"))
        for index, state in enumerate(new_states):
            if state is out:
                continue  # norse returns the spikes as a state too
            key = label, len(population.expressions), index
            problem = UnsupportedLayerError(f"reads a state of {label}", "read its spikes")
            cell = self.cells.add(
                tuple(state.shape[1:]), None, Expression(()), problem=problem, state=key
            )
            if state.numel() == self._batch * cell.size:
                self.add_input(state, self.cells.ids(cell).reshape(tuple(state.shape)))
        return result

    def _time_steps(self, module: Any, ids: Ids) -> list[Ids]:
        """Identifiers of each timestep, (batch, ...)."""
        return list(self._split_time(module, ids))

    def _split_time(self, module: Any, values: NDArray[Any]) -> NDArray[Any]:
        """Values with the axes (timesteps, batch, ...)."""
        layout, batch = layout_of(module), self._batch
        if layout == "merged":
            if len(values) % batch:
                raise LayoutError(f"takes {len(values)} values, no multiple of the batch {batch}")
            return np.swapaxes(values.reshape(batch, -1, *values.shape[1:]), 0, 1)
        axis = {"step": 0, "time first": 1, "time second": 0}[layout]
        if values.ndim <= axis + (layout != "step") or values.shape[axis] != batch:
            raise LayoutError(f"gets values of shape {values.shape}, a batch of {batch} elsewhere")
        if layout == "step":
            return values[None]
        return np.swapaxes(values, 0, 1) if layout == "time second" else values

    def _add_input(self, population: TracedPopulation, ids: Ids, step: int) -> None:
        groups = self.cells.group_rows(ids, np.zeros(ids.shape))
        if len(groups) != 1 or not np.array_equal(groups[0].samples, np.arange(self._batch)):
            raise LayoutError("gets values of several timesteps in the place of its batch")
        cell = groups[0].whole_cell()
        if cell is None:
            cell = self._materialize(groups[0], ids.shape[1:])
        if cell.decode:
            raise UnsupportedLayerError("takes a value that is summed over time")
        population.shape = cell.shape
        population.static |= cell.time is None
        terms = cell.expression.terms
        if cell.time is not None:
            if cell.time > step:
                raise LayoutError(f"is called for timestep {cell.time} at its call {step}")
            terms = shift_terms(terms, step - cell.time)
        population.expressions.append(Expression(terms, cell.expression.offset))

    def _record(self, population: TracedPopulation, module: Any, x: Any, out: Any) -> None:
        for values, recorded in (
            (x, population.inputs),
            (out, population.outputs),
            (out, population.spikes),
        ):
            array = values.detach().double().numpy()
            recorded.extend(np.array(step) for step in self._split_time(module, array))
        if self._forced is not None and population.params.spiking:
            drawn = (self._forced.random(tuple(out.shape)) < FORCED_RATE).astype(np.float64)
            out.data.copy_(torch.from_numpy(drawn))
            handed_on = [np.array(step) for step in self._split_time(module, drawn)]
            population.outputs[-len(handed_on) :] = handed_on

    def _give_ids(
        self, population: TracedPopulation, module: Any, out: Any, first: int, count: int
    ) -> None:
        ids = np.zeros(tuple(out.shape), np.int64)
        source = Expression((Term(population.name),))
        for number, view in enumerate(self._split_time(module, ids)):
            cell = self.cells.add(population.shape, first + number, source)
            view[...] = self.cells.ids(cell).reshape(view.shape)
        self.add_input(out, ids)

    def _check_states(self, population: TracedPopulation, states: list[Any]) -> None:
        calls = len(population.expressions)
        if calls and not states and takes_state(population.module):
            raise UnsupportedLayerError(f"starts anew at timestep {calls}", "hand on its state")
        for state in states:
            if state not in self._ids:
                if bool(torch.count_nonzero(state)):
                    raise UnsupportedLayerError("starts from a state other than zero", "start at 0")
                if calls:
                    raise UnsupportedLayerError(
                        f"gets new states at timestep {calls}", "hand on its own states"
                    )
                continue
            ids = self.ids_of(state).reshape(-1)
            index, _, _ = self.cells.locate(ids)
            cell = self.cells.peek(int(index[0]))
            whole = np.array_equal(ids, self.cells.ids(cell).reshape(-1))
            own = (Term(population.name),), calls - 1
            if population.params.recurrent and (cell.expression.terms, cell.time) == own and whole:
                continue  # its spikes of the timestep before
            if cell.state is None or cell.state[:2] != (population.name, calls) or not whole:
                raise UnsupportedLayerError(
                    "gets a state that is not its own of the timestep before",
                    "hand on its own states",
                )

    # Functions

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        if not any(tensor in self._ids for tensor in iter_tensors((args, kwargs))):
            return func(*args, **kwargs)
        try:
            return self._trace_function(func, name, args, kwargs)
        except UnsupportedLayerError as error:
            if not hasattr(error, "place"):
                error.reason = f"{error.reason} ({place()})"
                error.place = True  # type: ignore[attr-defined]
            raise

    def _trace_function(self, func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        if name == "__get__":
            return self._read_attribute(func, args)
        if name in READS:
            raise UnsupportedLayerError(
                f"reads values that depend on the input ({name.strip('_')})",
                "compute the same at every input",
            )
        if name in ATTRIBUTES:
            return func(*args, **kwargs)
        result = func(*args, **kwargs)
        if name == "__iter__":
            parts = list(self._move(torch.unbind, torch.unbind(args[0]), args, {}))
            return iter(parts)
        try:
            return self._follow(func, name, args, kwargs, result)
        except LayoutError:
            raise
        except UnsupportedLayerError as error:
            problem = UnsupportedLayerError(f"{error.reason} ({place()})", error.remedy)
            problem.place = True  # type: ignore[attr-defined]
            problem.path = make_label(self._path(), name)  # type: ignore[attr-defined]
            problem.kind = name  # type: ignore[attr-defined]
            return self._mark(result, problem)

    def _follow(self, func: Any, name: str, args: Any, kwargs: Any, result: Any) -> Any:
        """Give the result of a function its identifiers."""
        base = name[:-1] if name.endswith("_") and not name.startswith("__") else name
        if name in MOVES:
            return self._move(func, result, args, kwargs)
        if name in CASTS or base in CASTS:
            return self._set(result, self.ids_of(args[0]))
        if name == "__setitem__":
            ids = self.ids_of(args[0]).copy()
            ids[_plain(args[1])] = self.ids_of(args[2]) if hasattr(args[2], "dim") else -1
            self._set(args[0], ids)
            return result
        if base in ELEMENTWISE:
            return self._set(result, self._elementwise(base, args, kwargs))
        if base in LINEAR_FUNCTIONS:
            return self._set(result, self._linear(base, args, kwargs, result))
        if base in ("max_pool2d", "max_pool2d_with_indices"):
            return self._set(result, self._max_pool(args, kwargs, result))
        if base in ("sum", "mean"):
            return self._set(result, self._reduce(base, func, args, kwargs, result))
        raise UnsupportedLayerError(
            f"{name} is no linear operation, neuron or rearrangement of values",
            "use neurons of a supported library between linear layers",
        )

    def _read_attribute(self, func: Any, args: Any) -> Any:
        result = func(*args)
        name = getattr(getattr(func, "__self__", None), "__name__", "")
        if name in TENSOR_ATTRIBUTES and hasattr(result, "dim"):
            ids = self.ids_of(args[0])
            self._set(result, ids if name == "data" else np.swapaxes(ids, -1, -2))
        return result

    def _set(self, tensor: Any, ids: Ids) -> Any:
        if hasattr(tensor, "dim"):
            self.add_input(tensor, np.broadcast_to(ids, tuple(tensor.shape)).copy())
        return tensor

    def _mark(self, result: Any, problem: UnsupportedLayerError) -> Any:
        """Make the values of `result` raise `problem` where they are needed."""
        for tensor in iter_tensors(result):
            size = -(-max(tensor.numel(), 1) // self._batch)
            cell = self.cells.add((size,), None, Expression(()), problem=problem)
            ids = self.cells.ids(cell).reshape(-1)[: tensor.numel()]
            self.add_input(tensor, ids.reshape(tuple(tensor.shape)))
        return result

    def _move(self, func: Any, result: Any, args: Any, kwargs: Any) -> Any:
        def as_ids(value: Any) -> Any:
            if hasattr(value, "dim"):
                return torch.from_numpy(np.ascontiguousarray(self.ids_of(value)))
            return type(value)(as_ids(each) for each in value)

        key = next((k for k in ("tensors", "input") if k in kwargs), None)
        if key is None:
            moved = func(as_ids(args[0]), *args[1:], **kwargs)
        else:
            moved = func(*args, **{**kwargs, key: as_ids(kwargs[key])})
        for tensor, ids in zip(iter_tensors(result), iter_tensors(moved), strict=True):
            self._set(tensor, ids.numpy())
        return result


def _plain(index: Any) -> Any:
    """Index of numpy from one of torch."""
    if isinstance(index, tuple):
        return tuple(_plain(each) for each in index)
    return index.numpy() if hasattr(index, "dim") else index
