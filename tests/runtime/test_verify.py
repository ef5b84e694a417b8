import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import runs

from pumice.runtime import (
    Core,
    Dense,
    Network,
    Population,
    Program,
    Projection,
    Slice,
    Trace,
    network_digest,
)
from pumice.runtime.divergence import first_divergence
from pumice.runtime.engines import reference
from pumice.runtime.errors import EngineError
from pumice.runtime.events import Events
from pumice.runtime.trace import Record
from pumice.runtime.verify import Divergence, verify

NETWORK = Network(
    (
        Population("in", (3,), kind="input"),
        Population("read", (2,), kind="integrator"),
        Population("hidden", (1, 2, 2), threshold=10),
    ),
    (
        Projection("first", "in", "hidden", Dense(np.full((4, 3), 9))),
        Projection("second", "hidden", "read", Dense(np.ones((2, 4)))),
    ),
    output="read",
)
EVENTS = np.random.default_rng(0).integers(0, 2, (5, 4, 3)).astype(np.uint8)
Alteration = Callable[[dict[str, Any]], object]


def altering_engine(alter: Alteration) -> Callable[..., Trace]:
    """An engine that runs the reference and then changes what it left behind."""

    def run(network: Network, events: Events, record: Record = "all") -> Trace:
        trace = reference.run(network, events, record)
        parts: dict[str, Any] = {
            key: {name: array.copy() for name, array in getattr(trace, key).items()}
            for key in ("spikes", "counts", "voltages")
        }
        alter(parts)
        return replace(trace, **parts)

    return run


def result_of(alter: Alteration) -> Any:
    engines = {"reference": reference.run, "other": altering_engine(alter)}
    return verify(NETWORK, EVENTS, engines).results[0]


def flip(parts: dict[str, Any], quantity: str, name: str, at: tuple[int, ...]) -> None:
    parts[quantity][name][at] = 1 - parts[quantity][name][at]


def test_a_different_exit_is_reported_though_all_values_are_equal() -> None:
    def longer(network: Network, events: Events, record: Record = "all") -> Trace:
        trace = reference.run(network, events, record)
        return replace(trace, steps=trace.steps + np.array([0, 0, 1, 0]))

    result = verify(NETWORK, EVENTS, {"reference": reference.run, "other": longer}).results[0]
    outcome = str(result.divergence)
    assert outcome == "other: step 4, sample 2, read[0]: exit is 6, needs 5" and not result.passed


def test_equal_engines_pass_and_every_value_is_compared() -> None:
    report = verify(NETWORK, EVENTS, {"a": reference.run, "b": reference.run})
    (result,) = report.results
    assert report.passed and result.passed
    assert result.spikes == 5 * 4 * (3 + 4)
    assert result.values == 5 * 4 * 2 + 4 * (3 + 4)
    assert (report.timesteps, report.samples) == (5, 4)


def test_the_report_names_what_was_compared_and_is_json() -> None:
    report = verify(NETWORK, EVENTS, {"a": reference.run, "b": reference.run})
    assert report.network == network_digest(NETWORK)
    assert report.reference == "a" and {"pumice", "numpy"} <= set(report.versions)
    assert json.loads(json.dumps(asdict(report)))["results"][0]["engine"] == "b"
    other = verify(NETWORK, 1 - EVENTS, {"a": reference.run, "b": reference.run})
    assert other.network == report.network and other.events != report.events


def test_a_single_wrong_spike_is_located() -> None:
    actual = result_of(lambda parts: flip(parts, "spikes", "hidden", (3, 2, 0, 1, 0)))
    value = int(reference.run(NETWORK, EVENTS).spikes["hidden"][3, 2, 0, 1, 0])
    assert actual.divergence == Divergence("other", 3, 2, "hidden", 2, "spike", value, 1 - value)
    assert str(actual.divergence).startswith("other: step 3, sample 2, hidden[2]: spike is")


def test_the_earliest_timestep_is_reported_before_the_first_population() -> None:
    def alter(parts: dict[str, Any]) -> None:
        flip(parts, "spikes", "hidden", (4, 0, 0, 0, 0))
        flip(parts, "voltages", "read", (2, 3, 1))
        flip(parts, "counts", "in", (0, 0))

    actual = result_of(alter).divergence
    assert (actual.timestep, actual.sample, actual.population, actual.neuron) == (2, 3, "read", 1)
    assert actual.quantity == "voltage"


def test_within_a_timestep_the_first_population_in_topological_order_is_reported() -> None:
    """`read` is listed before `hidden` and follows it in topological order."""

    def alter(parts: dict[str, Any]) -> None:
        flip(parts, "voltages", "read", (2, 0, 0))
        flip(parts, "spikes", "hidden", (2, 3, 0, 1, 1))

    assert result_of(alter).divergence.population == "hidden"


@pytest.mark.parametrize(("name", "at", "neuron"), [("hidden", (1, 0, 1, 1), 3), ("in", (1, 2), 2)])
def test_a_wrong_count_is_reported_when_all_spikes_are_equal(
    name: str, at: tuple[int, ...], neuron: int
) -> None:
    actual = result_of(lambda parts: flip(parts, "counts", name, at)).divergence
    assert (actual.population, actual.quantity, actual.neuron) == (name, "count", neuron)
    assert (actual.sample, actual.timestep) == (1, 4)


def test_a_spike_in_the_last_timestep_precedes_a_count() -> None:
    def alter(parts: dict[str, Any]) -> None:
        flip(parts, "counts", "in", (0, 0))
        flip(parts, "spikes", "hidden", (4, 0, 0, 0, 0))

    assert result_of(alter).divergence.quantity == "spike"


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda parts: parts["spikes"].pop("hidden"), "EngineError: hidden: no spikes, needs"),
        (lambda parts: parts["voltages"].pop("read"), "EngineError: read: no voltages, needs"),
        (
            lambda parts: parts["counts"].update(hidden=np.zeros((4, 4))),
            r"EngineError: hidden: \(4, 4\) counts, needs \(4, 1, 2, 2\)",
        ),
        (lambda parts: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda parts: int("one\ntwo"), "ValueError: invalid literal"),
    ],
)
def test_an_engine_that_fails_is_recorded_in_one_line(alter: Alteration, message: str) -> None:
    result = result_of(alter)
    assert not result.passed and result.divergence is None
    assert re.match(message, result.failure) and "\n" not in result.failure


def test_a_failure_does_not_stop_the_engines_after_it() -> None:
    engines = {
        "reference": reference.run,
        "broken": altering_engine(lambda parts: 1 / 0),
        "good": reference.run,
    }
    report = verify(NETWORK, EVENTS, engines)
    assert [result.passed for result in report.results] == [False, True]
    assert not report.passed


def test_engines_are_selected_by_name_and_the_report_prints_a_line_for_each() -> None:
    report = verify(NETWORK, EVENTS, ["cpu"], record="states")
    assert report.passed and report.reference == "reference"
    compared = f"{5 * 4 * (3 + 4)} spikes and {5 * 4 * 2 * (2 + 4) + 4 * (3 + 4)} other values"
    assert str(report) == (
        "passed: 4 samples of 5 timesteps, compared with the reference engine\n"
        f"  cpu: identical in {compared}"
    )


def test_a_program_is_verified_as_its_network() -> None:
    slices = tuple(Slice(p.name, (0,) * len(p.shape), p.shape) for p in NETWORK.topological_order)
    program = Program(NETWORK, "one core", {}, (Core(0, 0, 0, 0, slices, {}),))
    report = verify(program, EVENTS, "cpu")
    assert report.passed and report.network == network_digest(NETWORK)


def test_a_single_engine_is_an_error() -> None:
    with pytest.raises(
        EngineError, match="verify: reference alone, needs the reference and one more"
    ):
        verify(NETWORK, EVENTS, {"reference": reference.run})


def test_events_that_do_not_fit_are_rejected_before_anything_runs() -> None:
    with pytest.raises(EngineError, match="in: events are"):
        verify(NETWORK, EVENTS[..., :2], {"a": reference.run, "b": reference.run})


@given(runs())
def test_a_run_never_diverges_from_itself(run: tuple[Network, dict[str, Any]]) -> None:
    trace = reference.run(*run)
    assert first_divergence(run[0], trace, reference.run(*run), "again") is None
