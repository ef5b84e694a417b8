import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.early_exit import NEVER_EXIT, EarlyExit, exit_steps, margins
from pumice.runtime.errors import DataError
from pumice.runtime.exit_calibration import (
    calibrate_by_accuracy,
    calibrate_by_coverage,
    evaluate_exits,
    is_stable,
    oracle_exit_step,
)

# Three steps, four samples, two classes, given by how far class 0 is ahead of class 1.
LEADS = np.array([[5, -3, 2, 0], [7, 4, 3, -1], [9, 8, -6, -2]])
LABELS = np.array([0, 0, 0, 1])


def make_logits(leads: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([leads, np.zeros_like(leads)], axis=-1)


def test_a_sample_is_stable_once_its_prediction_stays() -> None:
    expected = [[True, False, False, False], [True, True, False, True], [True] * 4]
    assert is_stable(make_logits(LEADS)).tolist() == expected
    assert oracle_exit_step(make_logits(LEADS), LABELS) == (1 + 2 + 3 + 2) / 4


def test_exits_by_a_rule_are_evaluated() -> None:
    result = evaluate_exits(make_logits(LEADS), LABELS, EarlyExit((2, 2)))
    # Margins 5, 3 stop at once; of the others 3 passes at the second step and 2 never.
    assert result.counts == (2, 1, 1) and result.mean_steps == (1 + 1 + 2 + 3) / 4
    assert result.accuracy == 0.75 and result.full_accuracy == 0.75


def test_the_smallest_threshold_that_bounds_the_risk_by_hand() -> None:
    """Below a margin of 3 two samples of four stop unsettled, from 3 on none."""
    assert calibrate_by_coverage(make_logits(LEADS), 0.4).thresholds == (0, 0)  # (2 + 1) / 5 is 0.6
    assert calibrate_by_coverage(make_logits(LEADS), 0.41).thresholds == (3, 3)
    assert calibrate_by_coverage(make_logits(LEADS), 0.8).thresholds == (3, 3)  # (0 + 1) / 5 is 0.2


def test_an_incorrect_sample_may_exit_at_any_time() -> None:
    assert calibrate_by_accuracy(make_logits(LEADS), LABELS, 0.2).thresholds == (3, 3)
    # With sample 1 labelled otherwise, only the fourth may not stop at its tie, and it cannot.
    assert calibrate_by_accuracy(make_logits(LEADS), np.array([0, 1, 0, 1]), 0.2).thresholds == (
        0,
        0,
    )


def test_predictions_that_change_to_the_end_never_exit_early() -> None:
    flips = np.array([[9, 9], [-9, -9], [9, 9]])
    rule = calibrate_by_coverage(make_logits(flips * 10**6), 0.6)
    assert evaluate_exits(make_logits(flips * 10**6), np.zeros(2, int), rule).mean_steps == 3


def test_too_few_samples_for_the_risk_are_an_error() -> None:
    with pytest.raises(DataError, match="4 samples, but a risk of 0.05 needs 19 or more"):
        calibrate_by_coverage(make_logits(LEADS), 0.95)
    with pytest.raises(DataError, match="risk of 0, needs more than 0"):
        calibrate_by_accuracy(make_logits(LEADS), LABELS, 0)


def walks(random: np.random.Generator, samples: int) -> NDArray[np.int64]:
    """Sums of noisy evidence, which change their sign now and then."""
    drift = random.normal(3, 4, samples)
    steps: NDArray[np.int64] = np.rint(random.normal(drift, 10, (8, samples))).astype(np.int64)
    return make_logits(steps.cumsum(axis=0))


@pytest.mark.parametrize("coverage", [0.9, 0.95])
def test_the_coverage_holds_on_average_and_is_tight(coverage: float) -> None:
    random = np.random.default_rng(0)
    agreed, steps = [], []
    for _ in range(300):
        rule = calibrate_by_coverage(walks(random, 100), coverage)
        new = walks(random, 200)
        ran = exit_steps(margins(new), rule)
        agreed.append(is_stable(new)[ran - 1, np.arange(200)].mean())
        steps.append(ran.mean())
    deviation = np.std(agreed) / np.sqrt(len(agreed))
    assert coverage - 3 * deviation <= np.mean(agreed) <= coverage + 0.02 + 3 * deviation
    assert np.mean(steps) < 8


def test_the_loss_of_accuracy_holds_on_average() -> None:
    random, lost = np.random.default_rng(1), []
    for _ in range(300):
        held, new = walks(random, 100), walks(random, 200)
        result = evaluate_exits(
            new, np.zeros(200, int), calibrate_by_accuracy(held, np.zeros(100, int), 0.05)
        )
        lost.append(result.full_accuracy - result.accuracy)
    assert np.mean(lost) <= 0.05


def test_one_timestep_never_exits_early() -> None:
    rule = calibrate_by_coverage(make_logits(LEADS[:1]), 0.6)
    assert evaluate_exits(make_logits(LEADS[:1]), LABELS, rule).counts == (4,)
    assert max(rule.thresholds) < NEVER_EXIT
