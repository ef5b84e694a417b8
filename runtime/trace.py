"""A trace: what a run left behind, the same whichever engine ran."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
    """

    timesteps: int
    batch: int
    spikes: Mapping[str, NDArray[np.uint8]]
    counts: Mapping[str, NDArray[np.int32]]
    voltages: Mapping[str, NDArray[np.int32]]


def answers(network: Network, trace: Trace) -> NDArray[np.int64]:
    """Return what the output says after each step, int64 (timesteps, batch, neurons).

    An integrator says its voltage; a spiking population how often each neuron has fired so far.
    The class is the largest, the first of equals.
    """
    if network.output in trace.voltages:
        values = trace.voltages[network.output].astype(np.int64)
    else:
        values = trace.spikes[network.output].cumsum(axis=0, dtype=np.int64)
    return values.reshape(trace.timesteps, trace.batch, -1)


def accuracies(network: Network, trace: Trace, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of right answers after each step, float64 (timesteps,), 0 to 1."""
    if labels.shape != (trace.batch,):
        raise EngineError(f"{labels.shape} labels for {trace.batch} samples, needs one each")
    right: NDArray[np.float64] = (answers(network, trace).argmax(axis=-1) == labels).mean(axis=1)
    return right
