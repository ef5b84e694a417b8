"""How real parameters become the chip's integers: one rule for training and for conversion.

Every function takes numpy arrays and torch tensors alike, in float32, and uses element-wise
operations only, so that both round to the same integers. `scale` turns real units into weight
units: weights, biases and thresholds of a population are multiplied by it together, which leaves
the spikes as they are; `convert.quantise` tells what rounding changes.
"""

from typing import Any

WEIGHT_LIMIT = 254
THRESHOLD_LIMIT = 131071
BIAS_LIMIT = 4095
BIAS_EXPONENT_LIMIT = 7
WEIGHT_EXPONENT_LIMIT = 7
ALIGN = 64
DECAY_ONE = 4096
SMALLEST = 2.0**-1022

Reals = Any  # float32 array or tensor


def largest(weights: Reals) -> float:
    """Return the largest absolute weight, or the smallest normal number where all are zero."""
    return max(float(abs(weights).max()), SMALLEST)


def population_scale(peaks: list[float], threshold: float) -> float:
    """Return the scale that gives the projection with the smallest weights all its 8 bits.

    `peaks` are the largest absolute weights of each projection into the population; those of zeros
    alone have no say. The scale is held low enough for the threshold's 17 bits and for the others'
    exponents (at most 2^7).
    """
    peaks = [peak for peak in peaks if peak > SMALLEST] or [1.0]
    finest = WEIGHT_LIMIT / min(peaks)
    coarsest = WEIGHT_LIMIT * 2.0**WEIGHT_EXPONENT_LIMIT / max(peaks)
    highest = THRESHOLD_LIMIT / threshold if threshold > 0 else finest
    return min(finest, coarsest, highest)


def weight_exponent(peak: float, scale: float) -> int:
    """Return the smallest exponent (0..7) at which `peak * scale / 2^exponent` fits 8 bits."""
    for exponent in range(WEIGHT_EXPONENT_LIMIT):
        if peak * scale <= WEIGHT_LIMIT * 2.0**exponent * (1 + 1e-12):
            return exponent
    return WEIGHT_EXPONENT_LIMIT


def rounded_weights(weights: Reals, scale: float, exponent: int) -> Reals:
    """Return the even integers from -254 to 254 nearest to `weights * scale / 2^exponent`."""
    half = scale / 2.0 ** (exponent + 1)
    return (weights * half).round().clip(-WEIGHT_LIMIT // 2, WEIGHT_LIMIT // 2) * 2.0


def rounded_threshold(threshold: float, scale: float) -> int:
    """Return the threshold in weight units, an integer of 17 bits."""
    return min(max(round(threshold * scale), 0), THRESHOLD_LIMIT)


def bias_exponent(peak: float, scale: float) -> int:
    """Return the smallest exponent (0..7) at which a bias of `peak` fits its 13 bits."""
    for exponent in range(BIAS_EXPONENT_LIMIT):
        if peak * scale * ALIGN <= BIAS_LIMIT * 2.0**exponent:
            return exponent
    return BIAS_EXPONENT_LIMIT


def rounded_bias(bias: Reals, scale: float, exponent: int) -> Reals:
    """Return the mantissas nearest to `bias * scale * 64 / 2^exponent`, from -4095 to 4095."""
    return (bias * (scale * ALIGN / 2.0**exponent)).round().clip(-BIAS_LIMIT, BIAS_LIMIT)


def rounded_decay(decay: Any) -> Any:
    """Return the share lost each step, 0 to 1, in 1/4096: of a number an integer, or an array."""
    scaled = decay * DECAY_ONE
    return round(scaled) if isinstance(scaled, int | float) else scaled.round()
