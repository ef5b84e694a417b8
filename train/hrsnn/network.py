"""The recurrent network: leaky neurons with time constants of their own, excited and inhibited."""

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
    """Neurons and synapses, as they are now; learning gives a new one.

        a_i[t] = sum_inputs w s[t] + sum_neurons w s[t - 1]
        v_i[t] = kept_i v_i[t-1] + a_i[t];  a spike where v > threshold, and v = 0

    `shape` (channels, height, width) of the input. `kept`: exp(-1 / tau_i), the share of its
    voltage that a neuron keeps a step, and `threshold`, both float32 (neurons,), excitatory first.
    `weights`: float32 (synapses,), of inhibitory sources at most 0 and of others at least 0 (Dale).
    Arrays are read-only. Raises `NetworkError` where one does not fit.
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
        wrong = np.flatnonzero(np.where(inhibitory, self.weights > 0, self.weights < 0))
        if wrong.size:
            raise NetworkError(
                f"synapse {wrong[0]}: weight {self.weights[wrong[0]]:g} has the wrong sign; "
                "inhibitory neurons need at most 0, others at least 0"
            )

    def replace(self, **values: Any) -> "RecurrentNetwork":
        """Return it with some arrays replaced."""
        return replace(self, **values)


def build_recurrent_network(
    options: HrsnnOptions, shape: Shape, dtype: Any = np.float32
) -> RecurrentNetwork:
    """Return an untrained network for inputs of `shape`, drawn from `options.seed`.

    Places, wiring, first weights, time constants and plasticity have a random stream each, so
    that laws with and without spread are compared on one wiring.
    """
    streams = [np.random.default_rng([options.seed, k]) for k in range(5)]
    wiring = build_wiring(options, shape, streams[0], streams[1])
    most = max_weights(wiring, options)
    inhibitory = wiring.sources >= wiring.sizes.inputs + wiring.sizes.excitatory
    weights = np.where(inhibitory, -0.5, streams[2].uniform(0.25, 0.75, most.size)) * most
    tau = np.concatenate(
        [
            options.tau_mem_excitatory.sample(options.excitatory, streams[3]),
            options.tau_mem_inhibitory.sample(options.inhibitory, streams[3]),
        ]
    )
    rule = sample_stdp_params(wiring, options, most, streams[4], dtype)
    kept = np.exp(-1 / tau)
    threshold = np.ones(len(kept))
    return RecurrentNetwork(
        shape, wiring, kept.astype(dtype), threshold.astype(dtype), weights.astype(dtype), rule,
        options,
    )  # fmt: skip


def build_wiring(
    options: HrsnnOptions,
    shape: Shape,
    places: np.random.Generator,
    draws: np.random.Generator,
) -> Wiring:
    """Draw where neurons stand, and the synapses of all classes."""
    channels, height, width = shape
    sizes = PopulationSizes(channels * height * width, options.excitatory, options.inhibitory)
    neurons = sample_positions(sizes.neurons, places)
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
        of, to, first_source, first_target = groups[name]
        degree = options.input_degree if name == "input" else options.in_degree
        reach = options.input_length_scale if name == "input" else options.length_scale
        columns, rows = sample_neighbors(of, to, degree, reach, draws)
        sources.append(columns + first_source)
        targets.append(rows + first_target)
        classes.append(np.full(len(rows), number))
    return Wiring(sizes, *(np.concatenate(each) for each in (sources, targets, classes)))


def max_weights(wiring: Wiring, options: HrsnnOptions) -> FloatArray:
    """Return w_max of each synapse: twice its class's strength over the in-degree of that class."""
    most = np.zeros(len(wiring.sources))
    for number, name in enumerate(SYNAPSE_CLASSES):
        of = wiring.classes == number
        degrees = np.bincount(wiring.targets[of], minlength=wiring.sizes.neurons)
        most[of] = 2 * getattr(options.strengths, name) / degrees[wiring.targets[of]]
    return most
