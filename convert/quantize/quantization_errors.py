"""Errors of a quantization: of each projection, and parameters that rounding turned into none."""

from dataclasses import dataclass

import numpy as np

from ...runtime.network import Network
from ...runtime.population import Population
from ...runtime.projection import Projection
from . import scales
from .float_network import FloatNetwork, FloatPopulation, FloatProjection
from .quantize_projection import Scale, broadcast_scale

BAD_ERROR = 0.1  # of a bias
MANY_ZEROED, MEANINGLESS_ZEROED = 0.5, 0.95  # of the weights


@dataclass(frozen=True)
class ProjectionQuantization:
    """Quantization errors of one projection.

    Attributes:
        name: Name of the projection.
        scale: Weight units per float unit; the mean where channels differ.
        weight_exponent: Exponent of the weights: they count times two to its power.
        max_abs_weight: Largest absolute weight before quantization.
        weight_error: Root mean square error of the weights over their root mean square.
        clipped_weights: Number of weights clipped at the ends of the range.
        zeroed_weights: Number of non-zero weights that became zero, or add up to less than half a
            weight unit for any value.
        threshold: Integer threshold; the largest where channels differ.
        threshold_error: Its relative error.
        bias_error: Largest error of a bias as a fraction of the threshold; of an integrator in
            float units.
        weight_bits: Bits of the weights.
        max_abs_bias: Largest absolute bias before quantization.
        nonzero_weights: Number of weights other than zero before quantization.
    """

    name: str
    scale: float
    weight_exponent: int
    max_abs_weight: float
    weight_error: float
    clipped_weights: int
    zeroed_weights: int
    threshold: int
    threshold_error: float
    bias_error: float
    weight_bits: int = scales.WEIGHT_BITS
    max_abs_bias: float = 0.0
    nonzero_weights: int = 0

    @property
    def relative_bias_error(self) -> float:
        """Largest error of a bias over the threshold; of an integrator over the largest bias."""
        if self.threshold or not self.max_abs_bias:
            return self.bias_error
        return self.bias_error / self.max_abs_bias

    @property
    def zeroed_fraction(self) -> float:
        """Fraction of the weights other than zero that became zero."""
        return self.zeroed_weights / max(self.nonzero_weights, 1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of integers so coarse that results may differ; empty as a rule."""
        of = "threshold" if self.threshold else "largest bias"
        found = []
        if self.relative_bias_error > BAD_ERROR:
            percent = f"{100 * self.relative_bias_error:.0f} %"
            found.append(
                f"{self.name}: a bias is off by {percent} of the {of}, since it is clipped"
            )
        if self.zeroed_fraction > MANY_ZEROED:
            percent = f"{100 * self.zeroed_fraction:.1f} %"
            cause = "one" if self.max_abs_weight > self.max_abs_bias else "a bias"
            reason = f"since {cause} is larger"
            found.append(f"{self.name}: {percent} of its weights become zero, {reason}")
        return tuple(found)

    @property
    def is_meaningless(self) -> bool:
        """True where integers cannot stand for the model: an error as large as what it is of."""
        worst = 1.0 if self.threshold else 0.5
        return self.relative_bias_error > worst or self.zeroed_fraction > MEANINGLESS_ZEROED


def measure_error(
    before: FloatProjection,
    population: FloatPopulation,
    after: Projection,
    quantized: Population,
    scale: Scale,
) -> ProjectionQuantization:
    """Compare a projection and its target `before` and `after` rounding at `scale`."""
    exponent, rows, bits = after.weight_exponent, broadcast_scale(before, scale), before.weight_bits
    exact = before.weights * rows / 2.0**exponent
    integers = scales.quantize_weights(before.weights, rows, exponent, bits)
    size = max(float(np.sqrt(np.mean(exact**2))), scales.MIN_NORMAL)
    threshold = quantized.threshold.reshape(-1)
    threshold_error = np.zeros(1)
    if population.spiking:
        threshold_error = np.abs(threshold / (population.threshold * scale) - 1)
    bias = quantized.bias.reshape(-1) * 2.0**quantized.bias_exponent / scales.ALIGN
    unit = np.maximum(threshold, 1) if population.spiking else np.float64(np.mean(scale))
    limit = scales.max_weight(bits) + scales.weight_lsb(bits) / 2
    lost = (integers == 0) | (np.abs(before.weights * rows) * before.max_value < 0.5)
    return ProjectionQuantization(
        name=before.name,
        scale=float(np.mean(scale)),
        weight_exponent=exponent,
        max_abs_weight=scales.max_abs(before.weights),
        weight_error=float(np.sqrt(np.mean((integers - exact) ** 2))) / size,
        clipped_weights=int(np.count_nonzero(np.abs(exact) > limit)),
        zeroed_weights=int(np.count_nonzero(lost & (exact != 0))),
        threshold=int(threshold.max()),
        threshold_error=float(threshold_error.max()),
        bias_error=float(np.max(np.abs(bias - population.bias * scale) / unit)),
        weight_bits=bits,
        max_abs_bias=float(np.max(np.abs(population.bias))),
        nonzero_weights=int(np.count_nonzero(exact)),
    )


def list_lost_parameters(network: FloatNetwork, quantized: Network) -> dict[str, list[str]]:
    """List by population the parameters that rounding turned into none at all, in words."""
    found: dict[str, list[str]] = {}
    for population in network.populations:
        integers = quantized.population(population.name)
        lost = [
            *_lost_decays(population, integers),
            *_lost_biases(population, integers),
        ]
        if population.spiking and population.threshold > 0 and not integers.threshold.all():
            lost.append(f"its threshold of {population.threshold:g} rounds to zero")
        if lost:
            found[population.name] = lost
    return found


def _lost_decays(population: FloatPopulation, integers: Population) -> list[str]:
    lost = []
    for key in ("current_decay", "voltage_decay"):
        exact = np.atleast_1d(np.asarray(getattr(population, key), np.float64))
        rounded = np.broadcast_to(getattr(integers, key).reshape(-1), exact.shape)
        for end, effect in ((0, "it never decays"), (scales.DECAY_ONE, "nothing is kept")):
            wrong = exact[(rounded == end) & (exact != end / scales.DECAY_ONE)]
            if wrong.size:
                value = float(wrong[np.abs(wrong - end / scales.DECAY_ONE).argmax()])
                lost.append(f"its {key} of {value:g} rounds to {end} of 4096: {effect}")
    return lost


def _lost_biases(population: FloatPopulation, integers: Population) -> list[str]:
    exact = np.atleast_1d(population.bias)
    rounded = np.broadcast_to(integers.bias.reshape(-1), exact.shape)
    if exact.any() and not rounded.any():
        return [f"its biases of up to {np.abs(exact).max():g} round to zero"]
    return []
