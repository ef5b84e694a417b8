"""Homeostasis: thresholds that hold every neuron near one rate."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
MIN_THRESHOLD, MAX_THRESHOLD = 0.05, 20.0  # thresholds, as multiples of the first ones, which are 1


def adapt_thresholds(
    threshold: FloatArray, rates: FloatArray, target: float, gain: float
) -> FloatArray:
    """Return thresholds that are higher where a neuron fires more often than `target`.

    `rates` (neurons,): spikes a step, averaged over a batch.

        threshold <- threshold exp(gain clip(rate / target - 1, -1, 1)), held to 0.05..20

    The slow control of excitability that pair-based STDP lacks (Turrigiano, Cell 135:422, 2008,
    reviews it; the form here is this project's).
    """
    error = np.clip(rates / target - 1, -1, 1)
    raised = np.clip(threshold * np.exp(gain * error), MIN_THRESHOLD, MAX_THRESHOLD)
    return np.asarray(raised, threshold.dtype)
