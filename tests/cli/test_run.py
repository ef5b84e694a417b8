from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK, pumice

from pumice.cli.run import BATCH
from pumice.runtime import accuracy_over_time, logits_over_time, network_digest
from pumice.runtime.engines.reference import run
from pumice.runtime.op_counts import count_ops


@pytest.mark.parametrize("engine", ["reference", "cpu", "onnx"])
def test_a_run_says_what_the_trace_says(network: Path, events: Path, engine: str) -> None:
    answer = pumice("run", network, "--events", events, "--engine", engine, "--json")
    trace = run(NETWORK, EVENTS)
    counts = count_ops(NETWORK, trace)
    told = answer.document
    assert answer.status == 0 and told["engine"] == engine
    assert told["network"] == network_digest(NETWORK)
    assert (told["samples"], told["timesteps"]) == (7, 5)
    assert told["answers"] == logits_over_time(NETWORK, trace)[-1].argmax(axis=1).tolist()
    assert told["accuracy"] == pytest.approx(accuracy_over_time(NETWORK, trace, LABELS).tolist())
    assert told["events"] == pytest.approx(counts.total_events.mean())
    assert told["operations"] == pytest.approx(counts.total_synaptic_operations.mean())
    assert told["updates"] == counts.total_neuron_updates


def test_samples_beyond_a_batch_are_not_lost(network: Path, tmp_path: Path) -> None:
    many = np.concatenate([EVENTS] * 20, axis=1)
    np.savez(tmp_path / "many.npz", events=many)
    told = pumice("run", network, "--events", tmp_path / "many.npz", "--json").document
    assert BATCH < told["samples"] == 140 and told["accuracy"] is None
    assert told["answers"] == 20 * told["answers"][:7]


def test_a_run_can_be_cut_in_samples_and_timesteps(network: Path, events: Path) -> None:
    cut = ("--samples", 3, "--timesteps", 2)
    told = pumice("run", network, "--events", events, *cut, "--json").document
    trace = run(NETWORK, EVENTS[:2, :3])
    assert told["accuracy"] == pytest.approx(
        accuracy_over_time(NETWORK, trace, LABELS[:3]).tolist()
    )


def test_people_are_told_the_same(network: Path, events: Path) -> None:
    answer = pumice("run", network, "--events", events, "--engine", "reference")
    right = accuracy_over_time(NETWORK, run(NETWORK, EVENTS), LABELS)
    assert f"right        {100 * right[-1]:.1f} %" in answer.out
    assert "7 of events.npz, 5 timesteps each" in answer.out and answer.err == ""
