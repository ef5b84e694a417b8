"""How long a step and an inference take: the busiest core, then the barrier."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..targets.target import (
    Certainty,
    Target,
    Time,
    Times,
    iter_constants,
)
from .energy import CERTAINTIES, Range
from .workload import CoreLoads

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LatencyItem:
    """A part of the longest step: `count` things of `what` at `price` seconds each, at the most."""

    kind: str
    count: float
    price: float


@dataclass(frozen=True)
class Latency:
    """Seconds by one list of times, from the least to the most.

    A step lasts as long as its busiest core and the barrier. At the least a core's stages (updates,
    operations, sending, receiving) overlap fully and messages take no time on their way; at the
    most they follow one another, and the longest way counts. `step` is the mean and `worst` the
    longest of the steps when samples follow one another without a gap, `inference` the time from a
    sample's first step to the answer, which waits `depth` steps for the last population (all its
    steps, even where it may stop early), and
    `throughput` the samples a second, from the most to the least time.

    `longest` is what the busiest core does in the longest step, which adds up to the most of
    `worst`; `busy` the seconds that each core works in a step (mean), its stages one after another.
    `error` is the share by which the list's authors found it wrong; all ranges are widened by it.
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
    """Return how long what is in `loads` takes by the list `model` of `target`."""
    times = target.time[model]
    together = pipelined_loads(loads)
    alone, flowing = step_times(times, loads), step_times(times, together)
    error = times.error.range[1] if times.error else 0.0

    def ranged(least: FloatArray, most: FloatArray) -> Range:
        return float(least) * (1 - error), float(most) * (1 + error)

    period = ranged(*(each.sum(axis=0).mean() for each in flowing))
    used = [constant for _, constant in iter_constants(times)]
    return Latency(
        model,
        times.about,
        tuple(dict.fromkeys(target.sources[constant.source] for constant in used)),
        times.excludes,
        max((constant.certainty for constant in used), key=CERTAINTIES.index),
        loads.active.shape[1] - loads.timesteps,
        ranged(*(each.mean() for each in flowing)),
        ranged(*(each.max() for each in flowing)),
        ranged(*(each.sum(axis=0).mean() for each in alone)),
        (1 / period[1], 1 / period[0]),
        _max_step_items(times, together, flowing[1]),
        tuple(_core_seconds(times, together).mean(axis=(1, 2)).tolist()),
        error,
    )


def step_times(times: Times, loads: CoreLoads) -> tuple[FloatArray, FloatArray]:
    """Return the seconds of each step at the least and at the most, float64 (steps, samples)."""
    least = np.zeros_like(loads.active)
    for stage in _priced_stages(times, loads):
        if stage:
            np.maximum(least, sum(count * price.range[0] for _, count, price in stage), out=least)
    barrier = times.barrier.range
    way = sum(share.count * share.price for share in _longest_route_items(times, loads))
    return least.max(axis=0) + barrier[0], _core_seconds(times, loads).max(axis=0) + way + barrier[
        1
    ]


def _priced_stages(times: Times, loads: CoreLoads) -> list[list[tuple[str, FloatArray, Time]]]:
    """Return what cores do, stage by stage, that has a price: what, how often, at which."""
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
    return [[(what, count, price) for what, count, price in s if price] for s in stages]


def _core_seconds(times: Times, loads: CoreLoads) -> FloatArray:
    """Return the seconds each core works at the most, float64 (cores, steps, samples)."""
    worked = np.zeros_like(loads.active)
    for stage in _priced_stages(times, loads):
        for _, count, price in stage:
            worked += count * price.range[1]
    return worked


def _longest_route_items(times: Times, loads: CoreLoads) -> list[LatencyItem]:
    """Return the hops of the longest way of a message."""
    hops = zip(("x", "y"), loads.longest_route, (times.hop_x, times.hop_y), strict=True)
    return [
        LatencyItem(f"hops along {axis}", n, price.range[1]) for axis, n, price in hops if price
    ]


def _max_step_items(times: Times, loads: CoreLoads, most: FloatArray) -> tuple[LatencyItem, ...]:
    """Return what the busiest core does in the step with most seconds."""
    step, sample = np.unravel_index(int(most.argmax()), most.shape)
    core = int(_core_seconds(times, loads)[:, step, sample].argmax())
    shares = [
        LatencyItem(what, float(count[core, step, sample]), price.range[1])
        for stage in _priced_stages(times, loads)
        for what, count, price in stage
    ]
    barrier = LatencyItem("barrier", 1, times.barrier.range[1])
    return (
        *(share for share in (*shares, *_longest_route_items(times, loads)) if share.count),
        barrier,
    )


def pipelined_loads(loads: CoreLoads) -> CoreLoads:
    """Return the loads of each of the steps of a sample that its like precede and follow.

    While the last populations work on one sample, the first are at the next ones.
    """

    def folded(load: FloatArray) -> FloatArray:
        cores, steps, samples = load.shape
        rounds = -(-steps // loads.timesteps)
        padded = np.zeros((cores, rounds * loads.timesteps, samples))
        padded[:, :steps] = load
        together: FloatArray = padded.reshape(cores, rounds, loads.timesteps, samples).sum(axis=1)
        return together

    return replace(
        loads,
        active=folded(loads.active),
        spikes=folded(loads.spikes),
        sent=folded(loads.sent),
        received=folded(loads.received),
        synaptic_operations={key: folded(load) for key, load in loads.synaptic_operations.items()},
    )
