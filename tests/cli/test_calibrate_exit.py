from dataclasses import replace
from pathlib import Path

import pytest
from command import EVENTS, NETWORK, pumice

from pumice.runtime import EarlyExit, read_network
from pumice.runtime.engines import cpu


def test_thresholds_are_calibrated_on_a_file_and_evaluated(network: Path, events: Path) -> None:
    options = ("--held-out", events, "--events", events, "--coverage", "0.8", "--json")
    document = pumice("calibrate-exit", network, *options).document
    calibrated = read_network(document["file"])
    assert Path(document["file"]) == network.with_name("net-exit.pumice")
    assert calibrated.early_exit == EarlyExit(tuple(document["thresholds"]))
    record = {"coverage": 0.8, "samples": 7}
    assert calibrated.provenance["early_exit"] == document["calibration"] == record
    steps = cpu.run(calibrated, EVENTS).steps
    assert document["mean_steps"] == pytest.approx(steps.mean())
    assert sum(document["exits"]) == document["samples"] == 7
    assert document["events"]["with_exit"] <= document["events"]["all_timesteps"]
    energy = document["energy"][0]
    assert energy["with_exit"][0] <= energy["all_timesteps"][0]
    assert replace(calibrated, early_exit=None) == NETWORK


def test_engines_agree_on_a_network_with_early_exit(network: Path, events: Path) -> None:
    options = ("--held-out", events, "--events", events, "--coverage", "0.5")
    pumice("calibrate-exit", network, *options)
    calibrated = network.with_name("net-exit.pumice")
    result = pumice("verify", calibrated, "--events", events, "--engines", "cpu,onnx")
    assert result.status == 0
    run = ("run", calibrated, "--events", events, "--json")
    first, again = pumice(*run).document, pumice(*run, "--engine", "onnx").document
    assert first["accuracy"] == again["accuracy"] and first["predictions"] == again["predictions"]


def test_the_savings_are_printed(network: Path, events: Path) -> None:
    options = ("--held-out", events, "--events", events, "--loss", "0.2")
    out = pumice("calibrate-exit", network, *options).out
    assert "mean steps" in out and "energy" in out and "net-exit.pumice" in out


def test_a_recipe_without_validation_samples_is_an_error(network: Path, events: Path) -> None:
    result = pumice("calibrate-exit", network, "--events", events)
    assert result.status == 2 and "--set training.validation_per_class=20" in result.err


def test_too_few_samples_and_two_criteria_are_errors(network: Path, events: Path) -> None:
    options = ("--held-out", events, "--events", events)
    result = pumice("calibrate-exit", network, *options, "--coverage", "0.99")
    assert result.status == 2 and "7 samples, but a risk of 0.01 needs 99 or more" in result.err
    result = pumice("calibrate-exit", network, *options, "--coverage", "0.9", "--loss", "0.1")
    assert result.status == 2 and "needs one of them" in result.err
