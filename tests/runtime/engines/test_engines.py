"""All engines that run on a CPU against each other, on networks and events drawn at random."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Events, runs
from traces import assert_same

from pumice.convert.onnx import run_onnx
from pumice.runtime import Network
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
