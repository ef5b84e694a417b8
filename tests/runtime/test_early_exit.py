from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pumice.runtime import (
    Dense,
    EarlyExit,
    Network,
    Population,
    Projection,
    logits_over_time,
    network_digest,
    read_network,
    write_network,
)
from pumice.runtime.early_exit import NEVER_EXIT, exit_steps, margins
from pumice.runtime.engines import reference
from pumice.runtime.errors import FileError, NetworkError
from pumice.runtime.op_counts import count_ops, count_ops_by_step


def adding(thresholds: tuple[int, ...] | None) -> Network:
    """Three inputs, each of which adds 1 a step to its own answer, 64 in the units of voltages."""
    populations = (Population("in", (3,), kind="input"), Population("out", (3,), "integrator"))
    exit = None if thresholds is None else EarlyExit(thresholds)
    projection = Projection("p", "in", "out", Dense(np.eye(3, dtype=int)))
    return Network(populations, (projection,), provenance={"seed": 3}, early_exit=exit)


def one_hot(timesteps: int = 4) -> Any:
    """Sample 0 sees its class at every step, sample 1 at the second alone, sample 2 never."""
    events = np.zeros((timesteps, 3, 3), np.uint8)
    events[:, 0, 1] = 1
    events[1, 1, 2] = 1
    return events


def test_margins_and_steps_worked_by_hand() -> None:
    message = np.array([[[5, 1, 4], [0, 0, 0]], [[9, 2, 4], [-7, -1, -3]]])
    assert margins(message).tolist() == [[1, 0], [5, 2]]
    ahead = np.array([[1, 0, 3], [5, 2, 3], [5, 9, 3]])
    assert exit_steps(ahead, EarlyExit((2, 1))).tolist() == [2, 2, 1]
    assert exit_steps(ahead, EarlyExit((NEVER_EXIT, 4))).tolist() == [2, 3, 3]
    assert exit_steps(ahead, EarlyExit((3,))).tolist() == [3, 3, 3]


def test_a_margin_must_exceed_its_threshold_and_ties_never_exit() -> None:
    assert exit_steps(np.array([[0], [64], [64]]), EarlyExit((0, 64, 0))).tolist() == [3]
    assert exit_steps(np.array([[0], [65], [64]]), EarlyExit((0, 64, 0))).tolist() == [2]


def test_after_its_exit_a_sample_has_no_spikes_and_keeps_its_logits() -> None:
    trace = reference.run(adding((64, 63, 63)), one_hot())
    assert trace.steps.tolist() == [2, 2, 4]
    assert logits_over_time(adding(None), trace)[:, 0, 1].tolist() == [64, 128, 128, 128]
    assert trace.spikes["in"][:, 0].sum(axis=1).tolist() == [1, 1, 0, 0]
    assert trace.counts["in"].sum(axis=1).tolist() == [2, 1, 0]


def test_operations_after_an_exit_are_not_counted() -> None:
    trace = reference.run(adding((64, 63, 63)), one_hot())
    counts = count_ops(adding(None), trace)
    assert counts.total_events.tolist() == [2, 1, 0]
    assert counts.neuron_updates == {"out": 8}  # 3 neurons times 8 steps over 3 samples
    assert [each.neuron_updates["out"] for each in count_ops_by_step(adding(None), trace)] == [
        3,
        6,
        7,
        8,
    ]


def test_the_rule_is_part_of_the_file_and_the_digest(tmp_path: Path) -> None:
    network = adding((5, NEVER_EXIT, 0))
    for name in ("one", "two"):
        write_network(tmp_path / name, network)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_network(tmp_path / "one") == network
    assert read_network(tmp_path / "one").early_exit == EarlyExit((5, NEVER_EXIT, 0))
    assert network_digest(network) != network_digest(adding(None))


def test_a_file_without_the_rule_is_read_as_before(tmp_path: Path) -> None:
    write_network(tmp_path / "net.pumice", adding(None))
    assert b"early_exit" not in (tmp_path / "net.pumice").read_bytes()
    assert read_network(tmp_path / "net.pumice").early_exit is None


@pytest.mark.parametrize("thresholds", [(), (-1,), (2**31,), (1.5,), ("1",)])
def test_invalid_thresholds_are_rejected(thresholds: Any) -> None:
    with pytest.raises(NetworkError, match="early exit"):
        EarlyExit(thresholds)


def test_a_file_with_an_invalid_early_exit_is_rejected(tmp_path: Path) -> None:
    rule = EarlyExit((1,))
    object.__setattr__(rule, "thresholds", "many")
    write_network(tmp_path / "net.pumice", replace(adding(None), early_exit=rule))
    with pytest.raises(FileError, match="holds an invalid network"):
        read_network(tmp_path / "net.pumice")


def test_one_output_neuron_has_no_margin() -> None:
    populations = (Population("in", (3,), kind="input"), Population("out", (1,), "integrator"))
    projection = Projection("p", "in", "out", Dense(np.ones((1, 3))))
    with pytest.raises(NetworkError, match="out: has one neuron, an early exit compares two"):
        Network(populations, (projection,), early_exit=EarlyExit((1,)))
