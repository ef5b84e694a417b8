"""Confidence intervals of `bench.evidence`, against numbers worked by hand and simulations."""

import numpy as np
import pytest

from bench.evidence.statistics import estimate, paired_difference


def test_two_runs_of_two_samples_by_hand() -> None:
    # Means of runs 1.5 and 4.5, of samples 2 and 4, of all 3. Mean squares: runs 2 (1.5^2 + 1.5^2)
    # / 1 = 9, samples 2 (1 + 1) / 1 = 4, rest 4 * 0.5^2 / 1 = 1. Variance (9 + 4 - 1) / 4 = 3.
    # Degrees of freedom 3^2 / ((9/4)^2 + (4/4)^2 + (1/4)^2) = 9 / 6.125.
    found = estimate(np.array([[1.0, 2.0], [3.0, 6.0]]), level=0.5)
    assert found.mean == 3 and found.standard_error == pytest.approx(3**0.5)
    # With one degree of freedom the quartile of t is 1, with two 0.8165.
    assert 0.8165 < found.half_width / 3**0.5 < 1
    assert (found.runs, found.samples) == (2, 2)


def test_a_single_run_has_the_interval_of_its_samples() -> None:
    # Variance of 0, 0, 1, 1 is 1/3, of the mean 1/12; 3.1824 is t with 3 degrees of freedom.
    found = estimate(np.array([[0.0, 0.0, 1.0, 1.0]]))
    assert found.mean == 0.5
    assert found.half_width == pytest.approx(3.1824463 / 12**0.5, rel=1e-6)


def test_single_values_of_runs_have_the_interval_of_the_runs() -> None:
    assert estimate(np.array([[1.0], [3.0]])).half_width == pytest.approx(12.7062047, rel=1e-6)


def test_a_negative_component_of_variance_does_not_narrow_the_interval() -> None:
    # Both runs have mean 0.5 and all samples too: the rest varies alone, with 4 * 0.25 / 2 = 0.5.
    found = estimate(np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]]))
    assert found.standard_error == pytest.approx((0.5 / 6) ** 0.5)
    # Runs differ more than the samples, and the rest more than the samples: runs alone count.
    scores = np.array([[0.0, 2.0], [5.0, 3.0]])
    # Means of runs 1 and 4, of samples 2.5 and 2.5: squares 9, 0 and 4 * 1 = 4.
    assert estimate(scores).standard_error == pytest.approx((9 / 4) ** 0.5)


def test_folds_are_weighted_by_their_samples() -> None:
    one, two = np.array([[0.0, 1.0, 0.0, 1.0]]), np.array([[1.0, 0.0]])
    found = estimate([one, two])
    assert found.mean == 0.5 and found.samples == 6
    # Variances of the folds' means 1/3 / 4 and 1/2 / 2, with weights 2/3 and 1/3.
    assert found.standard_error == pytest.approx((4 / 9 / 12 + 1 / 9 / 4) ** 0.5)


def test_differences_are_paired() -> None:
    first = np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
    found = paired_difference(first + 2, first)
    assert (found.low, found.mean, found.high) == (2, 2, 2)
    assert paired_difference([first], [first]).format_signed() == "+0.00 ± 0.00"


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((1, 1)), []])
def test_values_without_an_error_are_rejected(scores: object) -> None:
    with pytest.raises(ValueError, match="scores: shapes .*, needs"):
        estimate(scores)  # type: ignore[arg-type]


@pytest.mark.parametrize(("of_runs", "of_samples"), [(0.05, 0.5), (0.5, 0.5), (0.0, 1.0)])
def test_intervals_cover_the_mean_about_as_often_as_they_say(
    of_runs: float, of_samples: float
) -> None:
    random = np.random.default_rng(0)
    covered = []
    for _ in range(1000):
        scores = (
            of_runs * random.standard_normal((5, 1))
            + of_samples * random.standard_normal((1, 60))
            + random.standard_normal((5, 60))
        )
        found = estimate(scores)
        covered.append(found.low <= 0 <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.99
