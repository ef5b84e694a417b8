from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse, SumPool, Trace
from pumice.runtime.connections import Connection
from pumice.runtime.engines.reference import accumulate, run
from pumice.runtime.errors import EngineError
from pumice.runtime.op_counts import count_ops, count_ops_by_step, fan_out


def reached_by_each(connection: Connection, source: tuple[int, ...]) -> NDArray[np.int64]:
    """Send one event from each neuron in turn, through ones only, and count what arrives."""
    neurons = int(np.prod(source))
    one_each = np.eye(neurons, dtype=np.int64).reshape(neurons, *source)
    met = accumulate(connection, one_each).reshape(neurons, -1).sum(axis=1)
    return np.array(met.reshape(source))


WINDOWS = list(product([(3, 3), (2, 5)], [(1, 1), (2, 3)], [(0, 0), (2, 1)], [(1, 1), (1, 2)]))


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), WINDOWS)
def test_the_fan_out_of_a_window_is_exact_at_every_border(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> None:
    conv = Conv(np.ones((6, 2, *kernel)), stride, padding, dilation, 2)
    assert np.array_equal(fan_out(conv, (4, 9, 10)), reached_by_each(conv, (4, 9, 10)))
    pool = SumPool(kernel, stride, padding)
    assert np.array_equal(fan_out(pool, (3, 9, 10)), reached_by_each(pool, (3, 9, 10)))


def test_sparse_counts_listed_and_dense_counts_stored_weights() -> None:
    sparse = Sparse(np.array([1, 1, 0]), np.array([0, 1, 1]), np.array([2, 2, 0]), (2, 4))
    assert fan_out(sparse, (4,)).tolist() == [1, 0, 2, 0]
    assert fan_out(sparse, (1, 2, 2)).tolist() == [[[1, 0], [2, 0]]]
    assert fan_out(Dense(np.zeros((5, 4))), (4,)).tolist() == [5, 5, 5, 5]
    assert fan_out(Conv(np.zeros((5, 1, 1, 1))), (1, 1, 2)).tolist() == [[[5, 5]]]


def network() -> Network:
    random = np.random.default_rng(2)
    return Network(
        (
            Population("in", (2, 5, 5), kind="input", value_bits=2),
            Population("conv", (4, 3, 3), threshold=30, voltage_decay=512),
            Population("out", (6,), threshold=20),
            Population("read", (3,), kind="integrator"),
        ),
        (
            Projection(
                "c", "in", "conv", Conv(random.integers(1, 30, (4, 2, 3, 3)), (2, 2), (1, 1))
            ),
            Projection("d", "conv", "out", Dense(2 * random.integers(-20, 30, (6, 36)))),
            Projection(
                "back",
                "out",
                "out",
                Sparse(np.ones(6), np.arange(6), np.arange(6), (6, 6)),
                delay=3,
            ),
            Projection("e", "out", "read", Dense(np.ones((3, 6)))),
        ),
    )


def trace_of(timesteps: int = 7) -> Trace:
    events = np.random.default_rng(3).integers(0, 4, (7, 3, 2, 5, 5)).astype(np.uint8)
    return run(network(), events[:timesteps])


def test_operations_match_following_each_message() -> None:
    trace, result = trace_of(), count_ops(network(), trace_of())
    for projection in network().projections:
        reached = fan_out(projection.connection, network().population(projection.source).shape)
        followed = [0, 0, 0]
        for event in np.argwhere(trace.spikes[projection.source]):
            followed[event[1]] += int(reached[tuple(event[2:])])
        assert result.synaptic_operations[projection.name].tolist() == followed
        assert min(followed) > 0
    sums = [
        sum(result.synaptic_operations[p.name][k] for p in network().projections) for k in range(3)
    ]
    assert result.total_synaptic_operations.tolist() == sums


def test_events_count_a_graded_value_once_and_updates_every_neuron_and_step() -> None:
    trace, result = trace_of(), count_ops(network(), trace_of())
    assert result.events["in"].tolist() == [
        np.count_nonzero(trace.spikes["in"][:, k]) for k in range(3)
    ]
    assert set(result.events) == {"in", "conv", "out"}
    assert result.neuron_updates == {"conv": 36 * 7, "out": 6 * 7, "read": 3 * 7}
    assert result.total_neuron_updates == 45 * 7
    assert result.total_events.tolist() == [
        sum(e[k] for e in result.events.values()) for k in range(3)
    ]


def test_synapses_are_those_of_one_dense_pass() -> None:
    """Of 9 x 9 places that 3 x 3 windows look at 7 x 7 are inside; by 4 x 2 kernels."""
    assert count_ops(network(), trace_of()).synapses == 49 * 8 + 6 * 36 + 6 + 3 * 6


def test_counts_do_not_depend_on_the_record() -> None:
    events = np.ones((4, 2, 2, 5, 5), np.uint8)
    spare = count_ops(network(), run(network(), events, "output"))
    full = count_ops(network(), run(network(), events, "all"))
    assert spare.total_synaptic_operations.tolist() == full.total_synaptic_operations.tolist()


@pytest.mark.parametrize("timesteps", [1, 4, 7])
def test_counts_by_step_are_those_of_a_run_that_stopped_there(timesteps: int) -> None:
    stopped = count_ops(network(), trace_of(timesteps))
    after = count_ops_by_step(network(), trace_of())[timesteps - 1]
    assert after.timesteps == timesteps and after.neuron_updates == stopped.neuron_updates
    for part in ("events", "synaptic_operations"):
        for name, values in getattr(stopped, part).items():
            assert getattr(after, part)[name].tolist() == values.tolist()


def test_counts_by_step_need_every_spike() -> None:
    spare = run(network(), np.ones((4, 2, 2, 5, 5), np.uint8), "output")
    with pytest.raises(EngineError, match="run with record='all'"):
        count_ops_by_step(network(), spare)
