from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import pumice

from pumice.cli import engines
from pumice.runtime import Network, Trace
from pumice.runtime.engines import reference


def wrong(network: Network, events: Any, record: Any = "all") -> Trace:
    """The reference, but for one spike."""
    trace = reference.run(network, events, record)
    spikes = dict(trace.spikes)
    spikes["conv"] = spikes["conv"].copy()
    spikes["conv"][3, 1, 0, 1, 2] ^= 1
    return replace(trace, spikes=spikes)


@pytest.fixture
def a_wrong_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"reference": reference.run, "cpu": wrong, "onnx": reference.run}
    monkeypatch.setattr(engines, "get_engine", table.__getitem__)


def test_engines_that_agree_are_certified(network: Path) -> None:
    answer = pumice("conform", network, "--engines", "fast,onnx", "--json")
    told = answer.document
    assert answer.status == 0 and told["agreed"] and told["inputs"] == "random events"
    assert [verdict["engine"] for verdict in told["verdicts"]] == ["cpu", "onnx"]
    assert (told["samples"], told["timesteps"]) == (4, 16)
    assert min(verdict["spikes"] for verdict in told["verdicts"]) == 4 * 16 * (72 + 27)


def test_given_events_are_taken_instead_of_random_ones(network: Path, events: Path) -> None:
    cut = ("--events", events, "--samples", 2, "--timesteps", 3)
    told = pumice("conform", network, "--engines", "cpu", *cut, "--json").document
    assert (told["samples"], told["timesteps"], told["inputs"]) == (2, 3, "events.npz")


@pytest.mark.usefixtures("a_wrong_engine")
def test_a_difference_is_named_and_ends_with_status_1(network: Path) -> None:
    answer = pumice("conform", network, "--engines", "fast,onnx")
    assert answer.status == 1
    assert "fast: step 3, sample 1, conv[5]: spike is" in " ".join(answer.out.split())
    assert "Not every engine agrees with the reference engine: see fast." in answer.out


@pytest.mark.usefixtures("a_wrong_engine")
def test_a_difference_is_told_in_json_too(network: Path) -> None:
    answer = pumice("conform", network, "--engines", "fast,onnx", "--json")
    assert answer.status == 1 and not answer.document["agreed"]
    assert answer.document["verdicts"][0]["divergence"]["neuron"] == 5
    assert answer.document["verdicts"][1]["divergence"] is None


def test_the_reference_alone_proves_nothing(network: Path) -> None:
    answer = pumice("conform", network, "--engines", "reference")
    assert answer.status == 2 and "needs the reference and one more" in answer.err
