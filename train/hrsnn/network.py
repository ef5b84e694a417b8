"""Recurrent network of excitatory and inhibitory LIF neurons with heterogeneous constants."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import ValueEquality
from ...runtime.errors import NetworkError
from .options import HrsnnOptions
from .stdp import StdpParams, sample_stdp_params
from .wiring import (
    SYNAPSE_CLASSES,
    PopulationSizes,
    Wiring,
    pixel_positions,
    sample_neighbors,
    sample_positions,
)

Shape = tuple[int, int, int]
FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class RecurrentNetwork(ValueEquality):
    """Recurrent spiking network; training returns a new one.

        a_i[t] = sum_inputs w s[t] + sum_neurons w s[t - 1]
        v_i[t] = decay_factor_i v_i[t-1] + a_i[t];  a spike where v > threshold, then v = 0

    Arrays are read-only.

    Args:
        shape: Shape of the input, (channels, height, width).
        wiring: Sources and targets of the synapses.
        decay_factor: exp(-1 / tau_i), the fraction of its voltage that a neuron retains per
            timestep, float32 (neurons,), excitatory neurons first.
        threshold: Float32 (neurons,).
        weights: Float32 (synapses,), non-positive for inhibitory sources, else non-negative (Dale's
            law).
        stdp: Constants of plasticity.
        options: Options that the network was built with.

    Raises:
        NetworkError: An array has another size or is not finite, or a weight has the wrong sign.
    """

    shape: Shape
    wiring: Wiring
    decay_factor: FloatArray
    threshold: FloatArray
    weights: FloatArray
    stdp: StdpParams
    options: HrsnnOptions

    def __post_init__(self) -> None:
        neurons, synapses = self.wiring.sizes.neurons, len(self.wiring.sources)
        for name, size in (
            ("decay_factor", neurons),
            ("threshold", neurons),
            ("weights", synapses),
        ):
            array = np.array(getattr(self, name))
            if array.shape != (size,) or not np.isfinite(array).all():
                raise NetworkError(f"{name}: shape {array.shape}, needs ({size},) and finite")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        inhibitory = self.wiring.sources >= self.wiring.sizes.inputs + self.wiring.sizes.excitatory
        invalid = np.flatnonzero(np.where(inhibitory, self.weights > 0, self.weights < 0))
        if invalid.size:
            raise NetworkError(
                f"synapse {invalid[0]}: weight {self.weights[invalid[0]]:g} has the wrong sign; "
                "inhibitory neurons need at most 0, others at least 0"
            )

    def replace(self, **values: Any) -> "RecurrentNetwork":
        """Copy with some fields replaced."""
        return replace(self, **values)


def build_recurrent_network(
    options: HrsnnOptions, shape: Shape, dtype: Any = np.float32
) -> RecurrentNetwork:
    """Build an untrained network for inputs of `shape`, sampled from `options.seed`.

    Positions, wiring, initial weights, time constants and plasticity have a random stream each, so
    that homogeneous and heterogeneous distributions are compared on the same wiring.
    """
    streams = [np.random.default_rng([options.seed, k]) for k in range(5)]
    wiring = build_wiring(options, shape, streams[0], streams[1])
    w_max = max_weights(wiring, options)
    inhibitory = wiring.sources >= wiring.sizes.inputs + wiring.sizes.excitatory
    weights = np.where(inhibitory, -0.5, streams[2].uniform(0.25, 0.75, w_max.size)) * w_max
    tau = np.concatenate(
        [
            options.tau_mem_excitatory.sample(options.excitatory, streams[3]),
            options.tau_mem_inhibitory.sample(options.inhibitory, streams[3]),
        ]
    )
    stdp = sample_stdp_params(wiring, options, w_max, streams[4], dtype)
    decay_factor = np.exp(-1 / tau)
    threshold = np.ones(len(decay_factor))
    return RecurrentNetwork(
        shape,
        wiring,
        decay_factor.astype(dtype),
        threshold.astype(dtype),
        weights.astype(dtype),
        stdp,
        options,
    )


def build_wiring(
    options: HrsnnOptions,
    shape: Shape,
    position_generator: np.random.Generator,
    wiring_generator: np.random.Generator,
) -> Wiring:
    """Sample the positions of the neurons and the synapses of all classes."""
    channels, height, width = shape
    sizes = PopulationSizes(channels * height * width, options.excitatory, options.inhibitory)
    neurons = sample_positions(sizes.neurons, position_generator)
    excitatory, inhibitory = (neurons[part] for part in sizes.populations.values())
    groups = {
        "input": (pixel_positions(shape), neurons * [1, 1, 0], 0, 0),
        "ee": (excitatory, excitatory, sizes.inputs, 0),
        "ei": (excitatory, inhibitory, sizes.inputs, options.excitatory),
        "ie": (inhibitory, excitatory, sizes.inputs + options.excitatory, 0),
        "ii": (inhibitory, inhibitory, sizes.inputs + options.excitatory, options.excitatory),
    }
    sources, targets, classes = [], [], []
    for number, name in enumerate(SYNAPSE_CLASSES):
        source_positions, target_positions, first_source, first_target = groups[name]
        degree = options.input_degree if name == "input" else options.in_degree
        scale = options.input_length_scale if name == "input" else options.length_scale
        columns, rows = sample_neighbors(
            source_positions, target_positions, degree, scale, wiring_generator
        )
        sources.append(columns + first_source)
        targets.append(rows + first_target)
        classes.append(np.full(len(rows), number))
    return Wiring(sizes, *(np.concatenate(each) for each in (sources, targets, classes)))


def max_weights(wiring: Wiring, options: HrsnnOptions) -> FloatArray:
    """w_max of each synapse: twice the strength of its class over the in-degree of that class."""
    w_max = np.zeros(len(wiring.sources))
    for number, name in enumerate(SYNAPSE_CLASSES):
        members = wiring.classes == number
        degrees = np.bincount(wiring.targets[members], minlength=wiring.sizes.neurons)
        w_max[members] = 2 * getattr(options.strengths, name) / degrees[wiring.targets[members]]
    return w_max
