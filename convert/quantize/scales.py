"""How real parameters become the chip's integers: one rule for training and for conversion.

Every function takes numpy arrays and torch tensors alike, in float32, and uses element-wise
operations only, so that both round to the same integers. `scale` turns real units into weight
units: weights, biases and thresholds of a population are multiplied by it together, which leaves
the spikes as they are; `convert.quantise` tells what rounding changes.
"""

import math
from typing import Any

WEIGHT_LIMIT = 254
WEIGHT_BITS = 8
THRESHOLD_LIMIT = 131071
BIAS_LIMIT = 4095
BIAS_EXPONENT_LIMIT = 7
WEIGHT_EXPONENT_LIMIT = 7
ALIGN = 64
DECAY_ONE = 4096
MIN_NORMAL = 2.0**-1022
SCALE_LIMIT = 2.0**100
HEADROOM = 1.5

ArrayOrTensor = Any  # float32 array or tensor


def max_abs(weights: ArrayOrTensor) -> float:
    """Return the largest absolute weight, or the smallest normal number where all are zero."""
    return max(float(abs(weights).max()), MIN_NORMAL)


def weight_lsb(bits: int) -> int:
    """Return what weights of `bits` bits are multiples of: the 8 bits of mixed sign are even."""
    return int(2 << (WEIGHT_BITS - bits))


def max_weight(bits: int) -> int:
    """Return the largest weight of `bits` bits, 254 of 8 and 224 of 4."""
    return 256 - weight_lsb(bits)


def population_scale(
    peaks: list[float], threshold: float, bits: int = WEIGHT_BITS, max_abs_voltage: float = 0.0
) -> float:
    """Return the scale that gives the projection with the smallest weights all its `bits`.

    `peaks` are the largest absolute weights of each projection into the population; those of zeros
    alone have no say. The scale is held low enough for the threshold's 17 bits and for the others'
    exponents (at most 2^7), and for voltages of an integrator one and a half times those of size
    `reach` that it is known to take.
    """
    peaks = [peak for peak in peaks if peak > MIN_NORMAL] or [1.0]
    finest = max_weight(bits) / min(peaks)
    coarsest = max_weight(bits) * 2.0**WEIGHT_EXPONENT_LIMIT / max(peaks)
    taken = threshold or HEADROOM * max_abs_voltage
    highest = THRESHOLD_LIMIT / taken if taken > 0 else finest
    return min(finest, coarsest, highest)


def channel_scale(peaks: list[float], threshold: float, bias: float, bits: int) -> float:
    """Return the same for one channel, whose scale is its own: low enough for its `bias` too.

    It is lowered until the threshold is a whole number: rounding that would move all its neurons.
    """
    most = BIAS_LIMIT * 2.0**BIAS_EXPONENT_LIMIT / ALIGN
    within = most / abs(bias) if abs(bias) > MIN_NORMAL else SCALE_LIMIT
    scale = min(population_scale(peaks, threshold, bits), within)
    scale *= 1 - 1e-6  # so that rounding a product to float32 leaves no weight outside
    whole = math.floor(threshold * scale)
    return whole / threshold if whole else scale


def weight_exponent(peak: float, scale: float, bits: int = WEIGHT_BITS) -> int:
    """Return the smallest exponent (0..7) at which `peak * scale / 2^exponent` fits `bits`."""
    for exponent in range(WEIGHT_EXPONENT_LIMIT):
        if peak * scale <= max_weight(bits) * 2.0**exponent * (1 + 1e-12):
            return exponent
    return WEIGHT_EXPONENT_LIMIT


def quantize_weights(
    weights: ArrayOrTensor, scale: ArrayOrTensor, exponent: int, bits: int = WEIGHT_BITS
) -> ArrayOrTensor:
    """Return the integers of `bits` bits nearest to `weights * scale / 2^exponent`.

    Even ones from -254 to 254; of fewer bits, multiples of `weight_step` up to `weight_limit`.
    `scale` is one number, or broadcasts to `weights`.
    """
    step = weight_lsb(bits)
    most = max_weight(bits) // step
    return (weights * (scale / (2.0**exponent * step))).round().clip(-most, most) * float(step)


def quantize_threshold(threshold: float, scale: Any) -> Any:
    """Return the threshold in weight units, of 17 bits: of one scale an integer, or an array."""
    scaled = scale * threshold
    if isinstance(scaled, int | float):
        return min(max(round(scaled), 0), THRESHOLD_LIMIT)
    return scaled.round().clip(0, THRESHOLD_LIMIT)


def bias_exponent(peak: float, scale: float) -> int:
    """Return the smallest exponent (0..7) at which a bias of `peak` fits its 13 bits."""
    for exponent in range(BIAS_EXPONENT_LIMIT):
        if peak * scale * ALIGN <= BIAS_LIMIT * 2.0**exponent:
            return exponent
    return BIAS_EXPONENT_LIMIT


def quantize_bias(bias: ArrayOrTensor, scale: ArrayOrTensor, exponent: int) -> ArrayOrTensor:
    """Return the mantissas nearest to `bias * scale * 64 / 2^exponent`, from -4095 to 4095."""
    return (bias * (scale * ALIGN / 2.0**exponent)).round().clip(-BIAS_LIMIT, BIAS_LIMIT)


def quantize_decay(decay: Any) -> Any:
    """Return the share lost each step, 0 to 1, in 1/4096: of a number an integer, or an array."""
    scaled = decay * DECAY_ONE
    return round(scaled) if isinstance(scaled, int | float) else scaled.round()
