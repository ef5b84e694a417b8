"""Standardization in integers: by hand, against floats, a step at a time, and what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from encoders import encoder_network, make_standardize

import pumice as pm
from pumice.runtime.encoders import DeltaCode, Standardize, encoder_from_dict, encoder_to_dict
from pumice.runtime.encoders.encoder import apply_encoders, encoded_shape
from pumice.runtime.encoders.inputs import encode, random_raw_inputs
from pumice.runtime.encoders.stateful import StatefulEncoder
from pumice.runtime.errors import EngineError, NetworkError
from pumice.train.data import from_folder

RANDOM = np.random.default_rng(0)
ENCODER = make_standardize(2, [0, 3], [10, -40], [65_536, 32_768], 4)


def test_values_by_hand() -> None:
    # Feature 0 is x - 10; feature 1, in eighths, is (x + 40) / 2, rounded up at a half.
    rows = np.array([[[10, -40], [13, -39], [-40, -80], [30, -36], [9, 0]]], np.int16)
    events = apply_encoders([ENCODER], rows, 3)
    assert events.shape == (3, 1, 4, 1, 2)
    assert events[:, 0, :, 0].tolist() == [
        [[0, 3], [0, 1], [0, 0], [0, 0]],
        [[0, 15], [0, 2], [15, 0], [15, 0]],
        [[0, 0], [15, 0], [1, 0], [0, 0]],  # the series ends; the mean follows
    ]
    numbers = np.array([[[10.4, -5.0], [12.6, -4.94]]])
    assert apply_encoders([ENCODER], numbers, 1)[0, 0, :, 0].tolist() == [
        [0, 3], [0, 0], [0, 0], [0, 0]]  # fmt: skip


def test_values_are_those_of_exact_fractions() -> None:
    encoder = make_standardize(1, [0] * 3, [-32_768, 0, 77], [1, 3_000_000, 2**31 - 1], 8)
    rows = RANDOM.integers(-32_768, 32_768, (1, 200, 3), np.int16)
    events = apply_encoders([encoder], rows, 200)[:, 0, :, 0, 0].astype(int)
    for step in range(200):
        for f in range(3):
            product = (int(rows[0, step, f]) - int(encoder.mean[f])) * int(encoder.scale[f])
            exact = Fraction(product, 65_536) + Fraction(1, 2)
            value = max(-255, min(255, exact.__floor__()))
            assert events[step, f] - events[step, 3 + f] == value


@pytest.mark.parametrize("encoders", [(ENCODER,), (ENCODER, DeltaCode(3))])
def test_steps_one_by_one_are_those_of_the_whole(encoders: tuple[Standardize, ...]) -> None:
    network = encoder_network(encoders)
    inputs = random_raw_inputs(network, 5, 2)
    stateful = StatefulEncoder(network.encoders)
    (events,) = inputs.events.values()
    assert events.any() and inputs.raw.shape == (5, 2, 4)
    for step, raw in enumerate(inputs.raw[:, 1]):
        assert np.array_equal(stateful.encode(raw).reshape(events.shape[2:]), events[step, 1])
    assert encoded_shape(encoders, ENCODER.output_shape)[1:] == (1, 2)


def test_an_encoder_is_kept_in_a_file_and_refuses_other_input(tmp_path: Path) -> None:
    network = encoder_network((ENCODER,))
    network.save(tmp_path / "net.pumice")
    loaded = pm.load(tmp_path / "net.pumice")
    assert loaded.encoders == network.encoders
    assert encoder_from_dict(encoder_to_dict(ENCODER)) == ENCODER
    for raw in (np.zeros((2, 5, 3)), np.zeros(4), np.full((4, 2), np.nan)):
        with pytest.raises(EngineError, match="the input is float64"):
            encode(network, raw)
    for field, value in (("scale", [0, 1]), ("mean", [40_000, 0]), ("rows", 0),
                         ("exponent", [99, 0]), ("value_bits", 9)):  # fmt: skip
        with pytest.raises(NetworkError, match=f"standardize: {field}"):
            encoder_from_dict({**encoder_to_dict(ENCODER), field: value})
    with pytest.raises(NetworkError, match="standardize: takes int16 samples, so it must"):
        encoded_shape([DeltaCode(3), ENCODER], (4, 1, 2))


def test_a_trained_network_encodes_series_as_its_dataset_did(tmp_path: Path) -> None:
    labels = np.arange(24) % 2
    x = RANDOM.normal(labels[:, None, None], 0.4, (24, 12, 3)) * (1, 1000, 1e-6)
    x[..., 1] = np.rint(x[..., 1])
    np.savez(tmp_path / "own.npz", x=x, y=labels)
    data = from_folder(tmp_path / "own.npz", format="series", timesteps=4, value_bits=6)
    (described,) = data.provenance["encoder"]
    assert described["kind"] == "standardize" and described["exponent"][1] == 0
    mean, std = x.reshape(-1, 3).mean(axis=0), x.reshape(-1, 3).std(axis=0)
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[])
    pm.train(model, data, epochs=1, batch_size=4, progress=False)
    network = pm.convert(model)
    assert isinstance(network.encoders[0], Standardize)
    inputs = pm.encode(network, x)
    values = next(iter(inputs.events.values())).astype(int)  # (timesteps, samples, 6, 1, 3)
    signed = (values[:, :, :3] - values[:, :, 3:])[:, :, :, 0].transpose(1, 0, 3, 2)
    scores = ((x - mean) / std).clip(-3, 3) * 21
    # Fitted to the training samples alone, hence another mean and deviation.
    assert np.abs(signed.reshape(24, 12, 3) - scores).mean() < 3
    tests = data.test.events
    for k in range(len(data.test)):
        assert (values == tests[:, [k]]).all(axis=(0, 2, 3, 4)).any()
    assert pm.verify(network, inputs, engines="reference,cpu").passed
