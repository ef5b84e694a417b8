"""Homeostasis: adaptive thresholds that keep the firing rates of neurons near a target."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
MIN_THRESHOLD, MAX_THRESHOLD = 0.05, 20.0  # relative to the initial thresholds, which are 1


def adapt_thresholds(
    threshold: FloatArray, rates: FloatArray, target: float, gain: float
) -> FloatArray:
    """Raise the thresholds of neurons that fire above `target`, and lower those of others.

        threshold <- threshold exp(gain clip(rate / target - 1, -1, 1)), clipped to 0.05..20

    This slow control of excitability is what pair-based STDP lacks (reviewed by Turrigiano, Cell
    135:422, 2008; the form here is this project's).

    Args:
        threshold: Float (neurons,).
        rates: Spikes per timestep, averaged over a batch, (neurons,).
        target: Target rate, spikes per timestep.
        gain: Largest relative change per call, about.

    Returns:
        New thresholds, of the type of `threshold`.
    """
    error = np.clip(rates / target - 1, -1, 1)
    adapted = np.clip(threshold * np.exp(gain * error), MIN_THRESHOLD, MAX_THRESHOLD)
    return np.asarray(adapted, threshold.dtype)
