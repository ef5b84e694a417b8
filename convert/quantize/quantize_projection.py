"""Quantize the weights of one projection at a given scale."""

import numpy as np
from numpy.typing import NDArray

from ...runtime.connections import Connection, Conv, Dense, SumPool
from ...runtime.projection import Projection
from . import scales
from .float_network import FloatProjection

Scale = float | NDArray[np.float32]  # weight units per float unit: one number, or one per channel


def build_projection(projection: FloatProjection, scale: Scale) -> Projection:
    """Round the weights of `projection`, which have `scale` weight units per float unit."""
    rows = broadcast_scale(projection, scale)
    bits = projection.weight_bits
    exponent = choose_exponent(projection, rows)
    integers = scales.quantize_weights(projection.weights, rows, exponent, bits)
    connection: Connection
    if projection.kind == "conv":
        geometry = projection.stride, projection.padding, projection.dilation, projection.groups
        connection = Conv(integers, *geometry)
    elif projection.kind == "dense":
        connection = Dense(integers)
    else:
        weight = int(integers[0])
        connection = SumPool(projection.kernel, projection.stride, projection.padding, weight)
    source, target = projection.source, projection.target
    return Projection(projection.name, source, target, connection, exponent, projection.delay)


def choose_exponent(projection: FloatProjection, rows: Scale) -> int:
    """Smallest weight exponent at which the weights fit their bits, see `FloatProjection.divides`.

    `rows` is the scale, one number or broadcasting to the weights.
    """
    bits, weights = projection.weight_bits, projection.weights
    peak, scale = max_abs_and_scale(weights, rows)
    if projection.constant or not (projection.divides and scales.is_coarse(peak, scale, bits)):
        return scales.weight_exponent(peak, scale, bits)
    products = np.abs(weights if isinstance(rows, float) else weights * rows)
    if projection.kind == "sum_pool":
        products = np.broadcast_to(products, (1, projection.kernel[0] * projection.kernel[1]))
    by_neuron = products.reshape(len(products), -1)
    sum_abs = float(by_neuron.sum(axis=1, dtype=np.float64).max())
    sums = scales.WeightSums(peak, sum_abs, by_neuron.shape[1], projection.max_value)
    return scales.fine_weight_exponent(sums, scale, bits)


def broadcast_scale(projection: FloatProjection, scale: Scale) -> Scale:
    """Reshape a scale per channel so that it broadcasts to the rows of the weights."""
    if isinstance(scale, float):
        return scale
    weights = projection.weights
    repeated = np.repeat(scale, len(weights) // len(scale))
    return repeated.reshape(-1, *[1] * (weights.ndim - 1))


def max_abs_and_scale(values: NDArray[np.float32], scale: Scale) -> tuple[float, float]:
    """Largest magnitude and its scale; where scales differ, the largest product and 1."""
    if isinstance(scale, float):
        return scales.max_abs(values), scale
    return scales.max_abs(values * scale), 1.0
