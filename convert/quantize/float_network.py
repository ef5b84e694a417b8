"""The trained network in real numbers, before rounding: what every reader of models gives.

Batch norm is already folded, so that per neuron and step

    u = (1 - current_decay) u + sum over synapses of weights * values
    v = (1 - voltage_decay) v + u + bias
    spike where v > threshold, and then v = 0
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Pair = tuple[int, int]


@dataclass(frozen=True)
class FloatPopulation:
    """One population in real numbers.

    `bias` is float32, one value a channel (or neuron of a flat population). Decays are the share
    lost each step, 0 to 1: one number, or one a channel or neuron as the bias. A population that
    does not `spike` is read by its voltage; how far that is known to get, `reach`, its integers
    will hold (0: not known). With `by_channel`, each channel is rounded at a scale of its own and
    gets a threshold of its own: in real numbers that changes no spike.
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


@dataclass(frozen=True)
class FloatProjection:
    """One projection in real numbers.

    `weights` is float32: (outputs, inputs / groups, height, width) for `conv`, (targets, sources)
    for `dense`, a single value of shape (1,) for `sum_pool`, whose window is `kernel`. They are
    rounded to `bits` bits, 4 to 8.
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
    weight_bits: int = 8


@dataclass(frozen=True)
class FloatNetwork:
    """A trained network: an input of `input_shape` with `value_bits`, populations, projections."""

    input_name: str
    input_shape: tuple[int, ...]
    value_bits: int
    populations: tuple[FloatPopulation, ...]
    projections: tuple[FloatProjection, ...]
    output: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


def use_per_channel_scales(graph: FloatNetwork) -> FloatNetwork:
    """Return `graph` with every population that can be rounded by channel rounded so."""
    pooled = {s.target for s in graph.projections if s.kind == "sum_pool"}
    neurons = (
        replace(n, per_channel=n.spiking and n.name not in pooled) for n in graph.populations
    )
    return replace(graph, populations=tuple(neurons))


def set_weight_bits(graph: FloatNetwork, bits: int | Mapping[str, int]) -> FloatNetwork:
    """Return `graph` with weights of `bits` bits: the same for all, or by the population reached.

    Populations that `bits` leaves out keep theirs.
    """

    def wanted(synapses: FloatProjection) -> int:
        return bits if isinstance(bits, int) else bits.get(synapses.target, synapses.weight_bits)

    return replace(
        graph, projections=tuple(replace(s, weight_bits=wanted(s)) for s in graph.projections)
    )
