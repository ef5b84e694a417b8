"""How long a step and an inference take: the busiest core, then the barrier."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .energy import CERTAINTIES, Range
from .target import Certainty, Target, Time, Times, constants
from .work import Loads

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Latency:
    """Seconds by one list of times, from the least to the most.

    A step lasts as long as its busiest core and the barrier. At the least a core's stages (updates,
    operations, sending, receiving) overlap fully and messages take no time on their way; at the
    most they follow one another, and the longest way counts. `step` is the mean and `worst` the
    longest of the steps when samples follow one another without a gap, `inference` the time from a
    sample's first step to the answer, which waits `depth` steps for the last population, and
    `throughput` the samples a second, from the most to the least time.
    """

    model: str
    about: str
    sources: tuple[str, ...]
    excludes: str
    certainty: Certainty
    depth: int
    step: Range
    worst: Range
    inference: Range
    throughput: Range


def latency(target: Target, model: str, loads: Loads) -> Latency:
    """Return how long what is in `loads` takes by the list `model` of `target`."""
    times = target.time[model]
    alone, flowing = step_times(times, loads), step_times(times, following(loads))
    error = times.error.range[1] if times.error else 0.0

    def ranged(least: Reals, most: Reals) -> Range:
        return float(least) * (1 - error), float(most) * (1 + error)

    period = ranged(*(each.sum(axis=0).mean() for each in flowing))
    used = [constant for _, constant in constants(times)]
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
    )


def step_times(times: Times, loads: Loads) -> tuple[Reals, Reals]:
    """Return the seconds of each step at the least and at the most, float64 (steps, samples)."""
    idle = loads.neurons[:, None, None] - loads.active
    stages: list[list[tuple[Reals, Time | None]]] = [
        [
            (idle, times.idle_update),
            (loads.active, times.active_update),
            (loads.spikes, times.spike),
        ],
        [(count, times.operation_of(*key)) for key, count in loads.operations.items()],
        [(loads.sent, times.message)],
        [(loads.received, times.arrival)],
    ]
    least, most = np.zeros_like(idle), np.zeros_like(idle)
    for stage in stages:
        priced = [(count, price.range) for count, price in stage if price]
        if priced:
            np.maximum(least, sum(count * price[0] for count, price in priced), out=least)
            most += sum(count * price[1] for count, price in priced)
    way = sum(
        hops * price.range[1]
        for hops, price in zip(loads.farthest, (times.hop_x, times.hop_y), strict=True)
        if price
    )
    barrier = times.barrier.range
    return least.max(axis=0) + barrier[0], most.max(axis=0) + way + barrier[1]


def following(loads: Loads) -> Loads:
    """Return the loads of each of the steps of a sample that its like precede and follow.

    While the last populations work on one sample, the first are at the next ones.
    """

    def folded(load: Reals) -> Reals:
        cores, steps, samples = load.shape
        rounds = -(-steps // loads.timesteps)
        padded = np.zeros((cores, rounds * loads.timesteps, samples))
        padded[:, :steps] = load
        together: Reals = padded.reshape(cores, rounds, loads.timesteps, samples).sum(axis=1)
        return together

    return replace(
        loads,
        active=folded(loads.active),
        spikes=folded(loads.spikes),
        sent=folded(loads.sent),
        received=folded(loads.received),
        operations={key: folded(load) for key, load in loads.operations.items()},
    )
