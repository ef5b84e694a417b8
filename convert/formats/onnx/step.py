"""One step of a network as ONNX operators: `runtime/arithmetic.py` once more.

Everything is exact. Activations are float32 sums of whole numbers, which a `Network` keeps below
2^23; scaling them by a power of two is exact, and `Floor` after it is the chip's right shift.
States are int64, where `Div` rounds towards zero as the chip does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....runtime.arithmetic import ALIGN_BITS, DECAY_ONE, STATE_HALF
from ....runtime.connections import (
    Conv,
    Sparse,
    SumPool,
    as_depthwise_conv,
)
from ....runtime.network import Network
from ....runtime.population import Population
from ....runtime.projection import Projection
from .builder import (
    BOOL,
    FLOAT,
    INT32,
    INT64,
    UINT8,
    GraphBuilder,
)
from .early_exit import add_early_exit


@dataclass(frozen=True)
class StateSpec:
    """A value carried from step to step; it starts at zero.

    `form` is its ONNX type; its shape is (batch, *shape), of a history (steps, batch, *shape).
    """

    population: str
    kind: str
    dtype: int
    shape: tuple[int, ...]
    steps: int = 0

    @property
    def name(self) -> str:
        """What it is called when a step begins; it ends as `name` with `_next`."""
        return f"{self.population}/{self.kind}"

    @property
    def meaning(self) -> str:
        """One line for those who carry it."""
        return {
            "current": "synaptic current, in 1/64 weights",
            "voltage": "membrane voltage, in 1/64 weights",
            "counts": "events sent since the first step",
            "history": "values of the last steps, the newest last",
            "steps": "steps until the sample stopped",
            "stopped": "1 where the sample has stopped",
        }[self.kind]


def list_states(network: Network) -> list[StateSpec]:
    """Return what `network` carries from step to step."""
    carried = []
    for p in (*network.inputs, *network.topological_order):
        if p.kind != "input":
            carried += [StateSpec(p.name, what, INT64, p.shape) for what in ("current", "voltage")]
        if p.kind != "integrator":
            carried.append(StateSpec(p.name, "counts", INT32, p.shape))
            if longest := _max_delay(network, p):
                carried.append(StateSpec(p.name, "history", UINT8, p.shape, longest))
    if network.early_exit:
        carried += [StateSpec(network.output, what, INT64, ()) for what in ("steps", "stopped")]
    return carried


def add_step(parts: GraphBuilder, network: Network) -> None:
    """Add one step: from inputs and states to `spikes` of each population and its next states."""
    early = network.early_exit is not None
    if early:
        stopped = parts.step_name(f"{network.output}/stopped")
        parts.add_node("Cast", [stopped], f"{network.output}/silent", to=BOOL)
    for population in network.inputs:
        spikes = parts.step_name(population.name)
        if early:
            nothing = parts.add_constant("/nothing", 0, np.uint8)
            silent = _add_stopped_mask(parts, network, population)
            spikes = parts.add_node("Where", [silent, nothing, spikes], f"{population.name}/read")
        _emit_spikes(parts, network, population, spikes)
    for population in network.topological_order:
        silent = _add_stopped_mask(parts, network, population) if early else ""
        spikes = _update_neurons(parts, population, _sum_inputs(parts, network, population), silent)
        if population.kind == "cuba":
            _emit_spikes(parts, network, population, spikes)
    if network.early_exit:
        add_early_exit(parts, network, network.early_exit)


def _add_stopped_mask(parts: GraphBuilder, network: Network, population: Population) -> str:
    """Return which samples have stopped, as booleans (batch, 1, ...) for `population`."""
    ones = (1,) * len(population.shape)
    shape = parts.add_constant(f"/each/{len(ones)}", [-1, *ones], np.int64)
    silent = parts.step_name(f"{network.output}/silent")
    return parts.add_node("Reshape", [silent, shape], f"{population.name}/silent_there")


def _max_delay(network: Network, population: Population) -> int:
    return max(
        (p.delay for p in _nonempty_projections(network) if p.source == population.name), default=0
    )


def _nonempty_projections(network: Network) -> list[Projection]:
    """Return the projections that have a synapse at all: what nobody reads is not computed."""
    return [
        projection
        for projection in network.projections
        if not isinstance(projection.connection, Sparse) or projection.connection.weights.size
    ]


def _emit_spikes(
    parts: GraphBuilder, network: Network, population: Population, spikes: str
) -> None:
    """Count the events in `spikes` (uint8), and keep them where a delay will ask for them."""
    name = population.name
    if any(p.source == name and not p.delay for p in _nonempty_projections(network)):
        parts.add_node("Cast", [spikes], f"{name}/values", to=FLOAT)
    event = parts.add_node("Cast", [spikes], f"{name}/event", to=INT32)
    if population.max_value > 1:
        one = parts.add_constant("/one", 1, np.int32)
        event = parts.add_node("Min", [event, one], f"{name}/sent")
    parts.add_node("Add", [parts.step_name(f"{name}/counts"), event], f"{name}/counts_next")
    longest = _max_delay(network, population)
    if longest:
        axis = parts.add_constant("/axis", [0], np.int64)
        newest = parts.add_node("Unsqueeze", [spikes, axis], f"{name}/newest")
        bounds = [parts.add_constant(f"/from/{n}", [n], np.int64) for n in (1, longest)]
        kept = parts.add_node(
            "Slice", [parts.step_name(f"{name}/history"), *bounds, axis], f"{name}/history_kept"
        )
        parts.add_node("Concat", [kept, newest], f"{name}/history_next", axis=0)


def _sum_inputs(parts: GraphBuilder, network: Network, population: Population) -> str:
    """Add up what all projections bring, return it as int64 (batch, *shape) or a single zero."""
    name = population.name
    total = ""
    for projection in _nonempty_projections(network):
        if projection.target != name:
            continue
        summed = _apply_projection(parts, network, projection)
        total = (
            parts.add_node("Add", [total, summed], f"{projection.name}/total") if total else summed
        )
    if not total:
        return parts.add_scalar(0)
    return parts.add_node("Cast", [total], f"{name}/activation", to=INT64)


def _apply_projection(parts: GraphBuilder, network: Network, projection: Projection) -> str:
    """Return the scaled sums of one projection, float32 (batch, *target shape)."""
    name, connection = projection.name, projection.connection
    source, target = network.population(projection.source), network.population(projection.target)
    values = parts.step_name(f"{source.name}/values")
    if projection.delay:
        past = parts.add_scalar(_max_delay(network, source) - projection.delay)
        arrived = [parts.step_name(f"{source.name}/history"), past]
        late = parts.add_node("Gather", arrived, f"{name}/arrived", axis=0)
        values = parts.add_node("Cast", [late], f"{name}/late", to=FLOAT)
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    if isinstance(connection, Conv):
        summed = _apply_conv(parts, name, connection, values)
    else:
        if isinstance(connection, Sparse):
            weights = _scatter_to_dense(parts, name, connection)
        else:
            weights = parts.add_initializer(f"{name}/weights", connection.weights, FLOAT)
        flat = parts.add_node("Flatten", [values], f"{name}/flat", axis=1)
        summed = parts.add_node("Gemm", [flat, weights], f"{name}/product", transB=1)
        shape = parts.add_constant(f"{name}/shape", [-1, *target.shape], np.int64)
        summed = parts.add_node("Reshape", [summed, shape], f"{name}/shaped")
    if projection.weight_exponent:
        scale = 2.0**projection.weight_exponent
        factor = parts.add_constant(f"{name}/scale", scale, np.float32)
        summed = parts.add_node("Mul", [summed, factor], f"{name}/scaled")
    if projection.weight_exponent < 0:
        summed = parts.add_node("Floor", [summed], f"{name}/floored")
    return summed


def _apply_conv(parts: GraphBuilder, name: str, conv: Conv, values: str) -> str:
    weights = parts.add_initializer(f"{name}/weights", conv.weights, FLOAT)
    return parts.add_node(
        "Conv",
        [values, weights],
        f"{name}/product",
        kernel_shape=conv.kernel,
        strides=conv.stride,
        pads=conv.padding * 2,
        dilations=conv.dilation,
        group=conv.groups,
    )


def _scatter_to_dense(parts: GraphBuilder, name: str, sparse: Sparse) -> str:
    """Spread the listed synapses over a matrix (targets, sources) of zeros."""
    weights = parts.add_initializer(f"{name}/synapses", sparse.weights, FLOAT)
    pairs = np.stack([sparse.rows, sparse.columns], axis=1)
    places = parts.add_initializer(f"{name}/places", pairs, INT64)
    size = parts.add_constant(f"{name}/size", sparse.shape, np.int64)
    zeros = parts.add_setup_node("ConstantOfShape", [size], f"{name}/zeros")
    return parts.add_setup_node("ScatterND", [zeros, places, weights], f"{name}/weights")


def _update_neurons(
    parts: GraphBuilder, population: Population, activation: str, silent: str
) -> str:
    """Add the arithmetic of `population`, return its spikes (uint8); of an integrator nothing.

    Where `silent`, if given, is true, neurons do not fire and integrators keep their voltage.
    """
    name = population.name
    half, whole = parts.add_scalar(STATE_HALF), parts.add_scalar(2 * STATE_HALF)
    aligned = parts.add_node(
        "Mul", [activation, parts.add_scalar(1 << ALIGN_BITS)], f"{name}/aligned"
    )
    current = _apply_decay(parts, population, "current", population.current_decay)
    current = parts.add_node("Add", [current, aligned], f"{name}/unwrapped")
    high = parts.add_node("Greater", [current, half], f"{name}/high")
    low = parts.add_node("LessOrEqual", [current, parts.add_scalar(-STATE_HALF)], f"{name}/low")
    down = parts.add_node("Sub", [current, whole], f"{name}/down")
    up = parts.add_node("Add", [current, whole], f"{name}/up")
    raised = parts.add_node("Where", [low, up, current], f"{name}/raised")
    current = parts.add_node("Where", [high, down, raised], f"{name}/current_next")
    voltage = _apply_decay(parts, population, "voltage", population.voltage_decay)
    bias = parts.add_initializer(f"{name}/bias", population.bias << population.bias_exponent, INT64)
    driven = parts.add_node("Add", [voltage, current], f"{name}/driven")
    biased = parts.add_node("Add", [driven, bias], f"{name}/biased")
    limits = [parts.add_scalar(1 - STATE_HALF), parts.add_scalar(STATE_HALF - 1)]
    if population.kind == "integrator":
        if not silent:
            parts.add_node("Clip", [biased, *limits], f"{name}/voltage_next")
            return ""
        voltage = parts.add_node("Clip", [biased, *limits], f"{name}/clipped")
        held = parts.step_name(f"{name}/voltage")
        parts.add_node("Where", [silent, held, voltage], f"{name}/voltage_next")
        return ""
    voltage = parts.add_node("Clip", [biased, *limits], f"{name}/clipped")
    threshold = parts.add_initializer(
        f"{name}/threshold", population.threshold << ALIGN_BITS, INT64
    )
    above = parts.add_node("Greater", [voltage, threshold], f"{name}/above")
    parts.add_node("Where", [above, parts.add_scalar(0), voltage], f"{name}/voltage_next")
    if silent:
        awake = parts.add_node("Not", [silent], f"{name}/awake")
        above = parts.add_node("And", [above, awake], f"{name}/fires")
    if population.value_bits > 1:
        weights = parts.add_node(
            "Div", [voltage, parts.add_scalar(1 << ALIGN_BITS)], f"{name}/weights"
        )
        limits = [parts.add_scalar(1), parts.add_scalar(population.max_value)]
        carried = parts.add_node("Clip", [weights, *limits], f"{name}/carried")
        above = parts.add_node("Where", [above, carried, parts.add_scalar(0)], f"{name}/sent_now")
    return parts.add_node("Cast", [above], f"{name}/spikes", to=UINT8)


def _apply_decay(
    parts: GraphBuilder, population: Population, what: str, decay: NDArray[np.int32]
) -> str:
    """Keep (4096 - decay) / 4096 of a state, towards zero."""
    name = f"{population.name}/{what}"
    kept = parts.add_initializer(f"{name}_kept", DECAY_ONE - decay, INT64)
    product = parts.add_node("Mul", [parts.step_name(name), kept], f"{name}_product")
    return parts.add_node("Div", [product, parts.add_scalar(DECAY_ONE)], f"{name}_decayed")
