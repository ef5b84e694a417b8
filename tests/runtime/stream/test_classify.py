"""Predictions on a stream against a run on the same time bins."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from command import EVENTS, NETWORK

from pumice.runtime import (
    Dense,
    Network,
    Population,
    Projection,
    Readout,
    logits_over_time,
)
from pumice.runtime.early_exit import EarlyExit, margins
from pumice.runtime.engines import reference
from pumice.runtime.engines.run import run
from pumice.runtime.errors import DataError
from pumice.runtime.stream import Prediction, StreamStats, TimeBin, classify_stream

SPIKING = Network(
    (
        Population("in", (2, 6, 6), kind="input"),
        Population("out", (3,), threshold=[500, 600, 1100], voltage_decay=100),
    ),
    (Projection("p", "in", "out", Dense(np.arange(216).reshape(3, 72) % 31)),),
)
FRAMES = EVENTS.transpose(1, 0, 2, 3, 4).reshape(35, 2, 6, 6)


def stream(new_stream: tuple[int, ...] = (0,)) -> Iterator[TimeBin]:
    return (TimeBin(k + 1, 1, frame, k in new_stream) for k, frame in enumerate(FRAMES))


def expected_pairs(
    network: Network, frames: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"
) -> list[list[int]]:
    trace = reference.run(network, frames[:, None])
    values = logits_over_time(network, trace)[:, 0]
    order = np.sort(values)
    pairs: list[list[int]] = np.stack([values.argmax(1), order[:, -1] - order[:, -2]], 1).tolist()
    return pairs


def pairs(given: list[Prediction]) -> list[list[int]]:
    return [[one.class_index, one.margin] for one in given]


@pytest.mark.parametrize("network", [NETWORK, SPIKING])
def test_each_prediction_is_that_of_a_run_from_zero_state(network: Network) -> None:
    stats = StreamStats()
    predictions = list(classify_stream(network, stream(), 5, stats))
    assert pairs(predictions) == [
        expected_pairs(network, FRAMES[k : k + 5])[-1] for k in range(0, 35, 5)
    ]
    assert (stats.time_bins, stats.predictions, predictions[1].end, predictions[1].events) == (
        35,
        7,
        10,
        5,
    )


@pytest.mark.parametrize("network", [NETWORK, SPIKING])
def test_predictions_at_every_step_are_those_of_the_time_bins_so_far(network: Network) -> None:
    predictions = list(classify_stream(network, stream(), 5, StreamStats(), every_step=True))
    assert pairs(predictions) == sum(
        (expected_pairs(network, FRAMES[k : k + 5]) for k in range(0, 35, 5)), []
    )
    assert [one.step for one in predictions] == [1, 2, 3, 4, 5] * 7


def test_carried_state_is_that_of_one_long_run() -> None:
    predictions = list(classify_stream(NETWORK, stream(), 5, StreamStats(), carry_state="all"))
    assert pairs(predictions) == expected_pairs(NETWORK, FRAMES)[4::5]


def test_hidden_state_is_carried_while_the_output_is_reset() -> None:
    long = reference.run(NETWORK, FRAMES[:, None])
    conv = long.spikes["conv"][:, 0]
    alone = Network(
        (Population("conv", (3, 3, 3), kind="input"), NETWORK.population("out")),
        (NETWORK.projections[1],),
    )
    predictions = list(classify_stream(NETWORK, stream(), 5, StreamStats(), carry_state="hidden"))
    assert pairs(predictions) == [
        expected_pairs(alone, conv[k : k + 5])[-1] for k in range(0, 35, 5)
    ]


def test_a_new_stream_resets_all_state() -> None:
    predictions = list(
        classify_stream(NETWORK, stream(new_stream=(0, 7)), 5, StreamStats(), carry_state="all")
    )
    assert pairs(predictions)[1:] == expected_pairs(NETWORK, FRAMES[7:])[4::5]


@pytest.mark.parametrize("network", [NETWORK, SPIKING])
def test_an_early_exit_predicts_when_it_exits_and_rests(network: Network) -> None:
    margin = margins(logits_over_time(network, reference.run(network, EVENTS)))
    rule = EarlyExit(tuple(np.quantile(margin, 0.6, axis=1).astype(int).tolist()))
    with_exit = replace(network, early_exit=rule)
    expected = reference.run(with_exit, EVENTS)
    stats = StreamStats()
    predictions = list(classify_stream(with_exit, stream(), 5, stats))
    assert [one.step for one in predictions] == expected.steps.tolist() and len(
        set(expected.steps)
    ) > 1
    last = logits_over_time(with_exit, expected)[expected.steps - 1, np.arange(7)]
    assert [one.class_index for one in predictions] == last.argmax(axis=1).tolist()
    assert stats.time_bins == expected.steps.sum() and stats.predictions == 7


def test_an_early_exit_with_carried_state_is_rejected() -> None:
    with_exit = replace(NETWORK, early_exit=EarlyExit((5,)))
    with pytest.raises(DataError, match="an early exit needs zero state"):
        list(classify_stream(with_exit, stream(), 5, StreamStats(), carry_state="all"))


def test_zero_steps_are_rejected() -> None:
    with pytest.raises(DataError, match="a prediction after 0 time bins, needs 1 or more"):
        list(classify_stream(NETWORK, stream(), 0, StreamStats()))


@pytest.mark.parametrize("decision", ["max", "length", "mean"])
@pytest.mark.parametrize("network", [NETWORK, SPIKING])
def test_the_readout_rule_decides_on_the_time_bins_so_far(network: Network, decision: Any) -> None:
    frames = FRAMES.copy()
    frames[3:5] = frames[11] = frames[15:20] = 0
    ruled = replace(network, readout=Readout(decision))
    bins = [TimeBin(k, int(frame.sum()), frame, k == 0) for k, frame in enumerate(frames)]
    predictions = list(classify_stream(ruled, bins, 5, StreamStats(), every_step=True))
    expected = []
    for k in range(len(frames)):
        trace = run(ruled, frames[k // 5 * 5 : k + 1, None], "reference")
        logits = np.sort(trace.logits[-1, 0])
        expected.append([int(trace.predictions[0]), int(logits[-1] - logits[-2])])
    assert [[each.class_index, each.margin] for each in predictions] == expected


def test_a_regression_is_rejected() -> None:
    neurons = NETWORK.population(NETWORK.output).neurons
    rule = Readout("mean", "regression", (1.0,) * neurons, (0.0,) * neurons)
    with pytest.raises(DataError, match="estimates numbers, but a stream predicts classes"):
        list(classify_stream(replace(NETWORK, readout=rule), stream(), 5, StreamStats()))
