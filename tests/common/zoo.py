"""One network with every kind of population and projection, each named for its special case.

Random networks of `strategies` find unexpected failures; this one names what fails.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse, SumPool

rng = np.random.default_rng(7)
IMAGE = (2, 6, 7)
LEAKY: dict[str, Any] = {"current_decay": 1500, "voltage_decay": 200, "threshold": 150}
HIGH_THRESHOLD = LEAKY | {"threshold": 6000}
BIASED = LEAKY | {"bias": 70}
GRADED = {"voltage_decay": 3000, "threshold": 1, "value_bits": 3}
TO_VALUE = {"reset": "value", "reset_value": [-40, 60, 0]}
SOFT = {"threshold": 150, "reset": "subtract", "reset_value": 150}
LATE_SOFT = {"threshold": 150, "reset": "delayed_subtract", "reset_value": np.arange(100, 120)}
MAX_BIAS = LEAKY | {"bias": 4095, "bias_exponent": 7}
TIMESTEPS, SAMPLES = 8, 3


def even_weights(*shape: int) -> NDArray[np.int64]:
    """Weights of mixed sign, more of them positive."""
    return rng.integers(-50, 75, shape) * 2


def sparse_connection(targets: int, sources: int, low: int = -40) -> Sparse:
    """About 30 % of all synapses."""
    rows, columns = np.nonzero(rng.random((targets, sources)) < 0.3)
    return Sparse(rng.integers(low, 60, rows.size) * 2, rows, columns, (targets, sources))


def same_conv(targets: int, sources: int) -> Conv:
    """3x3 convolution that preserves the size."""
    return Conv(even_weights(targets, sources, 3, 3), (1, 1), (1, 1))


PER_CHANNEL = {
    "threshold": [90, 120, 200],
    "bias": [0, 5, -5],
    "current_decay": [9, 4096, 1],
    "voltage_decay": [3, 0, 4096],
}
PER_NEURON = {
    "threshold": np.arange(20) * 20,
    "bias": np.arange(20) - 10,
    "bias_exponent": 3,
    "current_decay": np.arange(20) * 200,
    "voltage_decay": np.arange(20) * 100,
}
# Shape, parameters, and incoming projections: source, connection, weight_exponent, delay.
Kind = tuple[tuple[int, ...], dict[str, Any], list[tuple[Any, ...]]]
KINDS: dict[str, Kind] = {
    "strided": ((4, 3, 7), LEAKY, [("image", Conv(even_weights(4, 2, 3, 3), (2, 1), (1, 1)))]),
    "dilated": (
        (3, 4, 7),
        LEAKY,
        [("image", Conv(even_weights(3, 2, 3, 2), (1, 1), (1, 1), (2, 2)))],
    ),
    "grouped": (
        (4, 6, 7),
        LEAKY,
        [("image", Conv(even_weights(4, 1, 3, 1), padding=(1, 0), groups=2))],
    ),
    "pooled": ((2, 3, 4), LEAKY, [("image", SumPool((2, 2), (2, 2), (0, 1), 90))]),
    "conv_up": ((3, 6, 7), LEAKY, [("image", Conv(even_weights(3, 2, 1, 1)), 2)]),
    "conv_down": ((3, 6, 7), LEAKY, [("image", Conv(even_weights(3, 2, 1, 1)), -1)]),
    "dense": ((20,), LEAKY, [("image", Dense(even_weights(20, 84)))]),
    "dense_up": ((20,), LEAKY, [("image", Dense(even_weights(20, 84)), 3)]),
    "dense_down": ((20,), LEAKY | {"threshold": 9}, [("image", Dense(even_weights(20, 84)), -3)]),
    "excited": ((20,), HIGH_THRESHOLD, [("image", Dense(rng.integers(0, 256, (20, 84))))]),
    "inhibited": ((20,), MAX_BIAS, [("image", Dense(rng.integers(-255, 1, (20, 84))))]),
    "silent": ((20,), BIASED, [("image", Dense(np.zeros((20, 84))))]),
    "sparse": ((20,), LEAKY, [("image", sparse_connection(20, 84))]),
    "sparse_up": ((20,), LEAKY, [("image", sparse_connection(20, 84), 1)]),
    "sparse_empty": ((20,), BIASED, [("image", Sparse(*(np.zeros(0),) * 3, (20, 84)))]),
    "sparse_excited": ((20,), HIGH_THRESHOLD, [("image", sparse_connection(20, 84, 0))]),
    "dense_image": ((2, 3, 4), LEAKY, [("image", Dense(even_weights(24, 84)))]),
    "sparse_image": ((2, 3, 4), LEAKY, [("image", sparse_connection(24, 84))]),
    "graded": ((3, 6, 7), HIGH_THRESHOLD, [("pixels", same_conv(3, 1))]),
    "graded_dense": ((20,), HIGH_THRESHOLD, [("pixels", Dense(even_weights(20, 42)))]),
    "graded_sparse": ((20,), HIGH_THRESHOLD, [("pixels", sparse_connection(20, 42))]),
    "per_channel": ((3, 6, 7), PER_CHANNEL, [("image", same_conv(3, 2))]),
    "per_neuron": ((20,), PER_NEURON, [("image", Dense(even_weights(20, 84)))]),
    "summed": (
        (20,),
        HIGH_THRESHOLD,
        [
            ("image", Dense(even_weights(20, 84)), -1),
            ("dense", Dense(even_weights(20, 20))),
            ("pixels", sparse_connection(20, 42)),
        ],
    ),
    "graded_source": ((3, 6, 7), GRADED, [("image", same_conv(3, 2), -6)]),
    "from_graded": (
        (4, 6, 7),
        HIGH_THRESHOLD,
        [("graded_source", same_conv(4, 3)), ("graded_source", same_conv(4, 3), -1, 2)],
    ),
    "from_graded_flat": (
        (20,),
        HIGH_THRESHOLD,
        [
            ("graded_source", Dense(even_weights(20, 126))),
            ("graded_source", sparse_connection(20, 126)),
        ],
    ),
    "loop": (
        (20,),
        LEAKY,
        [("image", Dense(even_weights(20, 84))), ("loop", Dense(even_weights(20, 20)), 0, 1)],
    ),
    "to_value": ((3, 6, 7), LEAKY | TO_VALUE, [("image", same_conv(3, 2))]),
    "soft": ((3, 6, 7), LEAKY | SOFT, [("image", same_conv(3, 2))]),
    "soft_graded": ((20,), GRADED | SOFT, [("image", Dense(even_weights(20, 84)))]),
    "late_soft": ((20,), LEAKY | LATE_SOFT, [("image", Dense(even_weights(20, 84)))]),
    "late_soft_up": ((20,), LATE_SOFT, [("image", Dense(even_weights(20, 84)), 2)]),
    "several": ((3, 6, 7), LEAKY | SOFT | {"max_spikes": 10}, [("image", same_conv(3, 2), 1)]),
    "from_several": (
        (20,),
        HIGH_THRESHOLD,
        [
            ("several", Dense(even_weights(20, 126))),
            ("several", sparse_connection(20, 126), 0, 1),
        ],
    ),
    "refractory": ((3, 6, 7), LEAKY | {"refractory": 2}, [("image", same_conv(3, 2))]),
    "refractory_soft": (
        (20,),
        SOFT | {"refractory": 3, "bias": np.arange(20), "current_decay": 4096},
        [("image", Dense(even_weights(20, 84)))],
    ),
    "bounded": (
        (3, 6, 7),
        LEAKY | {"min_voltage": [-20, 0, -131072]},
        [("image", same_conv(3, 2))],
    ),
    "bounded_voltage": (
        (20,),
        LEAKY | {"kind": "integrator", "min_voltage": -100},
        [("image", Dense(even_weights(20, 84)))],
    ),
    "late_conv": ((3, 6, 7), LEAKY, [("image", same_conv(3, 2), 0, 4)]),
    "late_pool": ((2, 3, 3), LEAKY, [("image", SumPool((2, 2), (2, 2), weight=250), 0, 1)]),
    "late_sparse": (
        (20,),
        LEAKY,
        [("image", sparse_connection(20, 84), 0, 3), ("image", sparse_connection(20, 84))],
    ),
    "delay_beyond_run": ((20,), BIASED, [("image", Dense(even_weights(20, 84)), 0, TIMESTEPS)]),
    "reached_early": (
        (20,),
        LEAKY,
        [
            ("loop", Dense(even_weights(20, 20))),
            ("summed", Dense(even_weights(20, 20))),
            ("image", Dense(even_weights(20, 84)), -2),
        ],
    ),
    "feedback": (
        (20,),
        LEAKY,
        [
            ("reached_early", Dense(even_weights(20, 20)), 0, 2),
            ("answer", Dense(even_weights(20, 20)), 0, 3),
        ],
    ),
    "answer": (
        (20,),
        LEAKY,
        [("feedback", Dense(even_weights(20, 20))), ("image", sparse_connection(20, 84), 0, 2)],
    ),
    "disconnected": ((20,), BIASED, []),
    "voltage": (
        (2, 3, 4),
        LEAKY | {"kind": "integrator"},
        [("answer", Dense(even_weights(24, 20))), ("strided", Dense(even_weights(24, 84)), -1)],
    ),
}


def build_zoo() -> Network:
    """Build one network of all kinds, with three inputs, one of which has no projection."""
    populations = [
        Population("image", IMAGE, kind="input"),
        Population("pixels", (1, 6, 7), kind="input", value_bits=8),
        Population("unused", (3,), kind="input"),
    ]
    projections = []
    for name, (shape, parameters, incoming) in KINDS.items():
        populations.append(Population(name, shape, **parameters))
        for number, (source, connection, *options) in enumerate(incoming):
            projections.append(Projection(f"{name}_{number}", source, name, connection, *options))
    return Network(tuple(populations), tuple(projections), "answer")


ZOO = build_zoo()
EVENTS = {
    "image": (rng.random((TIMESTEPS, SAMPLES, *IMAGE)) < 0.3).astype(np.uint8),
    "pixels": rng.integers(0, 256, (TIMESTEPS, SAMPLES, 1, 6, 7)).astype(np.uint8),
    "unused": np.ones((TIMESTEPS, SAMPLES, 3), np.uint8),
}
