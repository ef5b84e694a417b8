import numpy as np
from zoo import EVENTS, ZOO, even_weights

from pumice.convert.passes.sparsify import sparsify
from pumice.runtime import Dense, Network, Population, Projection, Sparse
from pumice.runtime.engines import reference


def test_dense_layer_of_low_density_becomes_sparse() -> None:
    pruned, full = np.zeros((4, 5), int), even_weights(4, 5)
    pruned[[0, 3], [1, 4]] = 6, -8
    populations = (Population("in", (5,), "input"), Population("a", (4,)), Population("b", (4,)))
    projections = (
        Projection("p", "in", "a", Dense(pruned)),
        Projection("q", "in", "b", Dense(full)),
    )
    sparse = sparsify(Network(populations, projections))
    assert sparse.projections[0].connection == Sparse([6, -8], [0, 3], [1, 4], (4, 5))  # type: ignore[arg-type]
    assert sparse.projections[1] == projections[1]


def test_spikes_do_not_change() -> None:
    expected, actual = reference.run(ZOO, EVENTS), reference.run(sparsify(ZOO), EVENTS)
    for name, spikes in expected.spikes.items():
        assert np.array_equal(spikes, actual.spikes[name])
