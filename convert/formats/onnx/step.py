"""One timestep of a network as ONNX operators: `runtime/arithmetic.py` restated.

All of it is exact. Activations are float32 sums of integers, which a `Network` bounds below 2^23;
scaling them by a power of two is exact, and `Floor` after it is the chip's right shift. States are
int64, where `Div` rounds towards zero as the chip does.
"""

from dataclasses import dataclass

import numpy as np

from ....runtime.connections import Connection, Conv, Sparse, SumPool, as_depthwise_conv
from ....runtime.network import Network, is_modular
from ....runtime.neuron_types import FEATURES, require_features
from ....runtime.population import ENCODERS, RESONATORS, Component, Population
from ....runtime.projection import Projection
from .builder import BOOL, FLOAT, INT32, INT64, UINT8, GraphBuilder
from .early_exit import add_early_exit
from .lif import add_integrator, add_lif
from .messages import add_digits, add_encoder, digit_bits
from .readout import HELD_DECISIONS, add_readout, output_state
from .resonators import add_resonators

MEANINGS = {
    "current": "synaptic current, in 1/64 weights",
    "voltage": "membrane voltage, in 1/64 weights",
    "counts": "events sent since the first step",
    "history": "values of the last steps, the newest last",
    "steps": "steps until the sample stopped",
    "stopped": "1 where the sample has stopped",
    "score": "spikes sent since the first step, of which an event may be several",
    "adaptation": "raise of the threshold, in 1/64 weights",
    "refractory": "what the voltage has to exceed beside the threshold, in 1/64 weights",
    "logits": "logits by the readout rule, in units of the output",
    "ran": "steps since the first",
    "real": "real part of the state, in 1/64 weights",
    "imag": "imaginary part of the state, in 1/64 weights",
    "countdown": "timesteps that are left of a refractory period",
}


@dataclass(frozen=True)
class StateSpec:
    """A value carried from timestep to timestep, zero at the start.

    Attributes:
        population: Population that it belongs to.
        kind: A key of `MEANINGS`.
        dtype: ONNX type.
        shape: Shape of one sample; the value is (batch, *shape), a history (steps, batch, *shape).
        steps: Length of a history, else 0.
    """

    population: str
    kind: str
    dtype: int
    shape: tuple[int, ...]
    steps: int = 0

    @property
    def name(self) -> str:
        """Name at the start of a timestep; at its end it has `_next` appended."""
        return f"{self.population}/{self.kind}"

    @property
    def meaning(self) -> str:
        """Description in one line, for users who carry the state."""
        return MEANINGS[self.kind]


def list_states(network: Network) -> list[StateSpec]:
    """List the states that `network` carries from timestep to timestep."""
    states = []
    for p in (*network.inputs, *network.topological_order):
        if p.kind != "input":
            states += [StateSpec(p.name, kind, INT64, p.shape) for kind in p.states]
        if p.kind != "integrator":
            states.append(StateSpec(p.name, "counts", INT32, p.shape))
            if delay := _max_delay(network, p):
                states.append(StateSpec(p.name, "history", value_type(p), p.shape, delay))
    output = network.population(network.output)
    if _reads_score(network):
        states.append(StateSpec(output.name, "score", INT32, output.shape))
    if network.readout.decision in HELD_DECISIONS:
        states.append(StateSpec(output.name, "logits", INT64, output.shape))
        states.append(StateSpec(output.name, "ran", INT64, ()))
    if network.early_exit:
        states += [StateSpec(network.output, kind, INT64, ()) for kind in ("steps", "stopped")]
    return states


def add_step(builder: GraphBuilder, network: Network) -> None:
    """Add one timestep: from inputs and states to the `spikes` and next states of populations."""
    require_features(network, "the ONNX export", FEATURES)
    early = network.early_exit is not None
    if early:
        stopped = builder.step_name(f"{network.output}/stopped")
        builder.add_node("Cast", [stopped], f"{network.output}/inactive", to=BOOL)
    for population in network.inputs:
        spikes = builder.step_name(population.name)
        if early:
            zero = builder.add_constant(_zero_name(population), 0, population.value_type)
            inactive = _add_inactive_mask(builder, network, population)
            spikes = builder.add_node("Where", [inactive, zero, spikes], f"{population.name}/read")
        _emit_spikes(builder, network, population, spikes)
    for population in network.topological_order:
        inactive = _add_inactive_mask(builder, network, population) if early else ""
        activation = _sum_inputs(builder, network, population)
        if population.kind == "integrator":
            add_integrator(builder, population, activation, inactive)
        elif population.kind in RESONATORS:
            imag = _sum_inputs(builder, network, population, "imag")
            spikes = add_resonators(builder, population, (activation, imag), inactive)
            _emit_spikes(builder, network, population, spikes)
        else:
            encodes = population.kind in ENCODERS
            update = add_encoder if encodes else add_lif
            spikes = update(builder, population, activation, inactive)
            _emit_spikes(builder, network, population, spikes)
    if network.early_exit:
        add_early_exit(builder, network, network.early_exit)
    if network.readout.decision in HELD_DECISIONS:
        add_readout(builder, network)


def _reads_score(network: Network) -> bool:
    """True where the step itself reads an output whose events are several spikes each."""
    output = network.population(network.output)
    reads = network.early_exit is not None or network.readout.decision in HELD_DECISIONS
    return reads and output_state(output) == "score"


def value_type(population: Population) -> int:
    """ONNX type of the values that `population` sends."""
    return UINT8 if population.value_type is np.uint8 else INT32


def _zero_name(population: Population) -> str:
    return "/zero" if population.value_type is np.uint8 else "/zero_message"


def _add_inactive_mask(builder: GraphBuilder, network: Network, population: Population) -> str:
    """Samples that have stopped, bool (batch, 1, ...), broadcast to `population`."""
    ones = (1,) * len(population.shape)
    shape = builder.add_constant(f"/each/{len(ones)}", [-1, *ones], np.int64)
    inactive = builder.step_name(f"{network.output}/inactive")
    return builder.add_node("Reshape", [inactive, shape], f"{population.name}/inactive_mask")


def _max_delay(network: Network, population: Population) -> int:
    projections = _nonempty_projections(network)
    return max((p.delay for p in projections if p.source == population.name), default=0)


def _nonempty_projections(network: Network) -> list[Projection]:
    """Projections that have a synapse at all: values that nothing reads are not computed."""
    return [
        projection
        for projection in network.projections
        if not isinstance(projection.connection, Sparse) or projection.connection.weights.size
    ]


def _emit_spikes(
    builder: GraphBuilder, network: Network, population: Population, spikes: str
) -> None:
    """Count the events in `spikes`, and append them to the history for delays."""
    name = population.name
    if any(p.source == name and not p.delay for p in _nonempty_projections(network)):
        builder.add_node("Cast", [spikes], f"{name}/values", to=_summed_type(population))
    event = builder.add_node("Cast", [spikes], f"{name}/event", to=INT32)
    if population.signed:
        event = builder.add_node("Abs", [event], f"{name}/magnitude")
    if population.value_bits > 1:
        one = builder.add_constant("/one", 1, np.int32)
        event = builder.add_node("Min", [event, one], f"{name}/sent")
    builder.add_node("Add", [builder.step_name(f"{name}/counts"), event], f"{name}/counts_next")
    if name == network.output and _reads_score(network):
        sent = builder.add_node("Cast", [spikes], f"{name}/number", to=INT32)
        builder.add_node("Add", [builder.step_name(f"{name}/score"), sent], f"{name}/score_next")
    delay = _max_delay(network, population)
    if delay:
        axis = builder.add_constant("/axis", [0], np.int64)
        newest = builder.add_node("Unsqueeze", [spikes, axis], f"{name}/newest")
        bounds = [builder.add_constant(f"/from/{n}", [n], np.int64) for n in (1, delay)]
        history = builder.step_name(f"{name}/history")
        recent = builder.add_node("Slice", [history, *bounds, axis], f"{name}/history_recent")
        builder.add_node("Concat", [recent, newest], f"{name}/history_next", axis=0)


def _summed_type(source: Population) -> int:
    """Type of the values that projections read: messages are split into digits first."""
    return FLOAT if source.value_type is np.uint8 else INT64


def _sum_inputs(
    builder: GraphBuilder, network: Network, population: Population, component: Component = "real"
) -> str:
    """Add up the incoming projections of a component, int64 (batch, *shape) or a single zero."""
    total = ""
    sources = [network.population(p.source) for p in network.incoming(population.name)]
    integers = is_modular(population) or any(s.value_type is not np.uint8 for s in sources)
    for projection in _nonempty_projections(network):
        if (projection.target, projection.component) != (population.name, component):
            continue
        summed = _apply_projection(builder, network, projection)
        if integers and network.population(projection.source).value_type is np.uint8:
            summed = builder.add_node("Cast", [summed], f"{projection.name}/integer", to=INT64)
        if total:
            summed = builder.add_node("Add", [total, summed], f"{projection.name}/total")
        total = summed
    if not total:
        return builder.add_scalar(0)
    name = f"{population.name}/activation" + ("_imag" if component == "imag" else "")
    return builder.add_node("Cast", [total], name, to=INT64)


def _apply_projection(builder: GraphBuilder, network: Network, projection: Projection) -> str:
    """Scaled sums of one projection (batch, *target shape): float32, int64 where of messages."""
    name, connection = projection.name, projection.connection
    source, target = network.population(projection.source), network.population(projection.target)
    values = builder.step_name(f"{source.name}/values")
    if projection.delay:
        past = builder.add_scalar(_max_delay(network, source) - projection.delay)
        history = builder.step_name(f"{source.name}/history")
        arrived = builder.add_node("Gather", [history, past], f"{name}/arrived", axis=0)
        values = builder.add_node("Cast", [arrived], f"{name}/delayed", to=_summed_type(source))
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    if isinstance(connection, Sparse):
        weights = _scatter_to_dense(builder, name, connection)
    else:
        weights = builder.add_initializer(f"{name}/weights", connection.weights, FLOAT)
    if source.value_type is not np.uint8:
        return _sum_messages(builder, projection, connection, values, (source, target, weights))
    summed = _multiply(builder, name, connection, values, weights, target)
    if projection.weight_exponent:
        scale = 2.0**projection.weight_exponent
        factor = builder.add_constant(f"{name}/scale", scale, np.float32)
        summed = builder.add_node("Mul", [summed, factor], f"{name}/scaled")
    if projection.weight_exponent < 0:
        summed = builder.add_node("Floor", [summed], f"{name}/floored")
    return summed


def _sum_messages(
    builder: GraphBuilder,
    projection: Projection,
    connection: Connection,
    messages: str,
    ends: tuple[Population, Population, str],
) -> str:
    """Scaled sums of int64 messages, int64; `ends` are source, target and the name of weights."""
    source, target, weights = ends
    name, exponent = projection.name, projection.weight_exponent
    bits, total = digit_bits(connection, name), ""
    for number, digit in enumerate(add_digits(builder, name, messages, source, bits)):
        who = f"{name}/{number}"
        product = _multiply(builder, who, connection, digit, weights, target)
        summed = builder.add_node("Cast", [product], f"{who}/integer", to=INT64)
        factor = builder.add_scalar(1 << bits * number)
        summed = builder.add_node("Mul", [summed, factor], f"{who}/shifted")
        total = builder.add_node("Add", [total, summed], f"{who}/total") if total else summed
    scale = builder.add_scalar(1 << abs(exponent))
    return builder.add_node("Mul" if exponent >= 0 else "Div", [total, scale], f"{name}/scaled")


def _multiply(
    builder: GraphBuilder,
    name: str,
    connection: Connection,
    values: str,
    weights: str,
    target: Population,
) -> str:
    """Weighted sums of float32 `values`, float32 (batch, *target shape)."""
    if isinstance(connection, Conv):
        return _apply_conv(builder, name, connection, values, weights)
    flat = builder.add_node("Flatten", [values], f"{name}/flat", axis=1)
    summed = builder.add_node("Gemm", [flat, weights], f"{name}/product", transB=1)
    shape = builder.add_constant(f"{name}/shape", [-1, *target.shape], np.int64)
    return builder.add_node("Reshape", [summed, shape], f"{name}/shaped")


def _apply_conv(builder: GraphBuilder, name: str, conv: Conv, values: str, weights: str) -> str:
    return builder.add_node(
        "Conv",
        [values, weights],
        f"{name}/product",
        kernel_shape=conv.kernel,
        strides=conv.stride,
        pads=conv.padding * 2,
        dilations=conv.dilation,
        group=conv.groups,
    )


def _scatter_to_dense(builder: GraphBuilder, name: str, sparse: Sparse) -> str:
    """Scatter the listed synapses into a matrix (targets, sources) of zeros."""
    weights = builder.add_initializer(f"{name}/synapses", sparse.weights, FLOAT)
    pairs = np.stack([sparse.rows, sparse.columns], axis=1)
    indices = builder.add_initializer(f"{name}/indices", pairs, INT64)
    size = builder.add_constant(f"{name}/size", sparse.shape, np.int64)
    zeros = builder.add_setup_node("ConstantOfShape", [size], f"{name}/zeros")
    return builder.add_setup_node("ScatterND", [zeros, indices, weights], f"{name}/weights")
