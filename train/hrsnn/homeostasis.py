"""Homeostasis: adaptive thresholds that keep the firing rates of neurons near a target."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import PumiceWarning

FloatArray = NDArray[np.floating[Any]]
MIN_THRESHOLD, MAX_THRESHOLD = 0.05, 20.0  # relative to the initial thresholds, which are 1
MAX_FLOOR_FRACTION = 0.2  # of the neurons, above which a target counts as unreachable


def adapt_thresholds(
    threshold: FloatArray, rates: FloatArray, target: FloatArray | float, gain: float
) -> FloatArray:
    """Raise the thresholds of neurons that fire above `target`, and lower those of others.

        threshold <- threshold exp(gain clip(rate / target - 1, -1, 1)), clipped to 0.05..20

    This slow control of excitability is what pair-based STDP lacks (reviewed by Turrigiano, Cell
    135:422, 2008; the form here is this project's).

    Args:
        threshold: Float (neurons,).
        rates: Spikes per timestep, averaged over a batch, (neurons,).
        target: Target rates, spikes per timestep, of all neurons or of each, (neurons,).
        gain: Largest relative change per call, about.

    Returns:
        New thresholds, of the type of `threshold`.
    """
    error = np.clip(rates / target - 1, -1, 1)
    adapted = np.clip(threshold * np.exp(gain * error), MIN_THRESHOLD, MAX_THRESHOLD)
    return np.asarray(adapted, threshold.dtype)


def floor_fraction(threshold: FloatArray) -> float:
    """Fraction of neurons at the lowest threshold, which fire below their target rate."""
    return float((threshold <= MIN_THRESHOLD * (1 + 1e-6)).mean())


def warn_of_floor(threshold: FloatArray, target: FloatArray) -> None:
    """Warn where many neurons are at the lowest threshold: their target rates are unreachable."""
    fraction = floor_fraction(threshold)
    if fraction > MAX_FLOOR_FRACTION:
        warnings.warn(
            f"homeostasis: {fraction:.0%} of the neurons are at the lowest threshold, "
            f"{MIN_THRESHOLD}, and fire below their target rate of up to {target.max():.3g}; lower "
            "target_excitatory or target_inhibitory, or raise strengths.input",
            PumiceWarning,
            stacklevel=3,
        )
