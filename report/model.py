"""The report as data: what it says, before anyone decides how it looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..runtime.errors import DataError
from ..runtime.exit_calibration import EarlyExitStats as EarlyExitStats
from ..runtime.host_timing import HostTiming as HostTiming
from ..runtime.verify import VerificationReport
from .placement import Placement, Range


@dataclass(frozen=True)
class PopulationActivity:
    """One population: `events` it sends per inference (mean), and the neuron `updates` it needs."""

    name: str
    kind: str
    shape: tuple[int, ...]
    neurons: int
    events: float
    neuron_updates: int


@dataclass(frozen=True)
class ProjectionActivity:
    """One projection: its `synapses`, and its synaptic `operations` per inference (mean)."""

    name: str
    source: str
    target: str
    kind: str
    synapses: int
    synaptic_operations: float


@dataclass(frozen=True)
class AccuracyCurve:
    """Accuracy, 0 to 1, after each timestep: of the `name`d way to compute the network."""

    name: str
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Energy:
    """What one inference costs by one price list, in joules.

    `joules` gives for each kind of work the least and the most, and `populations` the same for each
    population; `artificial` the cost of the same connections in an artificial network, one
    multiply-accumulate each in a single pass, and `break_even` the synaptic operations a connection
    at which both cost the same, updates aside. `by_step` is the total of an inference that stops
    after 1, 2, ... timesteps. `error` is the share by which the list's authors found it wrong:
    totals are widened by it. `certainty` is that of the least certain price.
    """

    model: str
    source: str
    excludes: str
    joules: Mapping[str, tuple[float, float]]
    ann_energy: float
    break_even: float
    populations: Mapping[str, Mapping[str, Range]] = field(default_factory=dict)
    by_step: tuple[Range, ...] = ()
    relative_error: float = 0.0
    certainty: str = ""

    @property
    def total(self) -> Range:
        """All kinds of work together: the least and the most, in joules."""
        return (
            sum(least for least, _ in self.joules.values()) * (1 - self.relative_error),
            sum(most for _, most in self.joules.values()) * (1 + self.relative_error),
        )


@dataclass(frozen=True)
class SpikeRaster:
    """The spikes of one population in one sample: neuron `rows[k]` fires in step `steps[k]`.

    Of `neurons` neurons `shown` are drawn, evenly spaced; rows count from 0 to `shown` - 1.
    """

    population: str
    neurons: int
    num_rows: int
    steps: tuple[int, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One sample: its spikes, and what the output says of each class after each step.

    `label` is the true class, empty where it is not known; `answer` the one given after the last
    step. `outputs[class][step]` is a spike count or, in weight units, a voltage.
    """

    label: str
    prediction: str
    classes: tuple[str, ...]
    rasters: tuple[SpikeRaster, ...]
    logits: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Report:
    """Everything the report says of one network on one set of samples.

    `operations[k]` are the synaptic operations, and `sent[k]` the events, of an inference that
    stops after k + 1 timesteps (means). Raises `DataError` where a curve, or `exits`, has not one
    value a timestep.
    """

    title: str
    network: str
    timesteps: int
    samples: int
    synapses: int
    populations: tuple[PopulationActivity, ...]
    projections: tuple[ProjectionActivity, ...]
    cumulative_operations: tuple[float, ...]
    curves: tuple[AccuracyCurve, ...] = ()
    energies: tuple[Energy, ...] = ()
    cumulative_events: tuple[float, ...] = ()
    placements: tuple[Placement, ...] = ()
    host: HostTiming | None = None
    early_exit: EarlyExitStats | None = None
    sample: Sample | None = None
    verification: VerificationReport | None = None
    neurobench: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for curve in self.curves:
            if len(curve.accuracy) != self.timesteps:
                raise DataError(
                    f"curve {curve.name}: {len(curve.accuracy)} values, "
                    f"but there are {self.timesteps} timesteps"
                )
        if self.early_exit and len(self.early_exit.counts) != self.timesteps:
            raise DataError(
                f"exits: {len(self.early_exit.counts)} counts, but there are {self.timesteps} timesteps"
            )

    @property
    def events(self) -> float:
        """Events of all populations per inference (mean)."""
        return sum(population.events for population in self.populations)
