"""Mixed precision: within its budget, and no bit taken where that harms more than it frees."""

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


def drawn(*shape: int, size: float) -> NDArray[np.float32]:
    return np.asarray(rng.normal(size=shape) * size / np.sqrt(np.prod(shape[1:])), np.float32)


def made() -> FloatNetwork:
    conv = FloatPopulation("conv", (4, 5, 5), np.full(4, 0.1, np.float32))
    out = FloatPopulation("out", (4,), np.zeros(4, np.float32), 0.0, spiking=False)
    synapses = (
        FloatProjection("a", "in", "conv", "conv", drawn(4, 2, 3, 3, size=3), padding=(1, 1)),
        FloatProjection("b", "conv", "out", "dense", drawn(4, 100, size=1)),
    )
    return FloatNetwork("in", (2, 5, 5), 1, (conv, out), synapses, "out")


GRAPH = made()
EXACT = simulate_float_network(GRAPH, EVENTS)["out"][-1].argmax(axis=1)


def said(graph: FloatNetwork) -> NDArray[np.int64]:
    network, _ = quantize_network(graph)
    given = logits_over_time(network, reference.run(network, EVENTS))
    return np.asarray(given[-1].argmax(axis=1), np.int64)


@pytest.mark.parametrize("budget", [0.0, 0.05, 1.0])
def test_a_suggestion_keeps_within_its_budget_and_is_the_network_that_was_judged(
    budget: float,
) -> None:
    found = search_bit_widths(GRAPH, EVENTS, budget)
    harm = float((said(found.network) != EXACT).mean())
    assert found.accuracy_drop == harm <= budget
    network, _ = quantize_network(found.network)
    for projection in network.projections:
        assert stored_weight_bits(projection.connection) <= found.bits[projection.target]
    counts = {"conv": 72, "out": 400}
    assert found.memory_bits == sum(n * found.bits[name] for name, n in counts.items())
    assert found.full_memory_bits == 8 * 472


def test_a_larger_budget_frees_more_memory() -> None:
    none, some, all_ = (
        search_bit_widths(GRAPH, EVENTS, budget).memory_bits for budget in (0.0, 0.05, 1.0)
    )
    assert all_ == 4 * 472 and all_ <= some <= none < 8 * 472


def test_every_population_is_tried_with_every_number_of_bits() -> None:
    told = search_bit_widths(GRAPH, EVENTS, 0.0).sensitivities
    assert [(t.name, t.bits) for t in told] == [
        (name, bits) for name in ("conv", "out") for bits in (7, 6, 5, 4)
    ]
    assert told[3].error > told[0].error


def test_with_labels_the_budget_is_of_accuracy() -> None:
    labels = (EXACT + (np.arange(40) % 5 == 0)) % 4  # real numbers are right on four of five
    found = search_bit_widths(GRAPH, EVENTS, 0.1, labels)
    lost = float((labels == EXACT).mean() - (said(found.network) == labels).mean())
    assert found.accuracy_drop == max(lost, 0.0) <= 0.1
