"""Scales and rounding: the only place where float parameters become register integers.

Training's quantized forward pass and the conversion both call these functions. They take numpy
arrays and torch tensors, in float32, and use element-wise operations only, so that both round to
the same integers. `scale` converts float units to weight units: weights, bias and threshold of a
population are multiplied by it together, which leaves its spikes unchanged but for the rounding.

Weights of mixed sign are even integers, as Loihi's 8-bit synapses hold them; weights of one sign
(`one_sign`) use every integer up to 255.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.arithmetic import ACTIVATION_LIMIT, ALIGN_BITS, DELTA_BITS, STATE_HALF
from ...runtime.arithmetic import DECAY_ONE as DECAY_ONE
from ...runtime.population import LIMITS, Reset
from ...runtime.projection import EXPONENT_RANGE

WEIGHT_BITS = 8
THRESHOLD_LIMIT = LIMITS["threshold"][1]
BIAS_LIMIT = LIMITS["bias"][1]
BIAS_EXPONENT_LIMIT = 7
FINEST_EXPONENT, WEIGHT_EXPONENT_LIMIT = EXPONENT_RANGE
ALIGN = 1 << ALIGN_BITS
MAX_BIAS = BIAS_LIMIT * 2.0**BIAS_EXPONENT_LIMIT / ALIGN  # in weight units
MIN_NORMAL = 2.0**-1022
HEADROOM = 1.5
CURRENT_HEADROOM = 16.0  # thresholds that a current holds before it wraps
DELTA_WEIGHT = 2  # of an input value into its delta encoder, the smallest weight of mixed sign
SUM_LIMIT = STATE_HALF / (1 << DELTA_BITS)  # of a sum of messages, in 1/64 of 1
SUM_HEADROOM = 2.0  # a sum beyond its 24 bits wraps

ArrayOrTensor = Any  # float32 array or tensor


def max_abs(weights: ArrayOrTensor) -> float:
    """Largest absolute weight, or the smallest normal number where all are zero."""
    return max(float(abs(weights).max()), MIN_NORMAL)


def weight_lsb(bits: int, one_sign: bool = False) -> int:
    """Least significant bit of `bits`-bit weights: 2 for 8 bits of mixed sign, 1 of one sign."""
    return int((1 if one_sign else 2) << (WEIGHT_BITS - bits))


def max_weight(bits: int, one_sign: bool = False) -> int:
    """Largest weight of `bits` bits: 254 for 8, 224 for 4; 255 for 8 bits of one sign."""
    return 256 - weight_lsb(bits, one_sign)


def population_scale(  # noqa: PLR0913 (numbers that decide the scale)
    peaks: list[float],
    threshold: float,
    bits: int = WEIGHT_BITS,
    max_abs_voltage: float = 0.0,
    one_sign: bool = False,
    max_abs_bias: float = 0.0,
    headroom: float = CURRENT_HEADROOM,
) -> float:
    """Scale at which the projection with the smallest weights uses all its bits.

    It is limited by the registers: of the current, which holds `headroom` thresholds before it
    wraps; of the bias; for an integrator of 1.5 times the largest voltage it is known to reach; and
    by the weight exponents of the other projections (at most 7). Below those limits, weights of
    mixed sign use all their bits by a negative exponent (`fine_weight_exponent`).

    Args:
        peaks: Largest absolute weight of each projection into the population; those of all-zero
            projections are ignored.
        threshold: Firing threshold (the largest, where neurons differ), 0 for an integrator.
        bits: Bits of the weights.
        max_abs_voltage: Largest voltage of an integrator, 0 where unknown.
        one_sign: Whether all weights of a projection have the same sign.
        max_abs_bias: Largest absolute bias.
        headroom: Thresholds that the current holds, 1 or more.

    Returns:
        Weight units per float unit.
    """
    peaks = [peak for peak in peaks if peak > MIN_NORMAL] or [1.0]
    limit = max_weight(bits, one_sign)
    finest = limit / min(peaks)
    coarsest = limit * 2.0**WEIGHT_EXPONENT_LIMIT / max(peaks)
    represented = headroom * threshold or HEADROOM * max_abs_voltage
    highest = THRESHOLD_LIMIT / represented if represented > 0 else finest
    largest = MAX_BIAS / max_abs_bias if max_abs_bias > MIN_NORMAL else finest
    scale = min(finest, highest, largest)
    if scale < finest and not one_sign:
        scale = finest * 2.0 ** math.floor(math.log2(scale / finest))
    return min(scale, coarsest)


def channel_scale(peaks: list[float], threshold: float, bias: float, bits: int) -> float:
    """Scale of one channel; see `population_scale`.

    It is lowered until the threshold is an integer: rounding the threshold would shift all neurons
    of the channel.
    """
    scale = population_scale(peaks, threshold, bits, max_abs_bias=abs(bias))
    scale *= 1 - 1e-6  # so that rounding a product to float32 leaves no weight out of range
    integer_threshold = math.floor(threshold * scale)
    return integer_threshold / threshold if integer_threshold else scale


@dataclass(frozen=True)
class MessageSums:
    """Quantities that decide the scale of a population that adds up messages.

    Attributes:
        peaks: Largest absolute weight of each projection into the population.
        sources: Name of the source of each projection.
        threshold: Change that is sent, in float units, 0 of a read-out.
        bits: Bits of the weights.
        max_abs_sum: Largest absolute sum of the population, 0 where unknown.
    """

    peaks: Sequence[float]
    sources: Sequence[str]
    threshold: float
    bits: int
    max_abs_sum: float

    @property
    def limit(self) -> float:
        """Largest scale at which sums and threshold fit their registers."""
        of_sums = SUM_LIMIT / (SUM_HEADROOM * self.max_abs_sum) if self.max_abs_sum else SUM_LIMIT
        return min(of_sums, THRESHOLD_LIMIT / self.threshold if self.threshold else of_sums)


def message_scales(
    layers: Mapping[str, MessageSums], encoders: Mapping[str, float]
) -> dict[str, float]:
    """Scales of the populations of a sigma-delta network: units of 1/64 of 1 per float unit.

    Messages carry the scale of their source, so that a weight has `64 * scale / source` units per
    float unit. Where the weights of all layers used all their bits, the scales would grow from
    layer to layer until sums leave 24 bits; so each layer on the way gives up the same factor.

    Args:
        layers: The populations that add up messages, in topological order.
        encoders: Scales of those that encode the input.
    """
    finest, depth = dict(encoders), dict.fromkeys(encoders, 0)
    factor = 1.0
    for name, layer in layers.items():
        used = zip(layer.peaks, layer.sources, strict=True)
        relative = [peak * ALIGN / finest[source] for peak, source in used if peak > MIN_NORMAL]
        finest[name] = population_scale(relative, 0.0, layer.bits)
        depth[name] = 1 + max(depth[source] for source in layer.sources)
        factor = min(factor, (layer.limit / finest[name]) ** (1 / depth[name]))
    return {name: scale * factor ** depth[name] for name, scale in finest.items()}


def delta_exponent(threshold: float) -> int:
    """Exponent of the weight 2 of values into their encoder: it drops bits below `threshold`.

    An encoder that sends changes of 8 or more takes the multiples of 8 of a value.
    """
    return -1 - max(math.floor(math.log2(threshold)), 0) if threshold > 0 else -1


def weight_exponent(
    peak: float, scale: float, bits: int = WEIGHT_BITS, one_sign: bool = False
) -> int:
    """Smallest exponent (0..7) at which `peak * scale / 2^exponent` fits `bits` bits."""
    for exponent in range(WEIGHT_EXPONENT_LIMIT):
        if peak * scale <= max_weight(bits, one_sign) * 2.0**exponent * (1 + 1e-12):
            return exponent
    return WEIGHT_EXPONENT_LIMIT


@dataclass(frozen=True)
class WeightSums:
    """Weights of a projection: the largest, and the sums into one neuron.

    Attributes:
        peak: Largest absolute weight.
        sum_abs: Largest sum of the absolute weights of a neuron.
        inputs: Number of weights of a neuron.
        max_value: Largest value of the source.
    """

    peak: float
    sum_abs: float
    inputs: int
    max_value: int


def is_coarse(peak: float, scale: float, bits: int = WEIGHT_BITS) -> bool:
    """True where weights of up to `peak` leave bits unused at exponent 0."""
    return peak > MIN_NORMAL and 2 * peak * scale <= max_weight(bits) * (1 + 1e-12)


def fine_weight_exponent(sums: WeightSums, scale: float, bits: int = WEIGHT_BITS) -> int:
    """Smallest exponent (-8..7) at which the weights fit `bits` bits.

    Below 0, the sum of the products is divided, and weights that a coarse `scale` would round to
    few integers keep their bits, as far as the accumulator holds the sum of any values.
    """
    exponent = weight_exponent(sums.peak, scale, bits)
    if not is_coarse(sums.peak, scale, bits):
        return exponent
    rounding = sums.inputs * weight_lsb(bits) / 2
    while exponent > FINEST_EXPONENT:
        unit = scale / 2.0 ** (exponent - 1)
        if sums.peak * unit > max_weight(bits) * (1 + 1e-12):
            break
        if (sums.sum_abs * unit + rounding) * sums.max_value > ACTIVATION_LIMIT:
            break
        exponent -= 1
    return exponent


def quantize_weights(
    weights: ArrayOrTensor,
    scale: ArrayOrTensor,
    exponent: int,
    bits: int = WEIGHT_BITS,
    one_sign: bool = False,
) -> ArrayOrTensor:
    """Round `weights * scale / 2^exponent` to integers of `bits` bits.

    Even integers from -254 to 254; with fewer bits, multiples of `weight_lsb` up to `max_weight`.
    `scale` is one number, or broadcasts to `weights`.
    """
    lsb = weight_lsb(bits, one_sign)
    limit = max_weight(bits, one_sign) // lsb
    return (weights * (scale / (2.0**exponent * lsb))).round().clip(-limit, limit) * float(lsb)


def quantize_threshold(threshold: ArrayOrTensor, scale: ArrayOrTensor) -> Any:
    """Round `threshold * scale` to 17 bits: an int from two numbers, else an array."""
    scaled = scale * threshold
    if isinstance(scaled, int | float):
        return min(max(round(scaled), 0), THRESHOLD_LIMIT)
    return scaled.round().clip(0, THRESHOLD_LIMIT)


def quantize_reset(value: Any, scale: ArrayOrTensor, reset: Reset) -> NDArray[np.float64]:
    """Round a voltage after a spike to 18 bits, or what a spike subtracts to 17 bits, 1 or more."""
    low, high = LIMITS["reset_value"]
    rounded: NDArray[np.float64] = np.rint(np.asarray(value, np.float64) * scale)
    return rounded.clip(low if reset == "value" else 1, high)


def quantize_bound(bound: Any, scale: ArrayOrTensor) -> NDArray[np.float64]:
    """Round a lower bound of the voltage, or minus infinity for none, to 18 bits."""
    lowest, highest = LIMITS["min_voltage"]
    if not np.isfinite(bound).any():
        return np.array(lowest, np.float64)
    rounded: NDArray[np.float64] = np.rint(np.asarray(bound, np.float64) * scale)
    return rounded.clip(lowest, highest)


def bias_exponent(peak: float, scale: float) -> int:
    """Smallest exponent (0..7) at which a bias of `peak` fits its 13 bits."""
    for exponent in range(BIAS_EXPONENT_LIMIT):
        if peak * scale * ALIGN <= BIAS_LIMIT * 2.0**exponent:
            return exponent
    return BIAS_EXPONENT_LIMIT


def quantize_bias(bias: ArrayOrTensor, scale: ArrayOrTensor, exponent: int) -> ArrayOrTensor:
    """Round `bias * scale * 64 / 2^exponent` to mantissas from -4095 to 4095."""
    return (bias * (scale * ALIGN / 2.0**exponent)).round().clip(-BIAS_LIMIT, BIAS_LIMIT)


def quantize_decay(decay: Any) -> Any:
    """Round a fraction lost per timestep, 0 to 1, to 1/4096: an int, or an array from an array."""
    scaled = decay * DECAY_ONE
    return round(scaled) if isinstance(scaled, int | float) else scaled.round()
