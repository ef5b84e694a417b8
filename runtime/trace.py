"""Result of a run: spikes, spike counts and states, the same whichever engine ran."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .early_exit import exit_steps, margins
from .errors import EngineError
from .network import Network
from .readout import decide
from .trace_plots import draw_accuracy, draw_raster

Record = Literal["output", "all", "states"]


@dataclass(frozen=True)
class Trace:
    """Spikes, spike counts and states of one run.

    Attributes:
        timesteps: Number of timesteps.
        batch: Number of samples.
        spikes: By population, uint8 (timesteps, batch, *shape): 0, or 1 for a spike or the value
            of a graded one; int32 where messages have a sign or more than 8 bits; of inputs their
            events. Of every population that can spike, or with
            `record="output"` of the output alone.
        counts: By population, int32 (batch, *shape): events sent over all timesteps, of every
            population that can spike, whatever was recorded.
        voltages: By population, int32 (timesteps, batch, *shape), in 1/64 of a weight unit, after
            the timestep (0 after a spike): of integrators, with `record="states"` of all
            populations but inputs. Of delta and sigma-delta populations the activation as of the
            last message.
        steps: int64 (batch,): timesteps that each sample ran, fewer than `timesteps` where the
            network has an early exit. After them a sample has no spikes, and its states stay.
        currents: By population, int32 (timesteps, batch, *shape), in 1/64 of a weight unit: with
            `record="states"` of all populations but inputs, else empty. Of sigma-delta
            populations the sum of all messages, of delta populations the activation. Of
            resonate-and-fire neurons the real part of the state; the imaginary part is their
            voltage.
        network: The network that ran, None where the engine had only an exported file.
        lengths: int64 (batch,): timesteps up to the last input of each sample, where the readout of
            the network needs them.
    """

    timesteps: int
    batch: int
    spikes: Mapping[str, NDArray[Any]]
    counts: Mapping[str, NDArray[np.int32]]
    voltages: Mapping[str, NDArray[np.int32]]
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    currents: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    network: Network | None = field(default=None, compare=False)
    lengths: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.steps.size:
            object.__setattr__(self, "steps", np.full(self.batch, self.timesteps, np.int64))

    def __repr__(self) -> str:
        """Describe in one line."""
        names = list(self.spikes)
        recorded = ", ".join(names) if len(names) < 4 else f"{len(names)} populations"
        states = ", with states" if self.currents else ""
        return (
            f"Trace({self.timesteps} timesteps, {self.batch} samples, "
            f"spikes of {recorded or 'none'}{states})"
        )

    @property
    def logits(self) -> NDArray[np.int64]:
        """Output after each timestep, int64 (timesteps, batch, classes); see `logits_over_time`."""
        return logits_over_time(self._known_network(), self)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Predicted classes after the last timestep, int64 (batch,): largest logit, first of ties.

        Those after every timestep are `trace.logits.argmax(axis=-1)`.
        """
        predicted: NDArray[np.int64] = self.logits[-1].argmax(axis=-1)
        return predicted

    @property
    def estimates(self) -> NDArray[np.float64]:
        """Estimates of a regression after each timestep, float64 (timesteps, batch, outputs)."""
        return estimates_over_time(self._known_network(), self)

    def accuracy(self, labels: NDArray[np.integer[Any]] | Sequence[int]) -> NDArray[np.float64]:
        """Compute the accuracy after each timestep, float64 (timesteps,), 0 to 1.

        Args:
            labels: True classes, integers (batch,).

        Raises:
            EngineError: The number of labels is not that of the samples.
        """
        return accuracy_over_time(self._known_network(), self, np.asarray(labels))

    def confusion_matrix(
        self, labels: NDArray[np.integer[Any]] | Sequence[int]
    ) -> NDArray[np.int64]:
        """Count samples by true class (rows) and predicted class (columns) at the last timestep.

        Args:
            labels: True classes, integers (batch,).

        Returns:
            int64 (classes, classes).

        Raises:
            EngineError: The number of labels is not that of the samples, or a label is no class.
        """
        classes, true = self.logits.shape[-1], np.asarray(labels)
        _check_labels(self, true)
        _check_classes(true, classes)
        matrix = np.zeros((classes, classes), np.int64)
        np.add.at(matrix, (true, self.predictions), 1)
        return matrix

    def plot_raster(self, sample: int = 0, populations: Sequence[str] = ()) -> Any:
        """Draw the spikes of one sample as a raster plot.

        Args:
            sample: Index of the sample.
            populations: Names of the populations to draw, all whose spikes were recorded if empty.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            EngineError: There is no such sample, or spikes of a population were not recorded.
            MissingPackage: matplotlib is not installed (extra `plot`).
        """
        if not -self.batch <= sample < self.batch:
            raise EngineError(f"sample {sample}, but the trace has {self.batch}")
        names = tuple(populations or self.spikes)
        for name in names:
            if name not in self.spikes:
                raise EngineError(
                    f"{name}: its spikes were not recorded; run with record='all' "
                    f"(recorded: {', '.join(self.spikes) or 'none'})"
                )
        return draw_raster({name: self.spikes[name][:, sample] for name in names})

    def plot_accuracy(self, labels: NDArray[np.integer[Any]] | Sequence[int]) -> Any:
        """Draw the accuracy against timesteps.

        Args:
            labels: True classes, integers (batch,).

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            EngineError: The number of labels is not that of the samples.
            MissingPackage: matplotlib is not installed (extra `plot`).
        """
        return draw_accuracy(self.accuracy(labels))

    def _known_network(self) -> Network:
        if self.network is None:
            raise EngineError("trace: knows no network, needs one: replace(trace, network=...)")
        return self.network


def logits_over_time(network: Network, trace: Trace) -> NDArray[np.int64]:
    """Read the logits after each timestep, int64 (timesteps, batch, classes).

    The logit of a class is the voltage of an integrator, or the number of spikes that a neuron of
    a spiking population has sent so far. The predicted class is the largest, the first of ties.
    """
    outputs = outputs_over_time(network, trace)
    if network.readout.decision in ("last", "mean"):  # the mean has the same largest output
        return outputs
    return decide(outputs, network.readout, trace.lengths)


def outputs_over_time(network: Network, trace: Trace) -> NDArray[np.int64]:
    """Read the output after each timestep, before the readout rule decides on it.

    int64 (timesteps, batch, classes).
    """
    if network.population(network.output).kind == "integrator":
        values = trace.voltages[network.output].astype(np.int64)
    else:
        values = trace.spikes[network.output].cumsum(axis=0, dtype=np.int64)
    return values.reshape(trace.timesteps, trace.batch, -1)


def estimates_over_time(network: Network, trace: Trace) -> NDArray[np.float64]:
    """Estimates of a regression after each timestep, float64 (timesteps, batch, outputs).

    In the units of the targets. Raises `EngineError` for a network that classifies.
    """
    readout = network.readout
    if readout.task != "regression":
        raise EngineError("the network classifies, it has no estimates; read its logits")
    outputs = logits_over_time(network, trace).astype(np.float64)
    if readout.decision == "mean":
        outputs = decide(outputs, readout)
    estimates: NDArray[np.float64] = outputs * np.array(readout.scale) + np.array(readout.offset)
    return estimates


def accuracy_over_time(
    network: Network, trace: Trace, labels: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Compute the accuracy after each timestep, float64 (timesteps,), 0 to 1.

    `labels` are integers (batch,); raises `EngineError` for another shape, or a label that is no
    class.
    """
    _check_labels(trace, labels)
    logits = logits_over_time(network, trace)
    _check_classes(labels, logits.shape[-1])
    correct = logits.argmax(axis=-1) == labels
    accuracy: NDArray[np.float64] = correct.mean(axis=1)
    return accuracy


def _check_classes(labels: NDArray[Any], classes: int) -> None:
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise EngineError(
            f"labels are {labels.min()} to {labels.max()}, but the network has {classes} classes, "
            f"0 to {classes - 1}; take the data that it was trained on, or remove the labels"
        )


def _check_labels(trace: Trace, labels: NDArray[Any]) -> None:
    if labels.dtype.kind not in "iu":
        raise EngineError(f"labels are {labels.dtype}, needs integers")
    if labels.shape != (trace.batch,):
        raise EngineError(f"{labels.shape} labels for {trace.batch} samples, needs one each")


def apply_early_exit(network: Network, trace: Trace) -> Trace:
    """Cut each sample of a full run where the network's early exit stops it.

    For engines that read the logits when all timesteps are done. `trace` must hold the spikes of
    every population, as with `record="all"`.
    """
    if network.early_exit is None:
        return trace
    steps = exit_steps(margins(logits_over_time(network, trace)), network.early_exit)
    spikes = {name: zero_after_exit(array, steps) for name, array in trace.spikes.items()}
    return replace(
        trace,
        spikes=spikes,
        counts={name: (array != 0).sum(axis=0, dtype=np.int32) for name, array in spikes.items()},
        voltages={name: hold_after_exit(each, steps) for name, each in trace.voltages.items()},
        currents={name: hold_after_exit(each, steps) for name, each in trace.currents.items()},
        steps=steps,
    )


def zero_after_exit(values: NDArray[Any], steps: NDArray[np.int64]) -> NDArray[Any]:
    """Zero `values` (timesteps, batch, ...) after the first `steps` (batch,) of each sample."""
    if (steps == len(values)).all():
        return values
    active = np.arange(len(values))[:, None] < steps
    mask = active.reshape(*active.shape, *(1,) * (values.ndim - 2)).astype(values.dtype)
    masked: NDArray[Any] = values * mask
    return masked


def hold_after_exit(states: NDArray[Any], steps: NDArray[np.int64]) -> NDArray[Any]:
    """Hold `states` (timesteps, batch, ...) after the first `steps` (batch,) of each sample."""
    if (steps == len(states)).all():
        return states
    last = np.minimum(np.arange(len(states))[:, None], steps - 1)
    held: NDArray[Any] = states[last, np.arange(len(steps))]
    return held


def select_recorded(network: Network, trace: Trace, record: Record) -> Trace:
    """Keep what `record` asks for, from a trace that holds at least that."""
    if record == "states":
        return trace
    integrators = {p.name for p in network.topological_order if p.kind == "integrator"}
    spikes = trace.spikes
    if record == "output":
        spikes = {name: array for name, array in spikes.items() if name == network.output}
    voltages = {name: array for name, array in trace.voltages.items() if name in integrators}
    return replace(trace, spikes=spikes, voltages=voltages, currents={})
