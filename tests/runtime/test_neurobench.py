import numpy as np
from hypothesis import given
from numpy.typing import NDArray
from strategies import runs

from pumice.runtime import Dense, Network, Population, Projection, SumPool
from pumice.runtime.engines.reference import run
from pumice.runtime.neurobench import neurobench_metrics
from pumice.runtime.op_counts import count_ops

# Two graded inputs, 2 x 2 weights of which one is 0, a pool that NeuroBench does not count.
NETWORK = Network(
    (
        Population("in", (2, 1, 1), kind="input", value_bits=2),
        Population("pool", (2, 1, 1), threshold=0),
        Population("out", (2,), threshold=[3, 100]),
    ),
    (
        Projection("p", "in", "pool", SumPool((1, 1), (1, 1))),
        Projection("d", "in", "out", Dense(np.array([[2, 0], [2, 2]]))),
        Projection("e", "pool", "out", Dense(np.array([[2, 2], [2, 2]]))),
    ),
)
EVENTS = np.array([[3, 1], [0, 2], [0, 0]], np.uint8).reshape(3, 1, 2, 1, 1)


def test_metrics_match_hand_worked_figures() -> None:
    """Neuron 0 sends once to two weights, neuron 1 twice to one; `pool` sends on all three."""
    trace = run(NETWORK, EVENTS)
    result = neurobench_metrics(NETWORK, trace)
    pool, out = (int(trace.counts[name].sum()) for name in ("pool", "out"))
    assert (pool, trace.counts["in"].ravel().tolist()) == (3, [1, 2])
    assert result["ParameterCount"] == 8
    assert result["Footprint"] == 8 + 4 * (4 + 5)
    assert result["ConnectionSparsity"] == 1 / 8
    assert result["ActivationSparsity"] == 1 - (pool + out) / 12
    assert result["SynapticOperations"] == {
        "Effective_MACs": 1 * 2 + 2 * 1,
        "Effective_ACs": 3 * 2,
        "Dense": 3 * 8,
    }


@given(runs())
def test_effective_operations_are_the_counted_ones_less_zero_weights(
    drawn: tuple[Network, dict[str, NDArray[np.uint8]]],
) -> None:
    network, events = drawn
    trace = run(network, events)
    counts = count_ops(network, trace)
    result = neurobench_metrics(network, trace)
    pools = [p.name for p in network.projections if isinstance(p.connection, SumPool)]
    stored = sum(
        counts.synaptic_operations[p.name] for p in network.projections if p.name not in pools
    )
    effective = result["SynapticOperations"]["Effective_MACs"]
    effective += result["SynapticOperations"]["Effective_ACs"]
    assert effective <= np.mean(stored) + 1e-9
    if result["ConnectionSparsity"] == 0:
        assert effective >= np.mean(stored) - 1e-9
