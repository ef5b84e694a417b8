"""Homeostasis: thresholds that hold every neuron near one rate."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating[Any]]
LOWEST, HIGHEST = 0.05, 20.0  # thresholds, as multiples of the first ones, which are 1


def settled(threshold: Reals, rates: Reals, target: float, gain: float) -> Reals:
    """Return thresholds that are higher where a neuron fires more often than `target`.

    `rates` (neurons,): spikes a step, averaged over a batch.

        threshold <- threshold exp(gain clip(rate / target - 1, -1, 1)), held to 0.05..20

    The slow control of excitability that pair-based STDP lacks (Turrigiano, Cell 135:422, 2008,
    reviews it; the form here is this project's).
    """
    error = np.clip(rates / target - 1, -1, 1)
    raised = np.clip(threshold * np.exp(gain * error), LOWEST, HIGHEST)
    return np.asarray(raised, threshold.dtype)
