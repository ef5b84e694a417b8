"""The conversion pipeline: each option is the function behind it, and bad input is named."""

import copy
import json
import pickle
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.convert import FloatNetwork, FloatPopulation, FloatProjection, quantize_model
from pumice.convert.quantize.calibration import calibrate
from pumice.convert.quantize.float_network import set_weight_bits, use_per_channel_scales
from pumice.convert.quantize.mixed_precision import search_bit_widths
from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime import Dense, Network, PumiceError, Sparse
from pumice.runtime.engines import reference
from pumice.runtime.errors import DataError, EngineError, NetworkError

rng = np.random.default_rng(3)
EVENTS = (rng.random((6, 40, 12)) < 0.4).astype(np.uint8)


def random_weights(*shape: int) -> NDArray[np.float32]:
    return np.asarray(rng.normal(size=shape) / np.sqrt(shape[1]), np.float32)


def make_network(pruned: float = 0.0) -> FloatNetwork:
    """Two layers and a read-out; a fraction of the first weights is pruned to zero."""
    hidden = FloatPopulation("hidden", (30,), np.full(30, 0.1, np.float32), 0.7, 1.0, 0.5)
    out = FloatPopulation("out", (4,), np.zeros(4, np.float32), 0.0, spiking=False)
    weights = random_weights(30, 12)
    weights[rng.random(weights.shape) < pruned] = 0
    projections = (
        FloatProjection("a", "in", "hidden", "dense", weights),
        FloatProjection("b", "hidden", "out", "dense", random_weights(4, 30)),
    )
    return FloatNetwork("in", (12,), 1, (hidden, out), projections, "out", {"seed": 3})


NETWORK = make_network()


def test_without_options_it_quantizes() -> None:
    network, report = quantize_model(NETWORK)
    expected, errors = quantize_network(NETWORK)
    assert (network, report.projections) == (expected, errors)
    assert report.to_dict().keys() == {"projections", "warnings"} and report.samples == 0
    assert dict(network.provenance) == {"seed": 3}


def test_a_pruned_layer_becomes_sparse_with_the_same_spikes() -> None:
    pruned = make_network(pruned=0.9)
    network, _ = quantize_model(pruned)
    kinds = [type(p.connection) for p in network.projections]
    assert kinds == [Sparse, Dense]
    dense = reference.run(quantize_network(pruned)[0], EVENTS)
    sparse = reference.run(network, EVENTS)
    np.testing.assert_array_equal(sparse.voltages["out"], dense.voltages["out"])
    assert dense.spikes["hidden"].any()


def test_bits_scales_and_calibration_are_applied_in_order() -> None:
    network, report = quantize_model(
        NETWORK, weight_bits=5, per_channel=True, calibration=EVENTS, max_samples=16
    )
    prepared = use_per_channel_scales(set_weight_bits(NETWORK, 5))
    calibrated, layers = calibrate(prepared, EVENTS[:, :16])
    assert network == quantize_network(calibrated)[0]
    assert (report.calibration, report.samples) == (layers, 16)
    assert [each["weight_bits"] for each in report.to_dict()["calibration"]] == [5, 5]


@pytest.mark.parametrize("form", ["mapping", "part"])
def test_calibration_takes_what_an_engine_takes(form: str) -> None:
    images = EVENTS.reshape(6, 40, 1, 3, 4)
    calibration: Any = {"in": EVENTS} if form == "mapping" else SimpleNamespace(events=images)
    assert (
        quantize_model(NETWORK, calibration=calibration)[0]
        == (quantize_model(NETWORK, calibration=EVENTS)[0])
    )


def test_mixed_precision_is_the_search_on_the_same_samples() -> None:
    network, report = quantize_model(
        NETWORK, calibration=EVENTS, mixed_precision=0.1, max_samples=None
    )
    allocation = search_bit_widths(NETWORK, EVENTS, 0.1)
    assert report.mixed_precision is not None
    assert report.mixed_precision.bits == allocation.bits
    assert network == quantize_network(allocation.network)[0]
    document = json.loads(json.dumps(report.to_dict()))
    assert document["mixed_precision"]["bits"] == dict(allocation.bits)
    assert document["mixed_precision"]["memory_bits"] < 8 * 480


def test_integers_pass_and_are_not_quantized_again() -> None:
    network, _ = quantize_model(NETWORK)
    assert quantize_model(network)[0] is network
    for options in ({"weight_bits": 4}, {"per_channel": True}, {"calibration": EVENTS}):
        with pytest.raises(NetworkError, match="the network is in integers already"):
            quantize_model(network, **options)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"weight_bits": 9}, NetworkError, "9 weight bits, needs 4 to 8"),
        ({"weight_bits": {"nowhere": 5}}, NetworkError, "nowhere: .* needs one of hidden, out"),
        ({"weight_bits": "8"}, NetworkError, "'8' weight bits, needs 4 to 8"),
        ({"mixed_precision": 0.1}, DataError, "mixed_precision: needs events to search on"),
        ({"mixed_precision": 2, "calibration": EVENTS}, DataError, "needs a fraction from 0 to 1"),
        (
            {"mixed_precision": 0, "calibration": EVENTS, "labels": np.zeros(3, int)},
            DataError,
            r"\(3,\) labels for 40 samples, needs one each",
        ),
        ({"calibration": EVENTS, "max_samples": 0}, DataError, "max_samples is 0"),
        ({"calibration": "digits"}, EngineError, "in: events are <U6"),
        ({"calibration": EVENTS[..., :5]}, EngineError, r"in: events are uint8 \(6, 40, 5\)"),
    ],
)
def test_bad_options_are_one_line(
    options: dict[str, Any], error: type[PumiceError], text: str
) -> None:
    with pytest.raises(error, match=text) as caught:
        quantize_model(NETWORK, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_float_networks_and_their_integers_can_be_copied(duplicate: Any) -> None:
    network: Network = quantize_model(NETWORK)[0]
    assert duplicate(network) == network
    assert quantize_model(duplicate(NETWORK))[0] == network


@pytest.mark.parametrize(
    ("shape", "value_bits", "text"),
    [((2, 3), 1, r"in: shape \(2, 3\) is not"), ((12,), 25, "in: value_bits is 25, needs 1 to 24")],
)
def test_input_of_a_float_network_is_validated(
    shape: tuple[int, ...], value_bits: int, text: str
) -> None:
    with pytest.raises(NetworkError, match=text):
        replace(NETWORK, input_shape=shape, value_bits=value_bits)
