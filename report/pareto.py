"""Accuracy against energy at each timestep, and the Pareto-optimal timesteps."""

from collections.abc import Sequence
from dataclasses import dataclass

from .model import AccuracyCurve, Energy
from .placement import Range


@dataclass(frozen=True)
class OperatingPoint:
    """An inference that stops after `timestep`.

    Attributes:
        timestep: Timestep after which it stops, from 1.
        energy: Energy in joules, (min, max).
        accuracy: Accuracy, 0 to 1.
        optimal: No other timestep has at least this accuracy for at most this energy, and is better
            in one of them.
    """

    timestep: int
    energy: Range
    accuracy: float
    optimal: bool

    @property
    def mean_energy(self) -> float:
        """Middle of the energy range, in joules."""
        return sum(self.energy) / 2


def operating_points(curve: AccuracyCurve, energy: Energy) -> tuple[OperatingPoint, ...]:
    """Pair the accuracy after each timestep with the energy of an inference that stops there.

    Empty where the energy is not known by timestep.
    """
    if len(energy.by_step) != len(curve.accuracy):
        return ()
    optimal = pareto_optimal([sum(each) / 2 for each in energy.by_step], curve.accuracy)
    return tuple(
        OperatingPoint(timestep, joules, accuracy, best)
        for timestep, (joules, accuracy, best) in enumerate(
            zip(energy.by_step, curve.accuracy, optimal, strict=True), 1
        )
    )


def pareto_optimal(costs: Sequence[float], gains: Sequence[float]) -> tuple[bool, ...]:
    """Find the points that no other dominates: a lower cost at no lower gain, or the converse.

    >>> pareto_optimal([1, 2, 3], [0.5, 0.4, 0.9])
    (True, False, True)
    """
    points = list(zip(costs, gains, strict=True))
    return tuple(
        not any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        for cost, gain in points
    )
