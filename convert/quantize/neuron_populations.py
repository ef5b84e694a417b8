"""Build the populations of imported neurons: one, or several where one cannot compute the same.

The chip adds a bias to the voltage, at every timestep. One that a current filters, or that the
first timestep lacks, comes from the population `<name>.constant`, which spikes at every timestep.

Neurons whose threshold is doubled in a timestep that starts above it (`NeuronParams.doubling`) are

    <name>.membrane  v = (1 - decay) v + input, sends how often v passes the threshold, 0 to 2, and
                     subtracts the threshold for each
    <name>.excess    r = membrane + r of the timestep before >= 2: v was left above the threshold
    <name>           spikes where membrane - r of the timestep before >= 1

The membrane subtracts one threshold too many exactly where r is 1, and gets it back, decayed, in
the next timestep.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .float_network import FloatPopulation, FloatProjection
from .fuse import fuse_linear_ops
from .linear_ops import AffineOp, ConvOp, Float64Array, FusedLinear, LinearOp, Shape
from .neuron_params import NeuronParams, reduce_to_channels


@dataclass(frozen=True, eq=False)
class Incoming:
    """Fused linear operations into neurons, from `source`, and the name of their projection."""

    name: str
    source: str
    linear: FusedLinear
    delay: int = 0


@dataclass(frozen=True, eq=False)
class Pulse:
    """Input of a neuron `delay` timesteps after a spike, one or one per channel."""

    weights: Float64Array
    delay: int


def build_neurons(
    name: str, params: NeuronParams, incoming: Sequence[Incoming]
) -> tuple[tuple[FloatPopulation, ...], tuple[FloatProjection, ...]]:
    """Build the populations of neurons, and all projections into them.

    Args:
        name: Name of the population that spikes.
        params: The neurons.
        incoming: What they get, the layer in front of them included, of one output shape.

    Returns:
        The populations in topological order, the one called `name` last, and their projections.

    Raises:
        NetworkError: Parameters differ within a channel.
    """
    shape = incoming[0].linear.shape
    label = f"{name}-{name}"
    label += "-recurrent" * any(each.name == label for each in incoming)
    every = [replace(each, delay=each.delay + params.delay) for each in incoming]
    every += [Incoming(label, name, own, 1) for own in params.fuse_recurrent(name, shape)]
    every, constants = _split_biases(name, params, every)
    linears, late = [each.linear for each in every], [pulse.weights for pulse in constants]
    population, scaled = params.to_population(name, linears, late)
    main = f"{name}.membrane" if params.doubling else name
    projections = [
        linear.to_projection(each.name, each.source, main, each.delay)
        for each, linear in zip(every, scaled, strict=True)
    ]
    populations: list[FloatPopulation] = []
    if constants:
        constant, from_constant = _constant(name, main, shape, constants)
        populations.append(constant)
        projections += from_constant
    if not params.doubling:
        return (*populations, population), tuple(projections)
    doubling, gates = _double_threshold(name, params, population)
    return (*populations, *doubling), (*projections, *gates)


def constant_pulses(name: str, params: NeuronParams, shape: Shape) -> list[Pulse]:
    """Inputs of the neurons from the second timestep on, as pulses of a spike at each timestep."""
    pulses = []
    late = reduce_to_channels(params.late_input / params.unit, shape, f"{name}: late_input")
    if np.any(late):
        pulses.append(Pulse(late, 1))
    bias = reduce_to_channels(params.late_bias / params.unit, shape, f"{name}: late_bias")
    if np.any(bias):
        pulses += to_voltage(params, bias, shape)
    return pulses


def excess_pulses(params: NeuronParams, shape: Shape) -> list[Pulse]:
    """Pulses returned to a membrane after a timestep that ended above its threshold."""
    kept = 1 - reduce_to_channels(params.voltage_decay, shape, "voltage_decay")
    amount = reduce_to_channels(params.reset_value / params.unit, shape, "reset_value")
    return to_voltage(params, kept * amount, shape)


def to_voltage(params: NeuronParams, amount: Float64Array, shape: Shape) -> list[Pulse]:
    """Pulses that raise a voltage once by `amount`, whatever the current that they pass."""
    kept = 1 - reduce_to_channels(params.current_decay, shape, "current_decay")
    rest = -kept * amount
    return [Pulse(amount, 1), *([Pulse(rest, 2)] if np.any(rest) else [])]


def _split_biases(
    name: str, params: NeuronParams, incoming: list[Incoming]
) -> tuple[list[Incoming], list[Pulse]]:
    """Take the biases that a population cannot hold from its projections."""
    shape = incoming[0].linear.shape
    pulses = constant_pulses(name, params, shape)
    if np.all(params.current_decay == 1) and not params.delay:
        return incoming, pulses
    gain = reduce_to_channels(params.gain / params.unit, shape, f"{name}: gain")
    for delay in sorted({0 if each.source == name else each.delay for each in incoming}):
        chosen = [each for each in incoming if (0 if each.source == name else each.delay) == delay]
        total = sum((each.linear.bias for each in chosen), np.zeros(1)) * gain
        if np.any(total):
            pulses.append(Pulse(total, delay))
    bare = [
        replace(each, linear=replace(each.linear, bias=np.zeros_like(each.linear.bias)))
        for each in incoming
    ]
    return bare, pulses


def _constant(
    node: str, target: str, shape: Shape, pulses: Sequence[Pulse]
) -> tuple[FloatPopulation, list[FloatProjection]]:
    """Neurons that spike at every timestep, one or one per pixel, and their projections.

    A projection to themselves with the weight 0 gives them an input, as every population needs.
    """
    name = f"{node}.constant"
    own: Shape = (1,) if len(shape) == 1 else (1, *shape[1:])
    bias = np.ones(1, np.float32)
    population = FloatPopulation(name, own, bias, 0.5, voltage_decay=1.0, node=node)
    silent = _from_constant(Pulse(np.zeros(1), 1), own)
    projections = [silent.to_projection(f"{name}-{name}", name, name, 1)]
    for number, pulse in enumerate(pulses):
        label = f"{name}-{target}{f'-{number}' if number else ''}"
        linear = _from_constant(pulse, shape)
        made = linear.to_projection(label, name, target, pulse.delay)
        projections.append(replace(made, constant=True))
    return population, projections


def _from_constant(pulse: Pulse, shape: Shape) -> FusedLinear:
    weights = np.broadcast_to(pulse.weights, shape[:1]).reshape(-1, 1)
    op = LinearOp(weights, np.zeros(shape[0]))
    if len(shape) == 1:
        return fuse_linear_ops([("constant", op)], (1,))
    conv = ConvOp(weights[:, :, None, None], op.bias)
    return fuse_linear_ops([("constant", conv)], (1, *shape[1:]))


def _double_threshold(
    name: str, params: NeuronParams, population: FloatPopulation
) -> tuple[list[FloatPopulation], list[FloatProjection]]:
    """The membrane, its excess and the spikes of neurons whose threshold is doubled."""
    shape = population.shape
    membrane = replace(population, name=f"{name}.membrane", max_spikes=2, node=name)
    no_bias = np.zeros(shape[:1], np.float32)
    gate = FloatPopulation("", shape, no_bias, voltage_decay=1.0, node=name)
    excess = replace(gate, name=f"{name}.excess", threshold=1.5)
    spikes = replace(gate, name=name, threshold=0.5, node="")
    one = np.ones(1)
    pairs = [
        (membrane, excess, Pulse(one, 0)),
        (excess, excess, Pulse(one, 1)),
        (membrane, spikes, Pulse(one, 0)),
        (excess, spikes, Pulse(-one, 1)),
        *((excess, membrane, pulse) for pulse in excess_pulses(params, shape)),
    ]
    projections = []
    for source, target, pulse in pairs:
        label = f"{source.name}-{target.name}{f'-{pulse.delay}' if pulse.delay > 1 else ''}"
        linear = fuse_linear_ops([(name, AffineOp(pulse.weights, np.zeros(1)))], shape)
        projections.append(linear.to_projection(label, source.name, target.name, pulse.delay))
    return [membrane, excess, spikes], projections
