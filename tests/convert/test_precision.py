"""Mixed precision: within its budget, and no bit taken where that harms more than it frees."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.convert.graph import Graph, Neurons, Synapses
from pumice.convert.precision import suggested
from pumice.convert.quantise import quantised
from pumice.convert.reals import simulated
from pumice.deploy.synapses import weight_bits
from pumice.runtime import answers
from pumice.runtime.engines import reference

rng = np.random.default_rng(2)
EVENTS = (rng.random((6, 40, 2, 5, 5)) < 0.3).astype(np.uint8)


def drawn(*shape: int, size: float) -> NDArray[np.float32]:
    return np.asarray(rng.normal(size=shape) * size / np.sqrt(np.prod(shape[1:])), np.float32)


def made() -> Graph:
    conv = Neurons("conv", (4, 5, 5), np.full(4, 0.1, np.float32))
    out = Neurons("out", (4,), np.zeros(4, np.float32), 0.0, spikes=False)
    synapses = (
        Synapses("a", "in", "conv", "conv", drawn(4, 2, 3, 3, size=3), padding=(1, 1)),
        Synapses("b", "conv", "out", "dense", drawn(4, 100, size=1)),
    )
    return Graph("in", (2, 5, 5), 1, (conv, out), synapses, "out")


GRAPH = made()
EXACT = simulated(GRAPH, EVENTS)["out"][-1].argmax(axis=1)


def said(graph: Graph) -> NDArray[np.int64]:
    network, _ = quantised(graph)
    given = answers(network, reference.run(network, EVENTS))
    return np.asarray(given[-1].argmax(axis=1), np.int64)


@pytest.mark.parametrize("budget", [0.0, 0.05, 1.0])
def test_a_suggestion_keeps_within_its_budget_and_is_the_network_that_was_judged(
    budget: float,
) -> None:
    found = suggested(GRAPH, EVENTS, budget)
    harm = float((said(found.graph) != EXACT).mean())
    assert found.harm == harm <= budget
    network, _ = quantised(found.graph)
    for projection in network.projections:
        assert weight_bits(projection.connection) <= found.bits[projection.target]
    counts = {"conv": 72, "out": 400}
    assert found.memory == sum(n * found.bits[name] for name, n in counts.items())
    assert found.full == 8 * 472


def test_a_larger_budget_frees_more_memory() -> None:
    none, some, all_ = (suggested(GRAPH, EVENTS, budget).memory for budget in (0.0, 0.05, 1.0))
    assert all_ == 4 * 472 and all_ <= some <= none < 8 * 472


def test_every_population_is_tried_with_every_number_of_bits() -> None:
    told = suggested(GRAPH, EVENTS, 0.0).sensitivities
    assert [(t.name, t.bits) for t in told] == [
        (name, bits) for name in ("conv", "out") for bits in (7, 6, 5, 4)
    ]
    assert told[3].error > told[0].error


def test_with_labels_the_budget_is_of_accuracy() -> None:
    labels = (EXACT + (np.arange(40) % 5 == 0)) % 4  # real numbers are right on four of five
    found = suggested(GRAPH, EVENTS, 0.1, labels)
    lost = float((EXACT == labels).mean() - (said(found.graph) == labels).mean())
    assert found.harm == max(lost, 0.0) <= 0.1
