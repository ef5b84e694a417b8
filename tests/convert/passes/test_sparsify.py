import numpy as np
from zoo import EVENTS, ZOO, even

from pumice.convert.passes.sparsify import sparsify
from pumice.runtime import Dense, Network, Population, Projection, Sparse
from pumice.runtime.engines import reference


def test_a_matrix_of_few_synapses_becomes_a_list_of_them() -> None:
    few, many = np.zeros((4, 5), int), even(4, 5)
    few[[0, 3], [1, 4]] = 6, -8
    populations = (Population("in", (5,), "input"), Population("a", (4,)), Population("b", (4,)))
    projections = (Projection("p", "in", "a", Dense(few)), Projection("q", "in", "b", Dense(many)))
    thinned = sparsify(Network(populations, projections))
    assert thinned.projections[0].connection == Sparse([6, -8], [0, 3], [1, 4], (4, 5))  # type: ignore[arg-type]
    assert thinned.projections[1] == projections[1]


def test_no_spike_changes() -> None:
    expected, found = reference.run(ZOO, EVENTS), reference.run(sparsify(ZOO), EVENTS)
    for name, spikes in expected.spikes.items():
        assert np.array_equal(spikes, found.spikes[name])
