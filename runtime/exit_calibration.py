"""Calibrate early-exit thresholds on held-out samples, by conformal risk control.

One threshold holds for all timesteps: sums of evidence against a constant bound, as in Wald's
sequential probability ratio test. (Thresholds of their own for each timestep, as the Top-K cutoff
sets them, stopped no sooner on held-out N-MNIST and lost more accuracy: they overfit the samples
they are calibrated on.)

A sample *exits unstably* where its prediction then is not its last one, or changes at a later
timestep. A larger threshold stops no sample sooner, so unstable exits never become more with it, as
conformal risk control requires. With n calibration samples and a loss L_i of 0 or 1, the smallest
threshold with

    (sum_i L_i + 1) / (n + 1) <= risk

gives a new sample, exchangeable with them, an expected loss of at most `risk` (Angelopoulos, Bates,
Fisch, Lei and Schuster, "Conformal risk control", ICLR 2024, arXiv 2208.02814, theorem 1).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .early_exit import NEVER_EXIT, EarlyExit, exit_steps, margins
from .errors import DataError

Logits = NDArray[np.int64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class EarlyExitStats:
    """Exit statistics of a set of samples.

    Attributes:
        counts: Number of samples that stopped after timestep k + 1, by k.
        mean_steps: Mean number of timesteps of a sample.
        accuracy: Accuracy at the exits, 0 to 1.
        full_accuracy: Accuracy after all timesteps, 0 to 1.

    Raises:
        DataError: A count is negative or an accuracy is not from 0 to 1.
    """

    counts: tuple[int, ...]
    mean_steps: float
    accuracy: float
    full_accuracy: float

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 0:
            raise DataError(f"exits: counts are {self.counts}, needs one of 0 or more per timestep")
        for key in ("accuracy", "full_accuracy"):
            if not 0 <= getattr(self, key) <= 1:
                raise DataError(
                    f"exits: {key} is {getattr(self, key)}, needs a fraction from 0 to 1"
                )


def calibrate_by_accuracy(logits: Logits, labels: Labels, loss: float) -> EarlyExit:
    """Calibrate the earliest exit whose expected loss of accuracy is at most `loss`.

    L_i = 1 where a sample that is correct after its last timestep exits unstably, which bounds the
    samples that early exits turn wrong.

    Args:
        logits: Logits of full runs on held-out samples, int64 (timesteps, samples, classes).
        labels: True classes, int64 (samples,).
        loss: Largest expected loss of accuracy, between 0 and 1.

    Raises:
        DataError: `loss` is not between 0 and 1, or too small for the number of samples.
    """
    return conformal_threshold(logits, logits[-1].argmax(axis=-1) == labels, loss)


def calibrate_by_coverage(logits: Logits, coverage: float) -> EarlyExit:
    """Calibrate the earliest exit that keeps the last prediction with probability `coverage`.

    L_i = 1 where a sample exits unstably, which bounds "exits with another prediction than its
    last"; no labels are needed.

    Args:
        logits: Logits of full runs on held-out samples, int64 (timesteps, samples, classes).
        coverage: Probability, between 0 and 1.

    Raises:
        DataError: `coverage` is not between 0 and 1, or too large for the number of samples.
    """
    return conformal_threshold(logits, np.ones(logits.shape[1], bool), round(1 - coverage, 12))


def conformal_threshold(logits: Logits, relevant: NDArray[np.bool_], risk: float) -> EarlyExit:
    """Find the smallest threshold whose risk of an unstable exit of `relevant` samples is bounded.

    `relevant` is bool (samples,). Raises `DataError` as its callers do.
    """
    samples = logits.shape[1]
    if not 0 < risk < 1:
        raise DataError(f"early exit: a risk of {risk}, needs more than 0 and less than 1")
    if 1 / (samples + 1) > risk:
        raise DataError(
            f"early exit: {samples} samples, but a risk of {risk:g} needs {round(1 / risk) - 1} or "
            "more; use more validation samples or allow a larger risk"
        )
    margin, stable = margins(logits), is_stable(logits)
    low, high = 0, NEVER_EXIT
    while low < high:  # bisection: the loss never grows with the threshold, and ends at 0
        middle = (low + high) // 2
        steps = exit_steps(margin, _constant_rule(middle, len(logits)))
        losses = int((relevant & ~stable[steps - 1, np.arange(samples)]).sum())
        if (losses + 1) / (samples + 1) <= risk:
            high = middle
        else:
            low = middle + 1
    return _constant_rule(low, len(logits))


def is_stable(logits: Logits) -> NDArray[np.bool_]:
    """Check whether the prediction is the last one and stays so, bool (timesteps, samples)."""
    classes = logits.argmax(axis=-1)
    equal = classes == classes[-1]
    stable: NDArray[np.bool_] = np.logical_and.accumulate(equal[::-1])[::-1]
    return stable


def evaluate_exits(logits: Logits, labels: Labels, rule: EarlyExit | None = None) -> EarlyExitStats:
    """Evaluate exits by `rule` on the logits of full runs, int64 (timesteps, samples, classes)."""
    timesteps, samples, _ = logits.shape
    steps = exit_steps(margins(logits), rule) if rule else np.full(samples, timesteps)
    classes = logits.argmax(axis=-1)
    correct = classes[steps - 1, np.arange(samples)] == labels
    return EarlyExitStats(
        tuple(int(count) for count in np.bincount(steps, minlength=timesteps + 1)[1:]),
        float(steps.mean()),
        float(correct.mean()),
        float((classes[-1] == labels).mean()),
    )


def oracle_exit_step(logits: Logits, labels: Labels) -> float:
    """Compute the mean exit timestep of an oracle: until the prediction is correct and stays so.

    No rule without a loss of accuracy stops sooner. A sample that is wrong after its last timestep
    takes all of them.
    """
    done = is_stable(logits) & (logits[-1].argmax(axis=-1) == labels)
    steps = np.where(done.any(axis=0), done.argmax(axis=0) + 1, len(logits))
    return float(steps.mean())


def _constant_rule(threshold: int, timesteps: int) -> EarlyExit:
    return EarlyExit((threshold,) * max(timesteps - 1, 1))
