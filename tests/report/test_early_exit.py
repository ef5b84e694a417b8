from dataclasses import replace

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK

from pumice.report.early_exit import CostComparison, compare_early_exit
from pumice.runtime import EarlyExit
from pumice.runtime.engines import reference

EXITING = replace(NETWORK, early_exit=EarlyExit((0, 10, 2**31 - 1, 0)))


def test_exits_and_predictions_are_those_of_the_reference() -> None:
    comparison = compare_early_exit(EXITING, {"in": EVENTS}, LABELS)
    trace, full = reference.run(EXITING, EVENTS), reference.run(NETWORK, EVENTS)
    assert comparison.mean_steps == pytest.approx(trace.steps.mean())
    assert comparison.exits == tuple(np.bincount(trace.steps, minlength=6)[1:].tolist())
    same = trace.predictions == full.predictions
    assert comparison.agreement == pytest.approx(same.mean())
    assert comparison.accuracy == pytest.approx((trace.predictions == LABELS).mean())
    assert comparison.full_accuracy == pytest.approx((full.predictions == LABELS).mean())


def test_early_exit_costs_at_most_as_much() -> None:
    comparison = compare_early_exit(EXITING, {"in": EVENTS})
    for cost in (comparison.events, comparison.synaptic_operations):
        assert 0 < cost.with_exit <= cost.all_timesteps
        assert cost.saved == pytest.approx(1 - cost.with_exit / cost.all_timesteps)
    assert all(0 <= (energy.saved or 0) < 1 for energy in comparison.energy)
    assert comparison.accuracy is None and comparison.to_dict()["full_accuracy"] is None


def test_nothing_is_saved_of_nothing() -> None:
    assert CostComparison(0.0, 0.0).saved is None
