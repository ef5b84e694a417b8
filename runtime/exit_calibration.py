"""Thresholds of an early exit, set on samples that took no part in training.

One margin holds for all steps: sums of evidence against a constant bound, as in Wald's sequential
probability ratio test. (Margins of their own for each step, as the Top-K cutoff sets them, stopped
no sooner on held-out N-MNIST and lost more: they adapt to the samples they are set on.)

A sample *stops unsettled* where its answer then is not its last one, or changes at a later step.
A larger margin stops no sample sooner, so this never grows with the margin: what conformal risk
control asks for. With n samples to choose by and a loss L_i of 0 or 1, the smallest margin with

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
            raise DataError(f"exits: counts are {self.counts}, needs one of 0 or more a timestep")
        for key in ("accuracy", "full_accuracy"):
            if not 0 <= getattr(self, key) <= 1:
                raise DataError(
                    f"exits: {key} is {getattr(self, key)}, needs a fraction from 0 to 1"
                )


def calibrate_by_accuracy(logits: Logits, labels: Labels, loss: float) -> EarlyExit:
    """Return the rule that stops soonest and loses an expected accuracy of at most `loss`, 0 to 1.

    L_i = 1 where a sample that is right in the end stops unsettled: of all that early stops turn
    wrong, and more. `said` is what `answers` gave for whole runs, int64 (timesteps, samples,
    classes), `labels` int64 (samples,). Raises `DataError` where there are too few samples for it.
    """
    return conformal_threshold(logits, logits[-1].argmax(axis=-1) == labels, loss)


def calibrate_by_coverage(logits: Logits, coverage: float) -> EarlyExit:
    """Return the rule that stops soonest and gives the last answer with a chance of `coverage`.

    L_i = 1 where a sample stops unsettled, which bounds "stops with another answer than its last";
    no labels are needed. Raises `DataError` where there are too few samples for it.
    """
    return conformal_threshold(logits, np.ones(logits.shape[1], bool), round(1 - coverage, 12))


def conformal_threshold(logits: Logits, matters: NDArray[np.bool_], risk: float) -> EarlyExit:
    """Return the rule of the smallest margin at which so few that `matters` stop unsettled."""
    number = logits.shape[1]
    if not 0 < risk < 1:
        raise DataError(f"early exit: a risk of {risk}, needs more than 0 and less than 1")
    if 1 / (number + 1) > risk:
        raise DataError(
            f"early exit: {number} samples, but a risk of {risk:g} needs {round(1 / risk) - 1} or "
            "more; keep more for validation or allow more"
        )
    ahead, sure = margins(logits), is_stable(logits)
    low, high = 0, NEVER_EXIT
    while low < high:  # halve: the loss never grows with the margin, and at NEVER it is 0
        middle = (low + high) // 2
        steps = exit_steps(ahead, _constant_rule(middle, len(logits)))
        lost = int((matters & ~sure[steps - 1, np.arange(number)]).sum())
        if (lost + 1) / (number + 1) <= risk:
            high = middle
        else:
            low = middle + 1
    return _constant_rule(low, len(logits))


def is_stable(logits: Logits) -> NDArray[np.bool_]:
    """Return where the answer is the last one and stays so, (timesteps, samples)."""
    classes = logits.argmax(axis=-1)
    same = classes == classes[-1]
    kept: NDArray[np.bool_] = np.logical_and.accumulate(same[::-1])[::-1]
    return kept


def evaluate_exits(logits: Logits, labels: Labels, rule: EarlyExit | None = None) -> EarlyExitStats:
    """Return when the samples of whole runs stop by `rule`, and how often they are right then."""
    timesteps, samples, _ = logits.shape
    steps = exit_steps(margins(logits), rule) if rule else np.full(samples, timesteps)
    classes = logits.argmax(axis=-1)
    right = classes[steps - 1, np.arange(samples)] == labels
    return EarlyExitStats(
        tuple(int(count) for count in np.bincount(steps, minlength=timesteps + 1)[1:]),
        float(steps.mean()),
        float(right.mean()),
        float((classes[-1] == labels).mean()),
    )


def oracle_exit_step(logits: Logits, labels: Labels) -> float:
    """Return the mean steps that no rule beats without loss: until the answer is right for good.

    A sample that is wrong in the end takes all its steps.
    """
    sure = is_stable(logits) & (logits[-1].argmax(axis=-1) == labels)
    steps = np.where(sure.any(axis=0), sure.argmax(axis=0) + 1, len(logits))
    return float(steps.mean())


def _constant_rule(margin: int, timesteps: int) -> EarlyExit:
    return EarlyExit((margin,) * max(timesteps - 1, 1))
