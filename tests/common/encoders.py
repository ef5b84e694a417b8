"""Filter banks by arithmetic alone, and networks with encoders."""

from typing import Any

import numpy as np

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.encoders import Encoder, LogMel, Standardize, encoded_shape
from pumice.runtime.encoders.fixed_fft import sine_table


def make_log_mel(bands: int = 9, size: int = 64, **changes: Any) -> LogMel:
    """A filter bank of windows of 50 samples every 30, with bands of equal width."""
    edges = np.linspace(1, size // 2, bands + 2).astype(np.int64)
    bins = int(edges[-1] - edges[0])
    less = 8 - changes.get("value_bits", 8)
    lowest = 8_000_000 if changes.get("peak_decay", -1) >= 0 else -18_000_000
    values: dict[str, Any] = {
        "sample_rate": 8000,
        "hop": 30 * size // 64,
        "windows": 2,
        "window": np.rint(32767 * np.hanning(50 * size // 64)).astype(np.int64),
        "sine": sine_table(size),
        "edges": edges,
        "weight": np.arange(bins) * 83 % 256,
        "scale": (2000 + 10 * np.arange(bands)) >> less,
        "offset": (lowest + 30_000 * np.arange(bands)) >> less,
        **changes,
    }
    if "edges" in changes and "weight" not in changes:
        values["weight"] = np.zeros(changes["edges"][-1] - changes["edges"][0], np.int64)
    return LogMel(**values)


def make_standardize(
    rows: int, exponent: list[int], mean: list[int], scale: list[int], value_bits: int
) -> Standardize:
    """A standardization of lists."""
    powers, means, factors = (np.array(v, np.int32) for v in (exponent, mean, scale))
    return Standardize(rows, powers, means, factors, value_bits)


def encoder_network(encoders: tuple[Encoder, ...]) -> Network:
    """A network of random weights that takes what `encoders` give."""
    random = np.random.default_rng(1)
    shape: tuple[int, int, int] = (2, 3, 3)
    if isinstance(encoders[0], LogMel | Standardize):
        shape = encoders[0].output_shape
    shape = encoded_shape(encoders, shape)
    last = encoders[-1]
    bits = last.value_bits if isinstance(last, LogMel | Standardize) else 1
    neurons = int(np.prod(shape))
    return Network(
        (
            Population("input", shape, "input", value_bits=bits),
            Population("hidden", (12,), threshold=20 << bits, voltage_decay=800),
            Population("output", (4,), "integrator"),
        ),
        (
            Projection("in", "input", "hidden", Dense(2 * random.integers(-9, 14, (12, neurons)))),
            Projection("out", "hidden", "output", Dense(2 * random.integers(-40, 40, (4, 12)))),
        ),
        encoders=encoders,
    )
