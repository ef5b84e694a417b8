"""Readout rules and regressions in training: equal to the converted network, in its units."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pumice as pm
from pumice.runtime.errors import PumiceError


def sequences(targets: bool = False) -> Any:
    """Recordings of two lengths, padded; the class or target is in the number of events."""
    random = np.random.default_rng(0)
    level = random.uniform(0.05, 0.6, 60)
    events = (random.random((6, 60, 1, 6, 6)) < level[:, None, None, None]).astype(np.uint8)
    if not targets:
        events[4:, ::2] = 0
    labels: Any = 100 + 40 * level.astype(np.float64) if targets else (level > 0.3).astype(int)
    labels = np.stack([labels, -labels], axis=1) if targets else labels
    return pm.datasets.from_arrays(events[:, :40], labels[:40], events[:, 40:], labels[40:])


def train(data: Any, out: Path, **settings: Any) -> Any:
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[])
    chosen = {"epochs": 4, "qat_epochs": 2, "batch_size": 8, **settings}
    pm.train(model, data, out=out, progress=False, **chosen)
    return model


@pytest.mark.parametrize("decision", ["last", "max", "length", "mean"])
def test_the_integers_follow_the_rule_of_training(decision: str, tmp_path: Path) -> None:
    data = sequences()
    model = train(data, tmp_path, readout={"decision": decision, "leak": 0.1})
    network = pm.convert(model)
    assert network.readout.decision == decision
    assert network.population("output").voltage_decay == 410
    expected = pm.evaluate(model, data.test, quantized=True)
    assert pm.evaluate(network, data.test).tolist() == expected.tolist()
    assert pm.convert(tmp_path) == network  # the rule is part of the run


def test_a_regression_is_trained_converted_and_evaluated_in_its_units(tmp_path: Path) -> None:
    data = sequences(targets=True)
    assert data.task == "regression" and data.classes == 2
    model = train(data, tmp_path, epochs=30, qat_epochs=5, validation_per_class=8)
    network = pm.convert(model)
    errors = pm.evaluate(model, data.test, quantized=True)
    assert np.allclose(pm.evaluate(network, data.test), errors, rtol=1e-5)
    spread = np.abs(data.test.labels - data.train.labels.mean(axis=0)).mean()
    assert errors[-1] < 0.5 * spread  # better than the mean of the targets
    assert pm.verify(network, data.test[:3], engines="cpu").passed
    targets = data.train.labels.astype(float)
    assert np.allclose(network.readout.offset, targets.mean(axis=0))
    assert pm.convert(tmp_path) == network


@pytest.mark.parametrize("loss", ["mae", "huber", {"mse": {"every_step": True}}])
def test_every_regression_loss_trains(loss: Any, tmp_path: Path) -> None:
    data = sequences(targets=True)
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[])
    trained = pm.train(
        model, data, epochs=3, loss=loss, out=tmp_path, progress=False, batch_size=8, qat_epochs=0
    )
    assert trained.history[-1]["error"] < trained.history[0]["error"]


@pytest.mark.parametrize(
    ("targets", "loss", "message"),
    [
        (True, "etc", "loss.cross_entropy: the labels of arrays are numbers; choose"),
        (False, "mse", "loss.mse: the labels of arrays are classes; choose"),
    ],
)
def test_a_loss_of_the_other_kind_is_an_error(
    targets: bool, loss: str, message: str, tmp_path: Path
) -> None:
    data = sequences(targets)
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[])
    with pytest.raises(PumiceError, match=message):
        pm.train(model, data, epochs=1, loss=loss, out=tmp_path, batch_size=8, progress=False)


@pytest.mark.parametrize(("bits", "expected"), [(1, 1), (4, 4), (8, 8)])
def test_inputs_have_the_bits_of_their_values(bits: int, expected: int, tmp_path: Path) -> None:
    data = pm.datasets.load("digits-events", timesteps=2)
    events = data.train.events[:, :40] * np.uint8((1 << bits) - 1)
    labels = data.train.labels[:40]
    own = pm.datasets.from_arrays(events, labels, events, labels)
    model = train(own, tmp_path, epochs=1, qat_epochs=1)
    network = pm.convert(model)
    assert network.inputs[0].value_bits == expected
    assert pm.verify(network, own.test[:2], engines="cpu").passed


def test_signed_values_become_two_sets_of_channels() -> None:
    x = np.array([[-1.0, 0.5], [0.0, 1.0]])
    data = pm.datasets.from_arrays(x, [0, 1], x, [0, 1], timesteps=1, signed=True)
    assert data.input_shape == (4, 1, 1)
    assert data.train.events[0, :, :, 0, 0].tolist() == [[0, 128, 255, 0], [0, 255, 0, 0]]
    steps = np.arange(-6, 6).reshape(2, 3, 2)
    data = pm.datasets.from_arrays(steps, [0, 1, 0], steps, [0, 1, 0], signed=True)
    assert data.train.events[0, 0, :, 0, 0].tolist() == [0, 0, 6, 5]
    assert data.train.events[1, 2, :, 0, 0].tolist() == [4, 5, 0, 0]
