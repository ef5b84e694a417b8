"""All engines that run on a CPU against each other, on networks and events drawn at random."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Events, runs
from traces import assert_same

from pumice.convert.onnx import run_onnx
from pumice.runtime import Network, Population, Projection, Sparse
from pumice.runtime.engines import fast, reference


@settings(max_examples=3 * settings().max_examples)
@given(runs(), st.sampled_from(["all", "output"]), st.booleans())
def test_reference_fast_and_onnx_agree_on_every_value(
    run: tuple[Network, Events], record: Any, products: bool
) -> None:
    """300 networks; with `--hypothesis-profile=nightly` 10,200. `products` forces float32 sums."""
    network, events = run
    if products:
        table = fast.layout_of(network).projections
        table["product"] = 1 - table["sparse"]
    expected = reference.run(network, events, record)
    assert_same(fast.run(network, events, record), expected)
    assert_same(run_onnx(network, events, record), expected)


@pytest.mark.parametrize("synapses", [False, True])
def test_a_population_that_nothing_reaches_runs_on_its_bias(synapses: bool) -> None:
    populations = (
        Population("in", (9,), kind="input", value_bits=3),
        Population("out", (2, 1, 3), threshold=20, bias=[7, 11]),
    )
    none = Sparse(np.zeros(0), np.zeros(0), np.zeros(0), (6, 9))
    projections = (Projection("none", "in", "out", none, -1),) if synapses else ()
    network = Network(populations, projections)
    events = np.full((12, 2, 9), 5, np.uint8)
    expected = reference.run(network, events)
    assert expected.counts["out"][0].ravel().tolist() == [4, 4, 4, 6, 6, 6]
    assert_same(fast.run(network, events), expected)
    assert_same(run_onnx(network, events), expected)
