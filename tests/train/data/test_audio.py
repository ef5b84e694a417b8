"""Audio as the integers that firmware computes, with augmented copies of training recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import write_wave

import pumice as pm
from pumice.runtime.encoders import LogMel, encoder_from_dict
from pumice.runtime.encoders.inputs import encode
from pumice.runtime.errors import DataError
from pumice.train.data import from_folder
from pumice.train.data.audio_options import AudioOptions
from pumice.train.data.dataset import train_val_split
from pumice.train.data.readers.audio import vary_waveform

COPIES = {"copies": 3, "speed": 0.2, "shift_ms": 50, "gain_db": 6, "noise_db": 10}
OPTIONS: dict[str, Any] = {"class_pattern": r"(\d)_", "timesteps": 4, "size": 12, "window": 400_000}
BY_TAKE = {"by": "group", "pattern": r"_(\d)\.wav", "test_groups": ["0"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    for label, frequency in enumerate((400, 2000)):
        for take in range(4):
            time = np.arange(4000) / 8000
            tone = 0.5 * np.sin(2 * np.pi * frequency * time) + random.normal(0, 0.01, 4000)
            write_wave(tmp_path / "tones" / f"{label}_{take}.wav", tone)
    return tmp_path / "tones"


def test_training_samples_have_copies_and_test_samples_none(folder: Path) -> None:
    plain = from_folder(folder, **OPTIONS, split=BY_TAKE)
    data = from_folder(folder, **OPTIONS, split=BY_TAKE, audio=COPIES)
    assert (len(plain.train), len(plain.test)) == (6, 2)
    assert (len(data.train), len(data.test)) == (24, 2)
    assert data.test == plain.test and data.train[:6] == plain.train
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, *[0] * 9, *[1] * 9]
    assert data.provenance["encoder"] == plain.provenance["encoder"]
    copies = data.train.events[:, 6:]
    assert len({copies[:, k].tobytes() for k in range(18)}) == 18
    again = from_folder(folder, **OPTIONS, split=BY_TAKE, audio=COPIES, cache=False)
    assert again.train == data.train  # decoded anew
    other = from_folder(folder, **OPTIONS, split=BY_TAKE, audio=COPIES, seed=1)
    assert other.train != data.train


def test_a_waveform_is_varied_within_the_options() -> None:
    tone = (8000 * np.sin(0.1 * np.arange(4000))).astype(np.int16)
    same = vary_waveform(tone, 8000, 6000, AudioOptions(), np.random.default_rng(0))
    assert np.array_equal(same, tone)
    lengths, loudness = [], []
    for seed in range(50):
        generator = np.random.default_rng(seed)
        varied = vary_waveform(tone, 8000, 6000, AudioOptions(speed=0.25, gain_db=6), generator)
        lengths.append(len(varied) / 4000)
        loudness.append(20 * np.log10(np.abs(varied.astype(int)).max() / 8000))
    noisy = [
        vary_waveform(tone, 8000, 6000, AudioOptions(noise_db=0), np.random.default_rng(seed))
        for seed in range(20)
    ]
    with_noise = [each for each in noisy if len(each) == 6000]
    assert 4 < len(with_noise) < 16 and all(each[4000:].any() for each in with_noise)
    tilted = vary_waveform(tone, 8000, 0, AudioOptions(tilt=0.5), np.random.default_rng(1))
    assert len(tilted) == 4000 and not np.array_equal(tilted, tone)
    assert 0.8 <= min(lengths) < 0.9 and 1.1 < max(lengths) <= 1.25
    assert -6.1 <= min(loudness) < -3 and 3 < max(loudness) <= 6.1


def test_validation_samples_are_not_drawn_from_copies(folder: Path) -> None:
    data = from_folder(folder, **OPTIONS, split=BY_TAKE, audio=COPIES)
    with pytest.raises(DataError, match="augmented copies.*hold recordings out by split"):
        train_val_split(data, 1, 0)
    held_out = {**BY_TAKE, "validation_groups": ["1"]}
    data = from_folder(folder, **OPTIONS, split=held_out, audio=COPIES)
    assert data.validation is not None and len(data.train) == 16
    assert train_val_split(data, 1, 0)[1] is data.validation


def test_a_converted_network_encodes_as_it_was_trained(folder: Path) -> None:
    data = from_folder(folder, **OPTIONS, split=BY_TAKE, audio={"reference": "peak"})
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[16])
    pm.train(model, data, epochs=2, batch_size=4)
    network = pm.convert(model)
    (encoder,) = network.encoders
    assert isinstance(encoder, LogMel) and encoder.peak_decay == 3
    assert network.provenance["data"]["encoder"] == ["log-mel"]
    encoded = encode(network, [folder / "0_0.wav", folder / "1_0.wav"])
    assert np.array_equal(encoded.events["input"], data.test.events)
    assert encoder == encoder_from_dict(data.provenance["encoder"][0])


def test_spectra_sent_on_change_are_encoded_by_two_encoders(folder: Path) -> None:
    data = from_folder(folder, **OPTIONS, split=BY_TAKE, encoding="delta", delta_threshold=8)
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[16])
    pm.train(model, data, epochs=1, batch_size=4)
    network = pm.convert(model)
    assert [each.kind for each in network.encoders] == ["log-mel", "delta"]
    encoded = encode(network, [folder / "0_0.wav", folder / "1_0.wav"])
    assert np.array_equal(encoded.events["input"], data.test.events)


def test_windows_that_leave_gaps_are_refused(folder: Path) -> None:
    with pytest.raises(pm.PumiceError, match="window_ms is 5, needs hop_ms = 10 or more"):
        from_folder(folder, **OPTIONS, audio={"window_ms": 5})
    with pytest.raises(DataError, match="40 bands: one would hold no frequency of an FFT of 64"):
        from_folder(folder, **{**OPTIONS, "size": 40}, audio={"window_ms": 8, "hop_ms": 8})
