"""Compare a network with early exit to the same network at all timesteps."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.batches import iter_batches
from ..runtime.engines import cpu
from ..runtime.network import Network
from ..runtime.op_counts import count_ops
from ..runtime.trace import Trace, logits_over_time
from .profiles import default_energies

Range = tuple[float, float]


@dataclass(frozen=True)
class CostComparison:
    """Mean cost per sample `with_exit` and at `all_timesteps`."""

    with_exit: float
    all_timesteps: float

    @property
    def saved(self) -> float | None:
        """Fraction saved, 0 to 1; None where all timesteps cost nothing."""
        return 1 - self.with_exit / self.all_timesteps if self.all_timesteps else None


@dataclass(frozen=True)
class EnergyComparison:
    """Energy per sample in joules (lower and upper bound) by one energy model."""

    model: str
    with_exit: Range
    all_timesteps: Range

    @property
    def saved(self) -> float | None:
        """Fraction saved of the upper bound, 0 to 1."""
        return CostComparison(self.with_exit[1], self.all_timesteps[1]).saved


@dataclass(frozen=True)
class EarlyExitComparison:
    """Exit steps, accuracy and cost of a network with early exit.

    Attributes:
        thresholds: Margin threshold after each timestep.
        timesteps: Number of timesteps without early exit.
        samples: Number of samples.
        mean_steps: Mean number of timesteps with early exit.
        exits: Number of samples that exit after each timestep.
        agreement: Fraction of samples whose prediction equals that after all timesteps.
        accuracy: Accuracy with early exit; None without labels.
        full_accuracy: Accuracy at all timesteps; None without labels.
        events: Events per sample.
        synaptic_operations: Synaptic operations per sample.
        energy: Energy per sample by each default energy model.
    """

    thresholds: tuple[int, ...]
    timesteps: int
    samples: int
    mean_steps: float
    exits: tuple[int, ...]
    agreement: float
    accuracy: float | None
    full_accuracy: float | None
    events: CostComparison
    synaptic_operations: CostComparison
    energy: tuple[EnergyComparison, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all fields."""
        return asdict(self)


def compare_early_exit(
    network: Network, inputs: Any, labels: NDArray[np.int64] | None = None
) -> EarlyExitComparison:
    """Run `network` with and without its early exit on the same samples, a batch at a time.

    Args:
        network: A network with an early exit.
        inputs: The samples, as `runtime.batches.iter_batches` takes them.
        labels: int64 (samples,), if known.
    """
    full = replace(network, early_exit=None)
    sums = _Sums()
    for events, first in iter_batches(network, inputs):
        before, after = (cpu.run(each, events) for each in (full, network))
        sums.add(full, before, after, None if labels is None else labels[first:][: before.batch])
    return sums.compare(network)


class _Sums:
    """Sums over the samples of all batches."""

    def __init__(self) -> None:
        self.timesteps = self.samples = self.agreeing = self.correct = self.full_correct = 0
        self.exits: NDArray[np.int64] = np.zeros(0, np.int64)
        self.costs = np.zeros((2, 2), np.int64)  # events and operations, with exit and without
        self.energy: dict[str, NDArray[np.float64]] = {}
        self.labeled = False

    def add(
        self, full: Network, before: Trace, after: Trace, labels: NDArray[np.int64] | None
    ) -> None:
        """Add the runs of a batch without and with the exit."""
        full_classes, classes = (
            logits_over_time(full, trace)[-1].argmax(axis=-1) for trace in (before, after)
        )
        self.timesteps, self.samples = before.timesteps, self.samples + before.batch
        exits = np.bincount(after.steps, minlength=before.timesteps + 1)[1:]
        self.exits = exits if not len(self.exits) else self.exits + exits
        self.agreeing += int((full_classes == classes).sum())
        if labels is not None:
            self.labeled = True
            self.correct += int((classes == labels).sum())
            self.full_correct += int((full_classes == labels).sum())
        for column, trace in enumerate((after, before)):
            counts = count_ops(full, trace)
            self.costs[0, column] += counts.total_events.sum()
            self.costs[1, column] += counts.total_synaptic_operations.sum()
        pairs = zip(default_energies(full, after), default_energies(full, before), strict=True)
        for one, other in pairs:
            joules = before.batch * np.array([one.total, other.total])
            self.energy[one.model] = self.energy.get(one.model, 0.0) + joules

    def compare(self, network: Network) -> EarlyExitComparison:
        """Means over all samples."""
        means = self.costs / self.samples
        steps = np.arange(1, self.timesteps + 1)
        return EarlyExitComparison(
            tuple(network.early_exit.thresholds) if network.early_exit else (),
            self.timesteps,
            self.samples,
            float(self.exits @ steps) / self.samples,
            tuple(self.exits.tolist()),
            self.agreeing / self.samples,
            self.correct / self.samples if self.labeled else None,
            self.full_correct / self.samples if self.labeled else None,
            CostComparison(*means[0].tolist()),
            CostComparison(*means[1].tolist()),
            tuple(
                EnergyComparison(model, *(tuple(each) for each in (sums / self.samples).tolist()))
                for model, sums in self.energy.items()
            ),
        )
