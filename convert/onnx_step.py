"""One step of a network as ONNX operators: `runtime/arithmetic.py` once more.

Everything is exact. Activations are float32 sums of whole numbers, which a `Network` keeps below
2^23; scaling them by a power of two is exact, and `Floor` after it is the chip's right shift.
States are int64, where `Div` rounds towards zero as the chip does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.arithmetic import ALIGN_BITS, DECAY_ONE, STATE_HALF
from ..runtime.connections import Conv, Sparse, SumPool, depthwise
from ..runtime.network import Network
from ..runtime.population import Population
from ..runtime.projection import Projection
from .onnx_exit import add_exit
from .onnx_parts import BOOL, FLOAT, INT32, INT64, UINT8, Parts


@dataclass(frozen=True)
class State:
    """A value carried from step to step; it starts at zero.

    `form` is its ONNX type; its shape is (batch, *shape), of a history (steps, batch, *shape).
    """

    population: str
    what: str
    form: int
    shape: tuple[int, ...]
    steps: int = 0

    @property
    def name(self) -> str:
        """What it is called when a step begins; it ends as `name` with `_next`."""
        return f"{self.population}/{self.what}"

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
        }[self.what]


def states(network: Network) -> list[State]:
    """Return what `network` carries from step to step."""
    carried = []
    for p in (*network.inputs, *network.order):
        if p.kind != "input":
            carried += [State(p.name, what, INT64, p.shape) for what in ("current", "voltage")]
        if p.kind != "integrator":
            carried.append(State(p.name, "counts", INT32, p.shape))
            if longest := _longest_delay(network, p):
                carried.append(State(p.name, "history", UINT8, p.shape, longest))
    if network.early_exit:
        carried += [State(network.output, what, INT64, ()) for what in ("steps", "stopped")]
    return carried


def add_step(parts: Parts, network: Network) -> None:
    """Add one step: from inputs and states to `spikes` of each population and its next states."""
    early = network.early_exit is not None
    if early:
        stopped = parts.name(f"{network.output}/stopped")
        parts.do("Cast", [stopped], f"{network.output}/silent", to=BOOL)
    for population in network.inputs:
        spikes = parts.name(population.name)
        if early:
            nothing = parts.constant("/nothing", 0, np.uint8)
            silent = _silent(parts, network, population)
            spikes = parts.do("Where", [silent, nothing, spikes], f"{population.name}/read")
        _send(parts, network, population, spikes)
    for population in network.order:
        silent = _silent(parts, network, population) if early else ""
        spikes = _update(parts, population, _activation(parts, network, population), silent)
        if population.kind == "cuba":
            _send(parts, network, population, spikes)
    if network.early_exit:
        add_exit(parts, network, network.early_exit)


def _silent(parts: Parts, network: Network, population: Population) -> str:
    """Return which samples have stopped, as booleans (batch, 1, ...) for `population`."""
    ones = (1,) * len(population.shape)
    shape = parts.constant(f"/each/{len(ones)}", [-1, *ones], np.int64)
    silent = parts.name(f"{network.output}/silent")
    return parts.do("Reshape", [silent, shape], f"{population.name}/silent_there")


def _longest_delay(network: Network, population: Population) -> int:
    return max((p.delay for p in _connected(network) if p.source == population.name), default=0)


def _connected(network: Network) -> list[Projection]:
    """Return the projections that have a synapse at all: what nobody reads is not computed."""
    return [
        projection
        for projection in network.projections
        if not isinstance(projection.connection, Sparse) or projection.connection.weights.size
    ]


def _send(parts: Parts, network: Network, population: Population, spikes: str) -> None:
    """Count the events in `spikes` (uint8), and keep them where a delay will ask for them."""
    name = population.name
    if any(p.source == name and not p.delay for p in _connected(network)):
        parts.do("Cast", [spikes], f"{name}/values", to=FLOAT)
    event = parts.do("Cast", [spikes], f"{name}/event", to=INT32)
    if population.largest_value > 1:
        one = parts.constant("/one", 1, np.int32)
        event = parts.do("Min", [event, one], f"{name}/sent")
    parts.do("Add", [parts.name(f"{name}/counts"), event], f"{name}/counts_next")
    longest = _longest_delay(network, population)
    if longest:
        axis = parts.constant("/axis", [0], np.int64)
        newest = parts.do("Unsqueeze", [spikes, axis], f"{name}/newest")
        bounds = [parts.constant(f"/from/{n}", [n], np.int64) for n in (1, longest)]
        kept = parts.do(
            "Slice", [parts.name(f"{name}/history"), *bounds, axis], f"{name}/history_kept"
        )
        parts.do("Concat", [kept, newest], f"{name}/history_next", axis=0)


def _activation(parts: Parts, network: Network, population: Population) -> str:
    """Add up what all projections bring, return it as int64 (batch, *shape) or a single zero."""
    name = population.name
    total = ""
    for projection in _connected(network):
        if projection.target != name:
            continue
        summed = _summed(parts, network, projection)
        total = parts.do("Add", [total, summed], f"{projection.name}/total") if total else summed
    if not total:
        return parts.number(0)
    return parts.do("Cast", [total], f"{name}/activation", to=INT64)


def _summed(parts: Parts, network: Network, projection: Projection) -> str:
    """Return the scaled sums of one projection, float32 (batch, *target shape)."""
    name, connection = projection.name, projection.connection
    source, target = network.population(projection.source), network.population(projection.target)
    values = parts.name(f"{source.name}/values")
    if projection.delay:
        past = parts.number(_longest_delay(network, source) - projection.delay)
        arrived = [parts.name(f"{source.name}/history"), past]
        late = parts.do("Gather", arrived, f"{name}/arrived", axis=0)
        values = parts.do("Cast", [late], f"{name}/late", to=FLOAT)
    if isinstance(connection, SumPool):
        connection = depthwise(connection, source.shape[0])
    if isinstance(connection, Conv):
        summed = _convolved(parts, name, connection, values)
    else:
        if isinstance(connection, Sparse):
            weights = _matrix(parts, name, connection)
        else:
            weights = parts.stored(f"{name}/weights", connection.weights, FLOAT)
        flat = parts.do("Flatten", [values], f"{name}/flat", axis=1)
        summed = parts.do("Gemm", [flat, weights], f"{name}/product", transB=1)
        shape = parts.constant(f"{name}/shape", [-1, *target.shape], np.int64)
        summed = parts.do("Reshape", [summed, shape], f"{name}/shaped")
    if projection.weight_exponent:
        scale = 2.0**projection.weight_exponent
        factor = parts.constant(f"{name}/scale", scale, np.float32)
        summed = parts.do("Mul", [summed, factor], f"{name}/scaled")
    if projection.weight_exponent < 0:
        summed = parts.do("Floor", [summed], f"{name}/floored")
    return summed


def _convolved(parts: Parts, name: str, conv: Conv, values: str) -> str:
    weights = parts.stored(f"{name}/weights", conv.weights, FLOAT)
    return parts.do(
        "Conv",
        [values, weights],
        f"{name}/product",
        kernel_shape=conv.kernel,
        strides=conv.stride,
        pads=conv.padding * 2,
        dilations=conv.dilation,
        group=conv.groups,
    )


def _matrix(parts: Parts, name: str, sparse: Sparse) -> str:
    """Spread the listed synapses over a matrix (targets, sources) of zeros."""
    weights = parts.stored(f"{name}/synapses", sparse.weights, FLOAT)
    pairs = np.stack([sparse.rows, sparse.columns], axis=1)
    places = parts.stored(f"{name}/places", pairs, INT64)
    size = parts.constant(f"{name}/size", sparse.shape, np.int64)
    zeros = parts.prepare("ConstantOfShape", [size], f"{name}/zeros")
    return parts.prepare("ScatterND", [zeros, places, weights], f"{name}/weights")


def _update(parts: Parts, population: Population, activation: str, silent: str) -> str:
    """Add the arithmetic of `population`, return its spikes (uint8); of an integrator nothing.

    Where `silent`, if given, is true, neurons do not fire and integrators keep their voltage.
    """
    name = population.name
    half, whole = parts.number(STATE_HALF), parts.number(2 * STATE_HALF)
    aligned = parts.do("Mul", [activation, parts.number(1 << ALIGN_BITS)], f"{name}/aligned")
    current = _decayed(parts, population, "current", population.current_decay)
    current = parts.do("Add", [current, aligned], f"{name}/unwrapped")
    high = parts.do("Greater", [current, half], f"{name}/high")
    low = parts.do("LessOrEqual", [current, parts.number(-STATE_HALF)], f"{name}/low")
    down = parts.do("Sub", [current, whole], f"{name}/down")
    up = parts.do("Add", [current, whole], f"{name}/up")
    raised = parts.do("Where", [low, up, current], f"{name}/raised")
    current = parts.do("Where", [high, down, raised], f"{name}/current_next")
    voltage = _decayed(parts, population, "voltage", population.voltage_decay)
    bias = parts.stored(f"{name}/bias", population.bias << population.bias_exponent, INT64)
    driven = parts.do("Add", [voltage, current], f"{name}/driven")
    biased = parts.do("Add", [driven, bias], f"{name}/biased")
    limits = [parts.number(1 - STATE_HALF), parts.number(STATE_HALF - 1)]
    if population.kind == "integrator":
        if not silent:
            parts.do("Clip", [biased, *limits], f"{name}/voltage_next")
            return ""
        voltage = parts.do("Clip", [biased, *limits], f"{name}/clipped")
        held = parts.name(f"{name}/voltage")
        parts.do("Where", [silent, held, voltage], f"{name}/voltage_next")
        return ""
    voltage = parts.do("Clip", [biased, *limits], f"{name}/clipped")
    threshold = parts.stored(f"{name}/threshold", population.threshold << ALIGN_BITS, INT64)
    above = parts.do("Greater", [voltage, threshold], f"{name}/above")
    parts.do("Where", [above, parts.number(0), voltage], f"{name}/voltage_next")
    if silent:
        awake = parts.do("Not", [silent], f"{name}/awake")
        above = parts.do("And", [above, awake], f"{name}/fires")
    if population.value_bits > 1:
        weights = parts.do("Div", [voltage, parts.number(1 << ALIGN_BITS)], f"{name}/weights")
        limits = [parts.number(1), parts.number(population.largest_value)]
        carried = parts.do("Clip", [weights, *limits], f"{name}/carried")
        above = parts.do("Where", [above, carried, parts.number(0)], f"{name}/sent_now")
    return parts.do("Cast", [above], f"{name}/spikes", to=UINT8)


def _decayed(parts: Parts, population: Population, what: str, decay: NDArray[np.int32]) -> str:
    """Keep (4096 - decay) / 4096 of a state, towards zero."""
    name = f"{population.name}/{what}"
    kept = parts.stored(f"{name}_kept", DECAY_ONE - decay, INT64)
    product = parts.do("Mul", [parts.name(name), kept], f"{name}_product")
    return parts.do("Div", [product, parts.number(DECAY_ONE)], f"{name}_decayed")
