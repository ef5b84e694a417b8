"""Readout rules by hand, through traces and files, and errors of what does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pumice as pm
from pumice.runtime import Dense, Network, Population, Projection, Readout
from pumice.runtime.early_exit import EarlyExit
from pumice.runtime.errors import EngineError, NetworkError
from pumice.runtime.evaluate import evaluate_network
from pumice.runtime.readout import decide, input_lengths

OUTPUTS = np.array([[5, 1], [-9, 8], [7, 2], [6, 6]]).reshape(4, 1, 2)  # after each timestep
EVENTS = np.array([[1, 0], [0, 0], [2, 0], [0, 0]], np.uint8).reshape(4, 1, 2)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        ("last", [[5, 1], [-9, 8], [7, 2], [6, 6]]),
        ("mean", [[5, 1], [-4.5, 4], [7 / 3, 2 / 3], [1.5, 1.5]]),
        ("max", [[5, 1], [5, 8], [7, 8], [7, 8]]),
        ("length", [[5, 1], [-9, 8], [7, 2], [7, 2]]),
    ],
)
def test_decisions_by_hand(decision: Any, expected: list[list[float]]) -> None:
    lengths = input_lengths({"input": EVENTS})
    assert lengths.tolist() == [3]
    assert decide(OUTPUTS, Readout(decision), lengths)[:, 0].tolist() == expected


def test_a_sample_without_an_input_keeps_its_first_outputs() -> None:
    lengths = input_lengths({"input": np.zeros_like(EVENTS)})
    assert lengths.tolist() == [0]
    assert decide(OUTPUTS, Readout("length"), lengths)[:, 0].tolist() == [[5, 1]] * 4


def make_network(readout: Readout | None = None, **options: Any) -> Network:
    """Two leaky integrators that add up two inputs of 2 bits."""
    output = Population("sum", (2,), "integrator", voltage_decay=1024)
    return Network(
        (Population("input", (2,), "input", value_bits=2), output),
        (Projection("all", "input", "sum", Dense(np.array([[2, -4], [-2, 6]]))),),
        readout=readout or Readout(),
        **options,
    )


def events() -> Any:
    random = np.random.default_rng(0).integers(0, 4, (5, 3, 2)).astype(np.uint8)
    random[3:, 1] = 0
    return random


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize("decision", ["max", "length"])
def test_predictions_follow_the_rule_in_every_engine(engine: str, decision: Any) -> None:
    plain = pm.run(make_network(), events(), engine).logits
    trace = pm.run(make_network(Readout(decision)), events(), engine)
    expected = decide(plain, Readout(decision), input_lengths({"input": events()}))
    assert np.array_equal(trace.logits, expected)
    assert not np.array_equal(plain, expected)
    labels = np.array([0, 1, 1])
    accuracy = (expected.argmax(axis=-1) == labels).mean(axis=1)
    assert trace.accuracy(labels).tolist() == accuracy.tolist()


def test_a_regression_estimates_in_the_units_of_its_targets() -> None:
    rule = Readout("mean", "regression", (0.5, 0.25), (10.0, -1.0))
    network = make_network(rule)
    trace = pm.run(network, events())
    voltages = trace.voltages["sum"].astype(float)
    counts = np.arange(1, 6).reshape(-1, 1, 1)
    expected = voltages / counts * [0.5, 0.25] + [10.0, -1.0]
    assert np.allclose(trace.estimates, expected, rtol=0, atol=0)
    targets = np.zeros((3, 2), np.float32)
    inputs = type("Inputs", (), {"events": events(), "labels": targets, "name": "own"})
    result = evaluate_network(network, inputs, "reference", batch_size=2)
    assert result.accuracy is None and result.mae is not None and result.rmse is not None
    assert np.allclose(result.mae, np.abs(expected).mean(axis=(1, 2)))
    assert np.allclose(result.rmse, np.sqrt(np.square(expected).mean(axis=(1, 2))))
    assert np.allclose(np.array(result.predictions), expected[-1])
    inputs.labels = targets[:, :1]  # type: ignore[attr-defined]
    with pytest.raises(EngineError, match=r"targets are float32 \(2, 1\), needs numbers \(2, 2\)"):
        evaluate_network(network, inputs, "reference", batch_size=2)


def test_a_classification_has_no_estimates() -> None:
    with pytest.raises(EngineError, match="the network classifies, it has no estimates"):
        pm.run(make_network(), events()).estimates  # noqa: B018


@pytest.mark.parametrize(
    "readout", [Readout(), Readout("max"), Readout("mean", "regression", (2.0, 1.0), (0.1, 0.3))]
)
def test_files_keep_the_rule(tmp_path: Path, readout: Readout) -> None:
    network = make_network(readout)
    network.save(tmp_path / "n.pumice")
    assert pm.load(tmp_path / "n.pumice") == network
    network.to_nir(tmp_path / "n.nir")
    assert pm.convert(tmp_path / "n.nir") == network
    same = pm.runtime.network_digest(network) == pm.runtime.network_digest(make_network())
    assert same == (readout == Readout())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("first",), "decision 'first' is none of"),
        (("last", "clustering"), "task 'clustering' is none of"),
        (("last", "regression"), "a regression with 0 scales"),
        (("last", "classification", (1.0,), (0.0,)), "a classification with 1 scales"),
        (("last", "regression", (float("nan"),), (0.0,)), "needs finite numbers"),
    ],
)
def test_a_rule_that_is_none_is_an_error(arguments: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Readout(*arguments)


def test_a_rule_that_does_not_fit_its_network_is_an_error() -> None:
    with pytest.raises(NetworkError, match="has 2 outputs, but the readout 1 scales"):
        make_network(Readout("last", "regression", (1.0,), (0.0,)))
    with pytest.raises(NetworkError, match="an early exit compares classes by their last state"):
        make_network(Readout("max"), early_exit=EarlyExit((1, 2)))
    trace = pm.run(make_network(Readout("length")), events())
    lost = type(trace)(**{**trace.__dict__, "lengths": None})
    with pytest.raises(EngineError, match="needs the lengths of the samples"):
        lost.logits  # noqa: B018
