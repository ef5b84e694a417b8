from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import Events, runs, to_valid_weights
from torch.nn import functional
from traces import assert_same, part

from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse, SumPool
from pumice.runtime.connections import Connection
from pumice.runtime.engines.reference import accumulate, run
from pumice.runtime.errors import EngineError

Pair = tuple[int, int]
SMALL = st.integers(1, 3)
PAIRS = st.tuples(SMALL, SMALL)
PADDINGS = st.tuples(st.integers(0, 2), st.integers(0, 2))


def convolved_by_hand(conv: Conv, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum in the docstring of `connections`, one product at a time."""
    channels, rows, columns = conv.target_shape(values.shape)
    per_group = conv.weights.shape[1]
    summed = np.zeros((channels, rows, columns), np.int64)
    for o, y, x in np.ndindex(summed.shape):
        first = o // (channels // conv.groups) * per_group
        for i, j, k in np.ndindex(conv.weights.shape[1:]):
            row = y * conv.stride[0] + j * conv.dilation[0] - conv.padding[0]
            column = x * conv.stride[1] + k * conv.dilation[1] - conv.padding[1]
            if 0 <= row < values.shape[1] and 0 <= column < values.shape[2]:
                summed[o, y, x] += int(conv.weights[o, i, j, k]) * values[first + i, row, column]
    return summed


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    list(product([(1, 1), (2, 3)], [(0, 0), (2, 1)], [(1, 1), (2, 1)], [1, 2, 4])),
)
def test_a_convolution_is_the_sum_in_its_definition(
    stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int], groups: int
) -> None:
    random = np.random.default_rng(0)
    weights = 2 * random.integers(-9, 9, (8, 4 // groups, 3, 2))
    conv = Conv(weights, stride, padding, dilation, groups)
    values = random.integers(0, 4, (2, 4, 7, 6))
    expected = [convolved_by_hand(conv, sample) for sample in values]
    assert np.array_equal(accumulate(conv, values), expected)


@given(PAIRS, PAIRS, PADDINGS, PAIRS, SMALL, SMALL)
def test_a_convolution_is_that_of_torch(
    kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int, inputs: int
) -> None:
    random = np.random.default_rng(7)
    weights = to_valid_weights(
        random.integers(-256, 255, (2 * groups, inputs, *kernel)).astype(np.int16)
    )
    values = random.integers(0, 256, (2, groups * inputs, 7, 8))
    tensors = torch.from_numpy(values).double(), torch.from_numpy(weights).double()
    expected = functional.conv2d(*tensors, None, stride, padding, dilation, groups)
    actual = accumulate(Conv(weights, stride, padding, dilation, groups), values)
    assert np.array_equal(actual, expected.numpy())


@given(PAIRS, PAIRS, SMALL)
def test_sum_pooling_is_the_average_of_torch_times_its_window(
    kernel: Pair, stride: Pair, channels: int
) -> None:
    values = np.random.default_rng(7).integers(0, 256, (2, channels, 5, 6))
    padding = (kernel[0] // 2, kernel[1] // 2)
    averages = functional.avg_pool2d(torch.from_numpy(values).double(), kernel, stride, padding)
    expected = (averages * kernel[0] * kernel[1] * -37).round()
    actual = accumulate(SumPool(kernel, stride, padding, -37), values)
    assert np.array_equal(actual, expected.numpy())


def test_sum_pooling_sums_each_window() -> None:
    values = np.arange(16).reshape(1, 1, 4, 4)
    pool = SumPool((2, 2), (2, 2), weight=3)
    assert accumulate(pool, values).tolist() == [[[[30, 54], [126, 150]]]]


def test_sparse_is_dense_with_the_other_weights_zero() -> None:
    random = np.random.default_rng(0)
    weights = 2 * random.integers(-3, 3, (5, 6))
    rows, columns = weights.nonzero()
    sparse = Sparse(weights[rows, columns], rows, columns, (5, 6))
    values = random.integers(0, 3, (4, 2, 3, 1))
    expected = values.reshape(4, 6) @ weights.T
    for connection in (sparse, Dense(weights)):
        assert np.array_equal(accumulate(connection, values), expected)


def test_a_loop_fires_when_lavas_did() -> None:
    """Neuron 0 is driven by its bias and drives neuron 1; numbers from a run of Lava."""
    network = Network(
        (
            Population("in", (1,), kind="input"),
            Population("pair", (2,), threshold=10, bias=[192, 0], bias_exponent=0),
        ),
        (
            Projection("in_pair", "in", "pair", Dense(np.array([[0], [0]]))),
            Projection("loop", "pair", "pair", Dense(np.array([[0, 0], [30, 0]])), delay=1),
        ),
    )
    trace = run(network, np.zeros((12, 1, 1), np.uint8))
    fired = trace.spikes["pair"][:, 0]
    assert [fired[:, neuron].nonzero()[0].tolist() for neuron in (0, 1)] == [[3, 7, 11], [4, 8]]


def read_out(connection: Connection, exponent: int = 0, delay: int = 0, bits: int = 1) -> Network:
    """One input and an integrator that shows the sum of the step."""
    shown = Population("out", (1,), "integrator", current_decay=4096, voltage_decay=4096)
    return Network(
        (Population("in", (2,), kind="input", value_bits=bits), shown),
        (Projection("p", "in", "out", connection, exponent, delay),),
    )


def test_a_delay_of_two_arrives_two_steps_later() -> None:
    events = np.zeros((5, 1, 2), np.uint8)
    events[[0, 3], 0, 0] = 1
    voltages = run(read_out(Dense(np.array([[1, 2]])), delay=2), events).voltages["out"]
    assert voltages.ravel().tolist() == [0, 0, 64, 0, 0]


def test_the_exponent_scales_the_sum_and_not_each_weight() -> None:
    """Three and five halved are one and two; their sum halved is four."""
    voltages = run(read_out(Dense(np.array([[3, 5]])), -1), np.ones((1, 1, 2), np.uint8)).voltages[
        "out"
    ]
    assert voltages.ravel().tolist() == [4 * 64]


def test_a_graded_value_is_multiplied_and_counts_as_one_event() -> None:
    events = np.array([[[7, 0]], [[2, 3]]], np.uint8)
    trace = run(read_out(Dense(np.array([[1, 2]])), bits=3), events)
    assert trace.voltages["out"].ravel().tolist() == [7 * 64, 8 * 64]
    assert trace.counts["in"].tolist() == [[2, 1]]
    assert np.array_equal(trace.spikes["in"], events)


def test_projections_into_one_population_add_up() -> None:
    out = Population("out", (1,), "integrator", current_decay=4096, voltage_decay=4096)
    inputs = (Population("a", (1,), kind="input"), Population("b", (1,), kind="input"))
    both = tuple(
        Projection(f"from_{p.name}", p.name, "out", Dense(np.array([[3]]))) for p in inputs
    )
    one = np.ones((1, 1, 1), np.uint8)
    trace = run(Network((*inputs, out), both), {"a": one, "b": one})
    assert trace.voltages["out"].item() == 6 * 64


def test_only_the_output_is_recorded_where_only_it_is_asked_for() -> None:
    network = Network(
        (Population("in", (1,), kind="input"), Population("a", (1,)), Population("b", (1,))),
        (
            Projection("ia", "in", "a", Dense(np.array([[9]]))),
            Projection("ab", "a", "b", Dense(np.array([[9]]))),
        ),
    )
    trace = run(network, np.ones((3, 1, 1), np.uint8), "output")
    assert set(trace.spikes) == {"b"} and set(trace.counts) == {"in", "a", "b"}
    assert trace.counts["a"].tolist() == [[3]]


def test_samples_are_independent() -> None:
    random = np.random.default_rng(0)
    network = Network(
        (Population("in", (6,), kind="input"), Population("out", (5,), threshold=20)),
        (Projection("p", "in", "out", Dense(2 * random.integers(-20, 30, (5, 6)))),),
    )
    events = random.integers(0, 2, (9, 4, 6)).astype(np.uint8)
    together = run(network, events).spikes["out"]
    alone = [run(network, events[:, k : k + 1]).spikes["out"][:, 0] for k in range(4)]
    assert together.any() and np.array_equal(together, np.stack(alone, axis=1))


@given(runs())
def test_samples_of_any_network_are_independent(run_of: tuple[Network, Events]) -> None:
    network, events = run_of
    together = run(network, events)
    for sample in range(together.batch):
        alone = {name: array[:, sample : sample + 1] for name, array in events.items()}
        assert_same(run(network, alone), part(together, sample))


def test_events_that_do_not_fit_are_rejected() -> None:
    with pytest.raises(EngineError, match="in: events are uint8"):
        run(read_out(Dense(np.array([[1, 2]]))), np.zeros((3, 1, 5), np.uint8))
