"""Import of torch modules with a forward method of their own, as a float network that is checked.

The module is run on drawn inputs (see `tracer`), given as its kind of module takes them: timestep
by timestep, as a sequence with the time first or second, with time and batch merged, or once where
it repeats its input itself. The first layout with which it runs is taken.
"""

from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...runtime.errors import NetworkError
from ..diagnostics import LayerDiagnostic, UnsupportedLayerError
from ..quantize.float_network import FloatNetwork
from ..quantize.linear_ops import Shape
from .import_check import LayerRecord, Recording, check_import
from .module_copy import copy_module
from .neuron_layout import iter_tensors, layout_of, reset_states
from .neuron_probe import probe_neurons
from .sequential import READOUT_PARAMS
from .source_lines import user_line
from .torch_layers import LayerParser
from .trace_cells import Cell, Expression, Term, TracedPopulation
from .traced_network import INPUT_NAME, OUTPUT_NAME, Layout, Trace, import_traced
from .tracer import LayoutError, Tracer

TIMESTEPS, BATCH = 8, 3


def trace_module(
    module: Any,
    shape: Shape,
    value_bits: int,
    parsers: Mapping[str, LayerParser],
    forced: bool = False,
) -> Trace:
    """Trace a module with the first layout of the input with which it runs.

    Raises:
        UnsupportedLayerError: It does not run, or does what no population or projection holds.
    """
    errors: list[UnsupportedLayerError] = []
    for layout in _layouts(module):
        try:
            return _trace(module, shape, value_bits, parsers, layout, forced)
        except UnsupportedLayerError as error:
            errors.append(error)
    located = [error for error in errors if not isinstance(error, LayoutError | _NotRunError)]
    raise (located or errors)[0]


def trace_diagnostics(trace: Trace) -> tuple[LayerDiagnostic, ...]:
    """A diagnostic for each layer of a trace, in the order of their first call."""
    return tuple(
        LayerDiagnostic(label, kind, "exact", conversion)
        for label, (kind, conversion) in trace.tracer.layers.items()
    )


def record_runs(
    module: Any, shape: Shape, value_bits: int, parsers: Mapping[str, LayerParser], trace: Trace
) -> Iterator[Recording]:
    """Recordings of the module: as it runs, and with drawn spikes for every layer.

    In the first, neurons may never spike, which hides the weights from them.
    """
    yield make_recording(trace)
    yield make_recording(trace_module(module, shape, value_bits, parsers, forced=True))


def check_neurons(trace: Trace) -> None:
    """Compare the neurons of a trace, each alone, with their parsed parameters.

    Raises:
        NetworkError: Neurons do something else; names them.
    """
    for name, population in trace.populations.items():
        if population.module is not None:
            try:
                probe_neurons(population.module, population.params, population.shape)
            except UnsupportedLayerError as error:
                raise NetworkError(f"{name}: {error.reason}; {error.remedy}") from None


def make_recording(trace: Trace) -> Recording:
    """Recording of a trace."""
    layers = {}
    steps = len(trace.events)
    for name, population in trace.populations.items():
        outputs = _by_time(population.outputs, steps) if population.outputs else None
        layers[name] = LayerRecord(
            name,
            population.params,
            _by_time(population.inputs, steps) if population.inputs else None,
            outputs,
            _by_time(population.spikes, steps) if population.spikes else outputs,
            population.total,
            population.decode,
            _recurrent_input(population, steps),
        )
    return Recording(trace.events, layers, trace.output)


def _recurrent_input(population: TracedPopulation, steps: int) -> NDArray[np.float64] | None:
    """Input of the recurrent layer of neurons: their own spikes where time is a loop inside."""
    if population.params.recurrent is None:
        return None
    handed_on = layout_of(population.module) == "step"
    return _by_time(population.outputs if handed_on else population.spikes, steps)


def import_module(
    module: Any, shape: Shape, value_bits: int, parsers: Mapping[str, LayerParser]
) -> tuple[Callable[[], FloatNetwork], tuple[LayerDiagnostic, ...]]:
    """Import a module with a forward method of its own.

    Returns:
        A function that builds and checks the float network, and a diagnostic per layer.
    """
    try:
        trace = trace_module(module, shape, value_bits, parsers)
    except UnsupportedLayerError as error:
        label = getattr(error, "path", "model")
        kind = getattr(error, "kind", type(module).__name__)
        diagnostic = LayerDiagnostic(label, kind, "unsupported", "", error.reason, error.remedy)
        return _no_network, (diagnostic,)

    def build() -> FloatNetwork:
        network = import_traced(trace, shape, value_bits, type(module).__name__)
        check_neurons(trace)
        check_import(network, record_runs(module, shape, value_bits, parsers, trace))
        return network

    return build, trace_diagnostics(trace)


class _NotRunError(UnsupportedLayerError):
    """The module raises an error of its own on a drawn input."""


def _no_network() -> FloatNetwork:
    raise NetworkError("model: has unsupported layers")


def _layouts(module: Any) -> tuple[Layout, ...]:
    """Layouts of the input to try, the likeliest first."""
    layouts = {layout_of(child) for child in module.modules()} - {"step"}
    if "merged" in layouts:
        return ("merged",)
    if "time second" in layouts:
        return ("batch first", "static")
    if "time first" in layouts:
        return ("sequence", "static")
    return ("steps", "static", "sequence", "batch first")


def _trace(
    module: Any,
    shape: Shape,
    value_bits: int,
    parsers: Mapping[str, LayerParser],
    layout: Layout,
    forced: bool,
) -> Trace:
    try:
        copy = copy_module(module).float()
    except RuntimeError as error:
        raise _NotRunError(
            f"cannot be copied ({_first_line(error)})", "reset its states"
        ) from error
    reset_states(copy)
    batch, timesteps = _sizes(copy)
    rng = np.random.default_rng(0)
    top = (1 << value_bits) - 1
    events = rng.integers(0, top, (timesteps, batch, *shape), endpoint=True).astype(np.float64)
    tracer = Tracer(copy, parsers, batch, value_bits == 1)
    if forced:
        tracer.force_spikes(rng)
    results = _run(tracer, copy, events, layout)
    if layout == "static":
        steps = max((len(p.expressions) for p in tracer.populations.values()), default=1)
        events = np.broadcast_to(events[:1], (steps, *events.shape[1:])).copy()
    output = _find_output(tracer, results)
    return Trace(tracer.populations, tracer, output, events, layout)


def _sizes(module: Any) -> tuple[int, int]:
    """Batch and timesteps, as sinabs' layers with both in one axis may fix them."""
    batch, timesteps = BATCH, TIMESTEPS
    for child in module.modules():
        if layout_of(child) == "merged":
            batch = child.batch_size if child.batch_size > 0 else batch
            timesteps = child.num_timesteps if child.num_timesteps > 0 else timesteps
    return batch, timesteps


def _run(tracer: Tracer, module: Any, events: NDArray[np.float64], layout: Layout) -> list[Any]:
    """Run the module; returns its results, one per call."""
    inputs = _make_inputs(tracer, events, layout)
    results: list[Any] = []
    try:
        with tracer.tracing():
            state: dict[str, Any] = {}
            for x in inputs:
                results.append(module(x, **state))
                state = _next_state(module, results[-1])
                calls = [len(p.expressions) for p in tracer.populations.values()]
                if layout == "steps" and max(calls, default=1) > len(results):
                    raise LayoutError("repeats a timestep itself")
    except UnsupportedLayerError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise _NotRunError(
            f"does not run on a drawn input of shape {tuple(inputs[0].shape)} "
            f"({type(error).__name__}: {_first_line(error)}, {user_line(error)})"
        ) from error
    return results


def _next_state(module: Any, result: Any) -> dict[str, Any]:
    """State to hand on, where a module returns one and takes it as `state`, as norse's do."""
    if not isinstance(result, tuple) or "state" not in signature(module.forward).parameters:
        return {}
    return {"state": result[1]}


def _make_inputs(tracer: Tracer, events: NDArray[np.float64], layout: Layout) -> list[Any]:
    source, shape = Expression((Term(INPUT_NAME),)), events.shape[2:]
    times: list[int | None] = [None] if layout == "static" else [*range(len(events))]
    ids = np.stack([tracer.cells.ids(tracer.cells.add(shape, time, source)) for time in times])
    values: NDArray[np.float64] = events[:1] if layout == "static" else events
    if layout in ("batch first", "merged"):
        ids, values = np.swapaxes(ids, 0, 1), np.swapaxes(values, 0, 1)
    if layout == "merged":
        ids, values = ids.reshape(-1, *shape), values.reshape(-1, *shape)
    whole = layout not in ("steps", "static")
    arrays = [(values, ids)] if whole else list(zip(values, ids, strict=True))
    inputs = []
    for array, own in arrays:
        tensor = torch.from_numpy(np.array(array, np.float32))
        tracer.add_input(tensor, own)
        inputs.append(tensor)
    return inputs


def _find_output(tracer: Tracer, results: list[Any]) -> str:
    """Name of the population that the module returns, a read-out added where it is linear.

    Of several tensors, the first is read that a population or read-out gives.
    """
    tensors = [list(iter_tensors(result)) for result in results]
    errors = [UnsupportedLayerError("returns no tensor", "return the spikes of the last layer")]
    for values in zip(*tensors, strict=False):
        try:
            return _find_population(tracer, list(values))
        except UnsupportedLayerError as error:
            errors.append(error)
    raise errors[1] if len(errors) > 1 else errors[0]


def _find_population(tracer: Tracer, tensors: list[Any]) -> str:
    ids = np.concatenate([tracer.ids_of(tensor).reshape(-1) for tensor in tensors])
    if not ids.size or ids.min() < 0:
        raise UnsupportedLayerError("returns values that do not depend on the input")
    index, samples, features = tracer.cells.locate(ids)
    cells = [tracer.cells.peek(int(number)) for number in np.unique(index)]
    state = cells[0].state
    if state is not None and not tracer.populations[state[0]].params.spiking:
        return state[0]
    cells = [tracer.cells.cell(int(number)) for number in np.unique(index)]
    seen = len(np.unique(samples * cells[0].size + features))
    if seen != tracer.cells.batch * cells[0].size or len({cell.shape for cell in cells}) > 1:
        raise UnsupportedLayerError("returns a part of a layer", "return all of the last layer")
    name = _name_output(tracer, cells)
    if name == OUTPUT_NAME:
        values = [t.detach().double().numpy().reshape(-1) for t in tensors]
        readout = tracer.populations[name]
        given = np.zeros((len(cells), tracer.cells.batch, cells[0].size))
        position = np.searchsorted(np.unique(index), index)
        given[position, samples, features] = np.concatenate(values)
        readout.decode = cells[0].decode
        if readout.decode:
            readout.total = given[0]
        else:
            order = sorted(range(len(cells)), key=lambda number: cells[number].time or 0)
            readout.inputs = [given[number] for number in order]
    return name


def _name_output(tracer: Tracer, cells: list[Cell]) -> str:
    cells = sorted(cells, key=lambda cell: cell.time or 0)
    expressions = [cell.expression for cell in cells]
    terms = expressions[-1].terms
    if not terms or (len(terms) == 1 and terms[0].source == INPUT_NAME and not terms[0].ops):
        raise UnsupportedLayerError("has no neurons")
    pure = len(terms) == 1 and not terms[0].ops and expressions[-1].offset is None
    if pure and terms[0].source != INPUT_NAME:
        if any(each.terms != terms for each in expressions):
            raise UnsupportedLayerError("returns several layers", "return the last one first")
        return terms[0].source
    steps = max((len(p.expressions) for p in tracer.populations.values()), default=1)
    if not cells[-1].decode and len(cells) not in (1, steps):
        raise UnsupportedLayerError("returns some timesteps of a linear layer", "return all")
    if not cells[-1].decode and len(cells) == 1 and steps > 1 and cells[0].time is not None:
        raise UnsupportedLayerError(
            "returns a linear layer at its last timestep only, but a read-out integrates it",
            "return all timesteps, their sum or their mean",
        )
    readout = TracedPopulation(
        OUTPUT_NAME, "neurons", OUTPUT_NAME, READOUT_PARAMS, cells[-1].shape, None
    )
    readout.expressions = expressions
    tracer.populations[OUTPUT_NAME] = readout
    return OUTPUT_NAME


def _by_time(values: list[NDArray[np.float64]], steps: int) -> NDArray[np.float64]:
    """Recorded values (timesteps, batch, neurons); one value holds for all timesteps."""
    stacked = np.stack([value.reshape(len(value), -1) for value in values])
    return np.broadcast_to(stacked, (steps, *stacked.shape[1:])) if len(stacked) == 1 else stacked


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]
