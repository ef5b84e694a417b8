import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK, pumice
from encoders import encoder_network, make_log_mel

from pumice.runtime import accuracy_over_time, logits_over_time, network_digest
from pumice.runtime.batches import BATCH_SIZE
from pumice.runtime.encoders.inputs import encode
from pumice.runtime.engines.reference import run
from pumice.runtime.op_counts import count_ops


@pytest.mark.parametrize("engine", ["reference", "cpu", "onnx"])
def test_a_run_reports_accuracy_predictions_and_counts(
    network: Path, events: Path, engine: str
) -> None:
    result = pumice("run", network, "--events", events, "--engine", engine, "--json")
    trace = run(NETWORK, EVENTS)
    counts = count_ops(NETWORK, trace)
    document = result.document
    assert result.status == 0 and document["engine"] == engine
    assert document["network"] == network_digest(NETWORK)
    assert (document["samples"], document["timesteps"]) == (7, 5)
    assert document["predictions"] == logits_over_time(NETWORK, trace)[-1].argmax(axis=1).tolist()
    expected = accuracy_over_time(NETWORK, trace, LABELS).tolist()
    assert document["accuracy"] == pytest.approx(expected)
    assert document["events"] == pytest.approx(counts.total_events.mean())
    operations = counts.total_synaptic_operations.mean()
    assert document["synaptic_operations"] == pytest.approx(operations)
    assert document["neuron_updates"] == counts.total_neuron_updates


def test_a_waveform_is_encoded_and_its_prediction_printed(tmp_path: Path) -> None:
    network = encoder_network((make_log_mel(windows=3),))
    network.save(tmp_path / "model.pumice")
    sound = np.random.default_rng(0).normal(0, 5000, 700).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    wav = "--events", tmp_path / "a.wav"
    trace = run(network, encode(network, sound.astype(np.int16)).events)
    result = pumice("run", tmp_path / "model.pumice", *wav)
    assert result.status == 0 and f"predictions  {trace.predictions[0]}\n" in result.out
    profiled = pumice("profile", tmp_path / "model.pumice", *wav, "--target", "cmos45")
    assert profiled.status == 0 and "multiplications and" in profiled.out
    events_alone = replace(network, encoders=())
    events_alone.save(tmp_path / "plain.pumice")
    refused = pumice("run", tmp_path / "plain.pumice", *wav)
    assert refused.status == 2
    assert "a.wav: is a waveform, but the network has no encoder; needs one" in refused.err


def test_all_samples_beyond_one_batch_are_run(network: Path, tmp_path: Path) -> None:
    repeated = np.concatenate([EVENTS] * 20, axis=1)
    np.savez(tmp_path / "repeated.npz", events=repeated)
    document = pumice("run", network, "--events", tmp_path / "repeated.npz", "--json").document
    assert BATCH_SIZE < document["samples"] == 140 and document["accuracy"] is None
    assert document["predictions"] == 20 * document["predictions"][:7]


def test_samples_and_timesteps_can_be_limited(network: Path, events: Path) -> None:
    limits = ("--samples", 3, "--timesteps", 2)
    document = pumice("run", network, "--events", events, *limits, "--json").document
    trace = run(NETWORK, EVENTS[:2, :3])
    expected = accuracy_over_time(NETWORK, trace, LABELS[:3]).tolist()
    assert document["accuracy"] == pytest.approx(expected)


def test_the_printed_table_has_the_same_values(network: Path, events: Path) -> None:
    result = pumice("run", network, "--events", events, "--engine", "reference")
    accuracy = accuracy_over_time(NETWORK, run(NETWORK, EVENTS), LABELS)
    assert f"accuracy     {100 * accuracy[-1]:.1f} %" in result.out
    assert "7 of events.npz, 5 timesteps each" in result.out and result.err == ""
