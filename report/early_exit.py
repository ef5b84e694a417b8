"""Compare a network with early exit to the same network at all timesteps."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    network: Network,
    events: Mapping[str, NDArray[np.uint8]],
    labels: NDArray[np.int64] | None = None,
) -> EarlyExitComparison:
    """Run `network` with and without its early exit on the same samples.

    Args:
        network: A network with an early exit.
        events: uint8 (timesteps, samples, *shape) for each input population.
        labels: int64 (samples,), if known.
    """
    full = replace(network, early_exit=None)
    before, after = (cpu.run(each, events) for each in (full, network))
    full_classes, classes = (
        logits_over_time(full, trace)[-1].argmax(axis=-1) for trace in (before, after)
    )
    counts = count_ops(full, after), count_ops(full, before)
    totals = "total_events", "total_synaptic_operations"
    events_cost, operations_cost = (
        CostComparison(*(float(getattr(each, total).mean()) for each in counts)) for total in totals
    )
    return EarlyExitComparison(
        tuple(network.early_exit.thresholds) if network.early_exit else (),
        before.timesteps,
        before.batch,
        float(after.steps.mean()),
        tuple(np.bincount(after.steps, minlength=before.timesteps + 1)[1:].tolist()),
        float((full_classes == classes).mean()),
        None if labels is None else float((classes == labels).mean()),
        None if labels is None else float((full_classes == labels).mean()),
        events_cost,
        operations_cost,
        _compare_energy(full, before, after),
    )


def _compare_energy(full: Network, before: Trace, after: Trace) -> tuple[EnergyComparison, ...]:
    pairs = zip(default_energies(full, after), default_energies(full, before), strict=True)
    return tuple(EnergyComparison(one.model, one.total, other.total) for one, other in pairs)
