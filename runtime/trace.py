"""A trace: what a run left behind, the same whichever engine ran."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .early_exit import exit_steps, margins
from .errors import EngineError
from .network import Network

Record = Literal["all", "output"]


@dataclass(frozen=True)
class Trace:
    """Spikes, spike counts and read-out states of one run.

    `spikes[name]` is uint8 (timesteps, batch, *shape), of inputs the values they carried: of every
    population that can spike, or with `record="output"` of the output only. `counts[name]` is
    int32 (batch, *shape): events sent over all steps, of every population that can spike, recorded
    or not. `voltages[name]` is int32 (timesteps, batch, *shape) for integrators, in 1/64 weights.
    `steps` int64 (batch,): the steps each sample ran, fewer than `timesteps` where the network lets
    it stop early; after them it has no spikes, and its voltages stay.
    """

    timesteps: int
    batch: int
    spikes: Mapping[str, NDArray[np.uint8]]
    counts: Mapping[str, NDArray[np.int32]]
    voltages: Mapping[str, NDArray[np.int32]]
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if not self.steps.size:
            object.__setattr__(self, "steps", np.full(self.batch, self.timesteps, np.int64))


def logits_over_time(network: Network, trace: Trace) -> NDArray[np.int64]:
    """Return what the output says after each step, int64 (timesteps, batch, neurons).

    An integrator says its voltage; a spiking population how often each neuron has fired so far.
    The class is the largest, the first of equals.
    """
    if network.output in trace.voltages:
        values = trace.voltages[network.output].astype(np.int64)
    else:
        values = trace.spikes[network.output].cumsum(axis=0, dtype=np.int64)
    return values.reshape(trace.timesteps, trace.batch, -1)


def accuracy_over_time(
    network: Network, trace: Trace, labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the share of right answers after each step, float64 (timesteps,), 0 to 1."""
    if labels.shape != (trace.batch,):
        raise EngineError(f"{labels.shape} labels for {trace.batch} samples, needs one each")
    right: NDArray[np.float64] = (logits_over_time(network, trace).argmax(axis=-1) == labels).mean(
        axis=1
    )
    return right


def apply_early_exit(network: Network, trace: Trace) -> Trace:
    """Return what is left of `trace`, of a whole run, where the network lets samples stop early.

    For engines that look at the answers when all steps are done. `trace` must hold the spikes of
    every population, as with `record="all"`.
    """
    if network.early_exit is None:
        return trace
    steps = exit_steps(margins(logits_over_time(network, trace)), network.early_exit)
    spikes = {name: zero_after_exit(array, steps) for name, array in trace.spikes.items()}
    last = np.minimum(np.arange(trace.timesteps)[:, None], steps - 1)
    return replace(
        trace,
        spikes=spikes,
        counts={name: (array > 0).sum(axis=0, dtype=np.int32) for name, array in spikes.items()},
        voltages={
            name: array[last, np.arange(trace.batch)] for name, array in trace.voltages.items()
        },
        steps=steps,
    )


def zero_after_exit(values: NDArray[Any], steps: NDArray[np.int64]) -> NDArray[Any]:
    """Return `values` (timesteps, batch, ...) with zeros after the first `steps` of each sample."""
    if (steps == len(values)).all():
        return values
    runs = np.arange(len(values))[:, None] < steps
    kept = runs.reshape(*runs.shape, *(1,) * (values.ndim - 2)).astype(values.dtype)
    silent: NDArray[Any] = values * kept
    return silent


def select_recorded(network: Network, trace: Trace, record: Record) -> Trace:
    """Return `trace` with the spikes that `record` asks for, from one that holds all."""
    if record == "all":
        return trace
    return replace(trace, spikes={k: v for k, v in trace.spikes.items() if k == network.output})
