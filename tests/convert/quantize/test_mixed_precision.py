"""Mixed precision: bit widths within the accuracy budget, and their sensitivities."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from pumice.convert.quantize.float_simulator import simulate_float_network
from pumice.convert.quantize.mixed_precision import search_bit_widths
from pumice.convert.quantize.quantize import quantize_network
from pumice.deploy.placement.synaptic_memory import stored_weight_bits
from pumice.runtime import logits_over_time
from pumice.runtime.engines import reference

rng = np.random.default_rng(2)
EVENTS = (rng.random((6, 40, 2, 5, 5)) < 0.3).astype(np.uint8)


def random_weights(*shape: int, size: float) -> NDArray[np.float32]:
    return np.asarray(rng.normal(size=shape) * size / np.sqrt(np.prod(shape[1:])), np.float32)


def make_network() -> FloatNetwork:
    conv = FloatPopulation("conv", (4, 5, 5), np.full(4, 0.1, np.float32))
    out = FloatPopulation("out", (4,), np.zeros(4, np.float32), 0.0, spiking=False)
    projections = (
        FloatProjection(
            "a", "in", "conv", "conv", random_weights(4, 2, 3, 3, size=3), padding=(1, 1)
        ),
        FloatProjection("b", "conv", "out", "dense", random_weights(4, 100, size=1)),
    )
    return FloatNetwork("in", (2, 5, 5), 1, (conv, out), projections, "out")


NETWORK = make_network()
FLOAT_PREDICTIONS = simulate_float_network(NETWORK, EVENTS)["out"][-1].argmax(axis=1)


def predict(float_network: FloatNetwork) -> NDArray[np.int64]:
    network, _ = quantize_network(float_network)
    logits = logits_over_time(network, reference.run(network, EVENTS))
    return np.asarray(logits[-1].argmax(axis=1), np.int64)


@pytest.mark.parametrize("budget", [0.0, 0.05, 1.0])
def test_bit_allocation_keeps_the_budget_and_is_that_of_its_network(
    budget: float,
) -> None:
    allocation = search_bit_widths(NETWORK, EVENTS, budget)
    accuracy_drop = float((predict(allocation.network) != FLOAT_PREDICTIONS).mean())
    assert allocation.accuracy_drop == accuracy_drop <= budget
    network, _ = quantize_network(allocation.network)
    for projection in network.projections:
        assert stored_weight_bits(projection.connection) <= allocation.bits[projection.target]
    counts = {"conv": 72, "out": 400}
    assert allocation.memory_bits == sum(n * allocation.bits[name] for name, n in counts.items())
    assert allocation.full_memory_bits == 8 * 472


def test_larger_budgets_free_more_memory() -> None:
    none, some, all_ = (
        search_bit_widths(NETWORK, EVENTS, budget).memory_bits for budget in (0.0, 0.05, 1.0)
    )
    assert all_ == 4 * 472 and all_ <= some <= none < 8 * 472


def test_sensitivities_cover_every_population_and_bit_width() -> None:
    sensitivities = search_bit_widths(NETWORK, EVENTS, 0.0).sensitivities
    assert [(t.name, t.bits) for t in sensitivities] == [
        (name, bits) for name in ("conv", "out") for bits in (7, 6, 5, 4)
    ]
    assert sensitivities[3].error > sensitivities[0].error


def test_with_labels_the_budget_is_accuracy() -> None:
    labels = (
        FLOAT_PREDICTIONS + (np.arange(40) % 5 == 0)
    ) % 4  # the float network is right on four of five
    allocation = search_bit_widths(NETWORK, EVENTS, 0.1, labels)
    drop = float(
        (labels == FLOAT_PREDICTIONS).mean() - (predict(allocation.network) == labels).mean()
    )
    assert allocation.accuracy_drop == max(drop, 0.0) <= 0.1
