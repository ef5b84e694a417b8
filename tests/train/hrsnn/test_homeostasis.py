"""Threshold adaptation against numbers worked by hand."""

import numpy as np
import pytest

from pumice.train.hrsnn.homeostasis import adapt_thresholds, floor_fraction


def test_thresholds_rise_for_rates_above_the_target_and_fall_below() -> None:
    rates = np.array([0.15, 0.1, 0.05, 0.9])
    adapted = adapt_thresholds(np.ones(4), rates, target=0.1, gain=0.2)
    assert adapted == pytest.approx([np.exp(0.1), 1, np.exp(-0.1), np.exp(0.2)])


def test_thresholds_stay_within_their_range() -> None:
    adapted = adapt_thresholds(np.array([0.05, 20.0]), np.array([0.0, 1.0]), target=0.1, gain=1.0)
    assert adapted.tolist() == [0.05, 20.0]


def test_neurons_at_the_lowest_threshold_are_counted() -> None:
    thresholds = np.array([0.05, 0.06, 1.0, 0.05], np.float32)
    assert floor_fraction(thresholds) == 0.5
