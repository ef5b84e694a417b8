"""Float network: populations and projections before quantization, as every importer returns them.

Batch norm is folded into weights and bias, so that per neuron and timestep

    u = (1 - current_decay) u + sum over projections of weights * values
    v = (1 - voltage_decay) v + u + bias
    spike where v > threshold, and then v = 0

or another reset, an adaptive threshold, which fires at the threshold too, a refractory period,
several spikes in a timestep or a lower bound of the voltage:
those of `runtime/arithmetic.py`, without rounding. Populations that send `messages` are sigma-delta
neurons:

    sigma = sigma + sum over projections of weights * messages
    act = max(sigma + bias, 0), of a delta encoder the sum itself, in multiples of the largest power
          of two in its threshold
    message = act - sent, and sent = act, where |act - sent| >= threshold, else 0
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import NetworkError
from ...runtime.population import Population, Reset
from ...runtime.readout import Readout
from .scales import WEIGHT_BITS

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Pair = tuple[int, int]
Messages = Literal["", "delta", "sigma_delta", "sigma"]
MIN_WEIGHT_BITS = 4


@dataclass(frozen=True)
class FloatPopulation:
    """A population of neurons with float parameters.

    Attributes:
        name: Name of the population.
        shape: (channels, height, width) or (neurons,).
        bias: float32, one value per channel, or per neuron of a flat population.
        threshold: Firing threshold; neurons spike above it.
        current_decay: Fraction of the current lost per timestep, 0 to 1: one number, or one per
            channel or neuron as the bias.
        voltage_decay: Fraction of the voltage lost per timestep, likewise.
        spiking: False for an integrator, which is read by its voltage.
        per_channel: Quantize each channel at its own scale, with its own integer threshold. In
            floats this changes no spike.
        max_abs_voltage: Largest voltage that an integrator is known to reach; its integers will
            represent it (0: unknown).
        node: Name of the layer or node that it was imported from, empty where that is `name`.
        reset: What a spike does to the voltage, as in `Population`.
        reset_value: Voltage after a spike, or what it subtracts: one number, or one per channel.
        refractory: Timesteps after a spike in which the voltage is held.
        max_spikes: Most spikes of a neuron in one timestep, each of which subtracts `reset_value`.
        min_voltage: Lower bound of the voltage: one number, or one per channel.
        threshold_step: Raise of an "adaptive" threshold by a spike: one number, or one per channel.
        threshold_decay: Fraction of the raise lost per timestep, 0 to 1, likewise.
        refractory_decay: Fraction of the refractory value lost per timestep, 0 to 1, likewise.
        messages: Role in a sigma-delta network: "delta" for an encoder of the input, "sigma_delta"
            for a layer, "sigma" for the read-out, which adds messages up; empty for spikes.
    """

    name: str
    shape: tuple[int, ...]
    bias: Float32Array
    threshold: float = 1.0
    current_decay: float | Float64Array = 1.0
    voltage_decay: float | Float64Array = 0.0
    spiking: bool = True
    per_channel: bool = False
    max_abs_voltage: float = 0.0
    node: str = ""
    reset: Reset = "zero"
    reset_value: float | Float64Array = 0.0
    refractory: int = 0
    max_spikes: int = 1
    min_voltage: float | Float64Array = -np.inf
    threshold_step: float | Float64Array = 0.0
    threshold_decay: float | Float64Array = 1.0
    refractory_decay: float | Float64Array = 1.0
    messages: Messages = ""


@dataclass(frozen=True)
class FloatProjection:
    """A projection with float weights.

    Attributes:
        name: Name of the projection.
        source: Name of the presynaptic population, or of the input.
        target: Name of the postsynaptic population.
        kind: `conv`, `dense` or `sum_pool`.
        weights: float32: (outputs, inputs / groups, height, width) for `conv`, (targets, sources)
            for `dense`, one value of shape (1,) for `sum_pool`.
        stride: Stride of `conv` and `sum_pool`, (vertical, horizontal) as all pairs.
        padding: Zero padding of `conv` and `sum_pool`.
        dilation: Dilation of `conv`.
        groups: Groups of `conv`.
        kernel: Window of `sum_pool`.
        delay: Axonal delay in timesteps.
        weight_bits: Bits that the weights are quantized to, 4 to 8.
        constant: True where the source spikes at every timestep: the weights are biases, and small
            ones do not make the scale of their target finer.
        divides: Whether the sum may be divided, by a negative weight exponent, where the scale is
            too coarse for the weights; it then is rounded down.
        max_value: Largest value of the source; its `FloatNetwork` sets it.
    """

    name: str
    source: str
    target: str
    kind: Literal["conv", "dense", "sum_pool"]
    weights: Float32Array
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    kernel: Pair = (1, 1)
    delay: int = 0
    weight_bits: int = WEIGHT_BITS
    constant: bool = False
    divides: bool = True
    max_value: int = 1


@dataclass(frozen=True)
class FloatNetwork:
    """A trained network before quantization.

    Attributes:
        input_name: Name of the input population.
        input_shape: Its shape, (channels, height, width) or (neurons,).
        value_bits: Bits of an input value: 1 for spikes, up to 8 for graded values.
        populations: All others, each after those that reach it without delay.
        projections: All projections.
        output: Name of the population that is read out.
        provenance: Where the network comes from, JSON values.
        readout: How the output becomes predictions; the scale of a regression is per float unit.
        inputs: The input population, in a tuple as `Network.inputs`.

    Raises:
        NetworkError: `input_shape` or `value_bits` is not that of a population.
    """

    input_name: str
    input_shape: tuple[int, ...]
    value_bits: int
    populations: tuple[FloatPopulation, ...]
    projections: tuple[FloatProjection, ...]
    output: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    readout: Readout = Readout()
    inputs: tuple[Population, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        population = Population(
            self.input_name, self.input_shape, "input", value_bits=self.value_bits
        )
        object.__setattr__(self, "inputs", (population,))
        largest = {each.name: each.max_spikes for each in self.populations}
        largest[self.input_name] = population.max_value
        projections = (_set_max_value(p, largest.get(p.source, 1)) for p in self.projections)
        object.__setattr__(self, "projections", tuple(projections))


def _set_max_value(projection: FloatProjection, value: int) -> FloatProjection:
    return projection if projection.max_value == value else replace(projection, max_value=value)


def sends_messages(network: FloatNetwork) -> bool:
    """True for a sigma-delta network."""
    return any(population.messages for population in network.populations)


def as_shape(shape: Any) -> tuple[int, ...]:
    """Convert an input shape to a tuple; raises `NetworkError` where it is no sequence."""
    try:
        return tuple(shape)
    except TypeError:
        raise NetworkError(
            f"input_shape is {shape!r}, needs (neurons,) or (channels, height, width)"
        ) from None


def use_per_channel_scales(network: FloatNetwork) -> FloatNetwork:
    """Quantize per channel every spiking population that no sum pool projects to."""
    pooled = {p.target for p in network.projections if p.kind == "sum_pool"}
    populations = (
        replace(p, per_channel=p.spiking and p.name not in pooled) for p in network.populations
    )
    return replace(network, populations=tuple(populations))


def set_weight_bits(network: FloatNetwork, bits: int | Mapping[str, int]) -> FloatNetwork:
    """Set the bits that weights are quantized to.

    Args:
        network: The network.
        bits: 4 to 8 for all weights, or for those into each population by its name; populations
            that it leaves out keep theirs.

    Raises:
        NetworkError: Bits are out of range, or there is no such population.
    """
    names = {p.name for p in network.populations}
    by_name = bits if isinstance(bits, Mapping) else dict.fromkeys(names, bits)
    for name, value in by_name.items():
        if name not in names:
            raise NetworkError(
                f"{name}: weight bits for a population that is not there; needs one of "
                f"{', '.join(sorted(names))}"
            )
        if value not in range(MIN_WEIGHT_BITS, WEIGHT_BITS + 1):
            raise NetworkError(
                f"{name}: {value!r} weight bits, needs {MIN_WEIGHT_BITS} to {WEIGHT_BITS}"
            )
    projections = (
        replace(p, weight_bits=int(by_name.get(p.target, p.weight_bits)))
        for p in network.projections
    )
    return replace(network, projections=tuple(projections))
