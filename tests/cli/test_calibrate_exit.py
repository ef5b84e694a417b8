from dataclasses import replace
from pathlib import Path

import pytest
from command import EVENTS, NETWORK, pumice

from pumice.runtime import EarlyExit, read_network
from pumice.runtime.engines import cpu


def test_thresholds_from_a_file_are_written_and_what_they_give_is_told(
    network: Path, events: Path
) -> None:
    given = ("--held-out", events, "--events", events, "--coverage", "0.8", "--json")
    told = pumice("exit", network, *given).document
    stopping = read_network(told["file"])
    assert Path(told["file"]) == network.with_name("net-exit.pumice")
    assert stopping.early_exit == EarlyExit(tuple(told["thresholds"]))
    assert stopping.provenance["early_exit"] == {"coverage": 0.8, "samples": 7}
    steps = cpu.run(stopping, EVENTS).steps
    assert told["mean_steps"] == pytest.approx(steps.mean())
    assert sum(told["exits"]) == told["samples"] == 7
    assert told["events"]["now"] <= told["events"]["before"]
    assert told["energy"][0]["now"][0] <= told["energy"][0]["before"][0]
    assert replace(stopping, early_exit=None) == NETWORK


def test_engines_agree_on_a_file_that_stops_early(network: Path, events: Path) -> None:
    pumice("exit", network, "--held-out", events, "--events", events, "--coverage", "0.5")
    stopping = network.with_name("net-exit.pumice")
    answer = pumice("conform", stopping, "--events", events, "--engines", "fast,onnx")
    assert answer.status == 0
    first = pumice("run", stopping, "--events", events, "--json").document
    again = pumice("run", stopping, "--events", events, "--engine", "onnx", "--json").document
    assert first["accuracy"] == again["accuracy"] and first["answers"] == again["answers"]


def test_people_see_what_is_saved(network: Path, events: Path) -> None:
    given = ("--held-out", events, "--events", events, "--loss", "0.2")
    out = pumice("exit", network, *given).out
    assert "mean steps" in out and "energy" in out and "net-exit.pumice" in out


def test_without_held_out_samples_it_says_how_to_keep_some(network: Path, events: Path) -> None:
    answer = pumice("exit", network, "--events", events)
    assert answer.status == 2 and "--set training.validation_per_class=20" in answer.err


def test_too_few_samples_and_two_aims_are_refused(network: Path, events: Path) -> None:
    given = ("--held-out", events, "--events", events)
    answer = pumice("exit", network, *given, "--coverage", "0.99")
    assert answer.status == 2 and "7 samples, but a risk of 0.01 needs 99 or more" in answer.err
    answer = pumice("exit", network, *given, "--coverage", "0.9", "--loss", "0.1")
    assert answer.status == 2 and "needs one of them" in answer.err
