"""Raw input becomes events: of files and arrays, at once or one timestep after another."""

import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import encoder_network, make_log_mel

import pumice as pm
from pumice.runtime import Network, read_network
from pumice.runtime.encoders import (
    DeltaCode,
    Encoder,
    LatencyCode,
    RateCode,
    encoder_from_dict,
    encoder_to_dict,
)
from pumice.runtime.encoders.stateful import StatefulEncoder
from pumice.runtime.errors import DataError, EngineError, NetworkError, PumiceError

RANDOM = np.random.default_rng(0)
MEL = make_log_mel(windows=3)
SOUND = RANDOM.normal(0, 5000, (2, 500)).clip(-32768, 32767).astype(np.int16)
CASES: dict[str, tuple[tuple[Encoder, ...], Any]] = {
    "mel": ((MEL,), SOUND),
    "peak": ((make_log_mel(windows=2, peak_decay=5, hop=7),), SOUND),
    "mel, delta": ((MEL, DeltaCode(9)), SOUND),
    "rate": ((RateCode(4),), RANDOM.integers(0, 16, (2, 2, 3, 3))),
    "latency": ((LatencyCode(5, 4),), RANDOM.integers(0, 16, (2, 2, 3, 3))),
    "delta": ((DeltaCode(30),), RANDOM.integers(0, 256, (6, 2, 2, 3, 3))),
}


def write_wave(path: Path, samples: Any, rate: int = 8000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return path


@pytest.mark.parametrize("case", CASES)
def test_a_network_keeps_its_encoders_in_a_file(case: str, tmp_path: Path) -> None:
    network = encoder_network(CASES[case][0])
    network.save(tmp_path / "model.pumice")
    read = read_network(tmp_path / "model.pumice")
    assert read == network and read.encoders == network.encoders
    assert read != replace(network, encoders=())
    for encoder in network.encoders:
        assert encoder_from_dict(encoder_to_dict(encoder)) == encoder


@pytest.mark.parametrize("case", CASES)
def test_timesteps_one_by_one_are_those_together(case: str) -> None:
    encoders, raw = CASES[case]
    network = encoder_network(encoders)
    inputs = pm.encode(network, raw, 6)
    encoder = StatefulEncoder(encoders)
    for sample in range(2):
        encoder.reset()
        for step in range(6):
            frame = encoder.encode(inputs.raw[step, sample])
            assert np.array_equal(frame, inputs.events["input"][step, sample]), (sample, step)


def test_files_and_arrays_of_any_length_are_waveforms(tmp_path: Path) -> None:
    network = encoder_network((MEL,))
    path = write_wave(tmp_path / "a.wav", SOUND[0, :300])
    of_file = pm.encode(network, path)
    of_array = pm.encode(network, SOUND[0, :300])
    together = pm.encode(network, [str(path), SOUND[1]])
    assert np.array_equal(of_file.events["input"], of_array.events["input"])
    assert len(of_file.events["input"]) == 4  # 300 samples at 90 a timestep
    assert together.events["input"].shape[:2] == (6, 2)
    assert np.array_equal(together.events["input"][:3, :1], of_file.events["input"][:3])
    trace = pm.run(network, of_file)
    assert np.array_equal(trace.spikes["input"], of_file.events["input"])


def test_timesteps_are_those_of_the_recipe() -> None:
    network = replace(encoder_network((MEL,)), provenance={"recipe": {"data": {"timesteps": 3}}})
    assert len(pm.encode(network, SOUND).events["input"]) == 3


def test_flat_values_take_the_axes_of_the_network() -> None:
    network = encoder_network((RateCode(4),))
    flat = CASES["rate"][1].reshape(2, 18)
    one, other = pm.encode(network, flat), pm.encode(network, CASES["rate"][1])
    assert np.array_equal(one.events["input"], other.events["input"])


WRONG: list[tuple[str, Any, str]] = [
    ("mel", SOUND.astype(np.float32), "the input is float32 .2, 500., needs waveforms of int16"),
    ("mel", 3, "encode: int is no waveform"),
    ("mel", [], "encode: no waveforms, needs 1 or more"),
    ("rate", np.full((2, 18), 16), "the input holds 16..16, needs 0..15"),
    ("rate", np.zeros((2, 17), int), r"encode: input of \(2, 17\), needs \(samples, 2, 3, 3\)"),
    ("delta", np.zeros((4, 2, 17), int), r"needs \(timesteps, samples, 2, 3, 3\)"),
    ("delta", np.full((4, 2, 18), -1), "the input holds -1..-1, needs 0..255"),
]


@pytest.mark.parametrize(("case", "raw", "message"), WRONG)
def test_input_that_does_not_fit_is_one_line(case: str, raw: Any, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        pm.encode(encoder_network(CASES[case][0]), raw)


def test_a_network_without_encoders_takes_events() -> None:
    network = replace(encoder_network((MEL,)), encoders=())
    with pytest.raises(EngineError, match="has no encoders; give its events to run"):
        pm.encode(network, SOUND)


def test_a_file_of_another_rate_is_refused(tmp_path: Path) -> None:
    network = encoder_network((MEL,))
    path = write_wave(tmp_path / "a.wav", SOUND[0], rate=16000)
    with pytest.raises(DataError, match="has 16000 Hz, 1 channels of 16 bits; the network takes"):
        pm.encode(network, path)
    path = write_wave(tmp_path / "b.wav", SOUND[0], channels=2)
    with pytest.raises(DataError, match="2 channels"):
        pm.encode(network, path)
    path = write_wave(tmp_path / "c.wav", [])
    with pytest.raises(DataError, match="c.wav: holds no sound"):
        pm.encode(network, path)
    path.write_bytes(b"RIFF1234")
    with pytest.raises(DataError, match="c.wav: is not a complete PCM .wav file"):
        pm.encode(network, path)
    with pytest.raises(DataError, match="d.wav: cannot be read: No such file"):
        pm.encode(network, tmp_path / "d.wav")


def make(**changes: Any) -> Network:
    return replace(encoder_network((MEL,)), **changes)


CHAINS: list[tuple[tuple[Encoder, ...], str]] = [
    ((DeltaCode(3), MEL), "takes int16 samples, so it must come first"),
    ((RateCode(8), DeltaCode(3)), "delta: takes values, not the spikes of another code"),
    ((MEL, RateCode(8)), "rate: takes static values, but sequences change; use delta"),
    ((make_log_mel(bands=5, windows=3),), "its encoders give .1, 5, 3."),
]


@pytest.mark.parametrize(("encoders", "message"), CHAINS)
def test_encoders_that_do_not_fit_are_refused(encoders: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make(encoders=encoders)


def test_values_beyond_the_input_are_refused() -> None:
    wide, narrow = encoder_network((MEL,)), make_log_mel(windows=3, value_bits=4)
    inputs = replace(wide.populations[0], value_bits=4)
    with pytest.raises(NetworkError, match="takes 0..15, but its encoders give 0..255"):
        replace(wide, populations=(inputs, *wide.populations[1:]))
    replace(wide, populations=(inputs, *wide.populations[1:]), encoders=(narrow,))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "mfcc"}, "kind 'mfcc' is none of log-mel, standardize, rate, latency, delta"),
        ({"kind": "rate", "levels": 3}, "rate: .*unexpected keyword argument 'levels'"),
        ({"kind": "rate", "value_bits": 9}, "value_bits is 9, needs 1 to 8"),
        ({"kind": "latency"}, "latency: .*missing"),
        ({"kind": "delta", "threshold": 0}, "threshold is 0, needs 1 to 255"),
        ({"kind": "delta", "threshold": "8"}, "threshold is '8', needs an integer"),
    ],
)
def test_an_unknown_encoder_in_a_file_is_one_line(values: Any, message: str) -> None:
    with pytest.raises(PumiceError, match=message):
        encoder_from_dict(values)
