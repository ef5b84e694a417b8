from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import pumice

from pumice.runtime import Network, Trace
from pumice.runtime.engines import reference
from pumice.runtime.engines.registry import Engine


def run_with_one_wrong_spike(network: Network, events: Any, record: Any = "all") -> Trace:
    trace = reference.run(network, events, record)
    spikes = dict(trace.spikes)
    spikes["conv"] = spikes["conv"].copy()
    spikes["conv"][3, 1, 0, 1, 2] ^= 1
    return replace(trace, spikes=spikes)


@pytest.fixture
def wrong_cpu_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(engine: Engine) -> Any:
        return run_with_one_wrong_spike if engine.name == "cpu" else reference.run

    monkeypatch.setattr(Engine, "load", load)


def test_equal_engines_pass(network: Path) -> None:
    result = pumice("verify", network, "--engines", "cpu,onnx", "--json")
    report = result.document
    assert result.status == 0 and report["passed"] and report["inputs"] == "random events"
    assert [each["engine"] for each in report["results"]] == ["cpu", "onnx"]
    assert (report["samples"], report["timesteps"]) == (4, 16)
    assert min(each["spikes"] for each in report["results"]) == 4 * 16 * (72 + 27)


def test_an_events_file_replaces_random_events(network: Path, events: Path) -> None:
    options = ("--events", events, "--samples", 2, "--timesteps", 3)
    report = pumice("verify", network, "--engines", "cpu", *options, "--json").document
    assert (report["samples"], report["timesteps"], report["inputs"]) == (2, 3, "events.npz")


@pytest.mark.usefixtures("wrong_cpu_engine")
def test_the_first_difference_is_printed_and_the_exit_code_is_1(network: Path) -> None:
    result = pumice("verify", network, "--engines", "cpu,onnx")
    assert result.status == 1
    assert "cpu: step 3, sample 1, conv[5]: spike is" in " ".join(result.out.split())


@pytest.mark.usefixtures("wrong_cpu_engine")
def test_the_first_difference_is_in_the_json_document(network: Path) -> None:
    result = pumice("verify", network, "--engines", "cpu,onnx", "--json")
    assert result.status == 1 and not result.document["passed"]
    assert result.document["results"][0]["divergence"]["neuron"] == 5
    assert result.document["results"][1]["divergence"] is None


def test_the_reference_alone_is_a_usage_error(network: Path) -> None:
    result = pumice("verify", network, "--engines", "reference")
    assert result.status == 2 and "needs the reference and one more" in result.err
