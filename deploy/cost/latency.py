"""Latency of a step and of an inference: the busiest core of each step, then the barrier."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..targets.target import Certainty, Target, Time, Times, iter_constants
from .energy import CERTAINTIES, Range
from .traffic import CoreLoads

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LatencyItem:
    """One part of the longest step: `count` operations of a `kind` at `price` seconds each, max."""

    kind: str
    count: float
    price: float


@dataclass(frozen=True)
class Latency:
    """Latency by one list of times; all ranges are (min, max), in seconds.

    A step lasts as long as its busiest core and the barrier. In the minimum, the stages of a core
    (updates, operations, sending, receiving) overlap fully and messages travel in no time; in the
    maximum, the stages follow one another, and the longest route counts. All ranges are widened by
    `error`.

    Attributes:
        model: Key of the list in the target's file.
        about: Title of the list.
        sources: Sources of its times.
        excludes: What the list leaves out.
        certainty: That of the least certain time in it.
        depth: Steps until the last population has the first step of a sample.
        mean_step: Mean over steps when samples follow one another without a gap.
        max_step: The longest of these steps.
        inference: From a sample's first step to the prediction, which waits `depth` steps for the
            last population (all its steps, even if it may stop early).
        throughput: Samples per second, (min, max).
        max_step_items: Work of the busiest core in the longest step; adds up to the maximum of
            `max_step`, before the error.
        busy_per_core: Seconds that each core works in a step (mean), its stages one after another.
        error: Mean relative error that the authors of the list report.
    """

    model: str
    about: str
    sources: tuple[str, ...]
    excludes: str
    certainty: Certainty
    depth: int
    mean_step: Range
    max_step: Range
    inference: Range
    throughput: Range
    max_step_items: tuple[LatencyItem, ...]
    busy_per_core: tuple[float, ...]
    error: float


def estimate_latency(target: Target, model: str, loads: CoreLoads) -> Latency:
    """Estimate the latency of `loads` by the list of times `model` of `target`."""
    times = target.time[model]
    pipelined = pipelined_loads(loads)
    single, steady = step_times(times, loads), step_times(times, pipelined)
    error = times.error.range[1] if times.error else 0.0

    def widen(low: FloatArray, high: FloatArray) -> Range:
        return float(low) * (1 - error), float(high) * (1 + error)

    period = widen(*(each.sum(axis=0).mean() for each in steady))
    used = [constant for _, constant in iter_constants(times)]
    return Latency(
        model,
        times.about,
        tuple(dict.fromkeys(target.sources[constant.source] for constant in used)),
        times.excludes,
        max((constant.certainty for constant in used), key=CERTAINTIES.index),
        loads.active.shape[1] - loads.timesteps,
        widen(*(each.mean() for each in steady)),
        widen(*(each.max() for each in steady)),
        widen(*(each.sum(axis=0).mean() for each in single)),
        (1 / period[1], 1 / period[0]),
        _max_step_items(times, pipelined, steady[1]),
        tuple(_core_seconds(times, pipelined).mean(axis=(1, 2)).tolist()),
        error,
    )


def step_times(times: Times, loads: CoreLoads) -> tuple[FloatArray, FloatArray]:
    """Compute the minimum and maximum seconds of each step, float64 (steps, samples) each."""
    overlapped = np.zeros_like(loads.active)
    for stage in _priced_stages(times, loads):
        if stage:
            seconds = sum(count * price.range[0] for _, count, price in stage)
            np.maximum(overlapped, seconds, out=overlapped)
    barrier = times.barrier.range
    route = sum(item.count * item.price for item in _longest_route_items(times, loads))
    sequential = _core_seconds(times, loads).max(axis=0) + route + barrier[1]
    return overlapped.max(axis=0) + barrier[0], sequential


def _priced_stages(times: Times, loads: CoreLoads) -> list[list[tuple[str, FloatArray, Time]]]:
    """List the operations of cores by stage, as far as they have a price: kind, count, price."""
    idle = loads.neurons[:, None, None] - loads.active
    stages: list[list[tuple[str, FloatArray, Time | None]]] = [
        [
            ("idle updates", idle, times.idle_update),
            ("active updates", loads.active, times.active_update),
            ("spikes", loads.spikes, times.spike),
        ],
        [
            (f"{kind} operations", count, times.operation_price(kind, graded))
            for (kind, graded), count in loads.synaptic_operations.items()
        ],
        [("messages", loads.sent, times.message)],
        [("arrivals", loads.received, times.arrival)],
    ]
    return [
        [(kind, count, price) for kind, count, price in stage if price is not None]
        for stage in stages
    ]


def _core_seconds(times: Times, loads: CoreLoads) -> FloatArray:
    """Maximum seconds that each core works, float64 (cores, steps, samples)."""
    seconds = np.zeros_like(loads.active)
    for stage in _priced_stages(times, loads):
        for _, count, price in stage:
            seconds += count * price.range[1]
    return seconds


def _longest_route_items(times: Times, loads: CoreLoads) -> list[LatencyItem]:
    hops = zip(("x", "y"), loads.longest_route, (times.hop_x, times.hop_y), strict=True)
    return [
        LatencyItem(f"hops along {axis}", n, price.range[1]) for axis, n, price in hops if price
    ]


def _max_step_items(
    times: Times, loads: CoreLoads, step_seconds: FloatArray
) -> tuple[LatencyItem, ...]:
    """List the work of the busiest core in the longest step."""
    step, sample = np.unravel_index(int(step_seconds.argmax()), step_seconds.shape)
    core = int(_core_seconds(times, loads)[:, step, sample].argmax())
    items = [
        LatencyItem(kind, float(count[core, step, sample]), price.range[1])
        for stage in _priced_stages(times, loads)
        for kind, count, price in stage
    ]
    barrier = LatencyItem("barrier", 1, times.barrier.range[1])
    items += _longest_route_items(times, loads)
    return (*(item for item in items if item.count), barrier)


def pipelined_loads(loads: CoreLoads) -> CoreLoads:
    """Overlap the loads of samples that follow one another, (cores, timesteps, samples).

    While the last populations process one sample, the first process the next ones. Every sample is
    taken to be preceded and followed by itself.
    """

    def fold(load: FloatArray) -> FloatArray:
        cores, steps, samples = load.shape
        rounds = -(-steps // loads.timesteps)
        padded = np.zeros((cores, rounds * loads.timesteps, samples))
        padded[:, :steps] = load
        folded: FloatArray = padded.reshape(cores, rounds, loads.timesteps, samples).sum(axis=1)
        return folded

    return replace(
        loads,
        active=fold(loads.active),
        spikes=fold(loads.spikes),
        sent=fold(loads.sent),
        received=fold(loads.received),
        synaptic_operations={key: fold(load) for key, load in loads.synaptic_operations.items()},
    )
