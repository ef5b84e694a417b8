"""Report model: plain data that JSON, CSV and HTML are written from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..runtime.errors import DataError
from ..runtime.exit_calibration import EarlyExitStats as EarlyExitStats
from ..runtime.host_timing import HostTiming as HostTiming
from ..runtime.readout import Task
from ..runtime.verify import VerificationReport
from .placement import Placement, Range


@dataclass(frozen=True)
class PopulationActivity:
    """Activity of a population: events and neuron updates per inference (means)."""

    name: str
    kind: str
    shape: tuple[int, ...]
    neurons: int
    events: float
    neuron_updates: int


@dataclass(frozen=True)
class ProjectionActivity:
    """Activity of a projection: synapses, and synaptic operations per inference (mean)."""

    name: str
    source: str
    target: str
    kind: str
    synapses: int
    synaptic_operations: float


@dataclass(frozen=True)
class AccuracyCurve:
    """Accuracy after each timestep, 0 to 1, of one way to compute the network, by its `name`."""

    name: str
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class RegressionErrors:
    """Errors of a regression after each timestep, in units of the targets.

    Attributes:
        mean_absolute: Mean absolute error, over samples and outputs.
        root_mean_squared: Root mean squared error.
        interval: 95 % confidence interval of the last mean absolute error, from the standard
            deviation over samples; None of one sample.
        target_deviation: Standard deviation of the targets: the root mean squared error of an
            estimate that is always their mean.
    """

    mean_absolute: tuple[float, ...]
    root_mean_squared: tuple[float, ...]
    interval: tuple[float, float] | None
    target_deviation: float


@dataclass(frozen=True)
class Energy:
    """Energy of one inference by one energy model, in joules; ranges are (min, max).

    Attributes:
        model: Name of the target and the energy model.
        source: Publications that the prices are from.
        excludes: Work that the model does not price.
        joules: Range by unit of work.
        ann_energy: Energy of an artificial neural network of the same connections, one
            multiply-accumulate each in a single pass.
        break_even: Synaptic operations per synapse at which the synaptic energy equals that of the
            ANN; neuron updates are not counted.
        populations: Range by population and unit of work.
        by_step: Total of an inference that stops after 1, 2, ... timesteps.
        relative_error: Error of the model according to its authors, a fraction by which totals are
            widened.
        certainty: Certainty of the least certain price.
        target: Title of the target.
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
    target: str = ""

    @property
    def total(self) -> Range:
        """Sum over all units of work, (min, max) in joules."""
        return (
            sum(low for low, _ in self.joules.values()) * (1 - self.relative_error),
            sum(high for _, high in self.joules.values()) * (1 + self.relative_error),
        )


@dataclass(frozen=True)
class SpikeRaster:
    """Spikes of one population in one sample: row `rows[k]` fires in timestep `steps[k]`.

    Attributes:
        population: Name of the population.
        neurons: Number of its neurons.
        num_rows: Number of evenly spaced neurons in the raster; rows are 0 to `num_rows` - 1.
        steps: Index of the timestep of each spike, from 0.
        rows: Row of each spike.
    """

    population: str
    neurons: int
    num_rows: int
    steps: tuple[int, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One sample: spikes of all populations, and the logits over time.

    Attributes:
        label: True class, or targets of a regression; empty where it is not known.
        prediction: Predicted class after the last timestep, or estimates of a regression.
        classes: Names of the classes, or of the outputs.
        rasters: Spikes of each population.
        logits: Logit by class and timestep: a spike count or, in weight units, a voltage; of a
            regression the estimates.
        task: `classification` or `regression`.
    """

    label: str
    prediction: str
    classes: tuple[str, ...]
    rasters: tuple[SpikeRaster, ...]
    logits: tuple[tuple[float, ...], ...]
    task: Task = "classification"


@dataclass(frozen=True)
class Report:
    """Report on one network and one set of samples.

    Attributes:
        title: Headline.
        network: SHA-256 of the network.
        timesteps: Number of timesteps.
        samples: Number of samples.
        synapses: Synapses of the network.
        populations: Activity by population.
        projections: Activity by projection.
        cumulative_operations: Synaptic operations of an inference that stops after 1, 2, ...
            timesteps (means).
        curves: Accuracy curves.
        energies: Energy estimates.
        cumulative_events: Events of an inference that stops after 1, 2, ... timesteps (means).
        placements: Placements on targets.
        host: Timing on this machine.
        early_exit: Exit statistics.
        sample: One sample in detail.
        verification: Comparison of engines.
        neurobench: NeuroBench metrics.
        provenance: Provenance of the network, flattened.
        inputs: Name of the data set, empty where it is not known.
        inputs_digest: SHA-256 of the events and of the true classes.
        classes: Names of the classes.
        confusion: Number of samples by true class (rows) and predicted class (columns) after the
            last timestep; empty where the true classes are not known.
        cost_samples: Number of samples, the first ones, that activity, operations and costs are
            means over; 0 for all.
        errors: Errors of a regression; None for a classification, and without targets.

    Raises:
        DataError: A curve, `errors` or `early_exit` does not have one value per timestep, or
            `confusion` is not square.
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
    inputs: str = ""
    inputs_digest: str = ""
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    cost_samples: int = 0
    errors: RegressionErrors | None = None

    def __post_init__(self) -> None:
        if any(len(row) != len(self.confusion) for row in self.confusion):
            raise DataError(f"confusion: has {len(self.confusion)} rows, needs as many columns")
        for curve in self.curves:
            if len(curve.accuracy) != self.timesteps:
                raise DataError(
                    f"curve {curve.name}: {len(curve.accuracy)} values, "
                    f"but there are {self.timesteps} timesteps"
                )
        if self.errors and len(self.errors.mean_absolute) != self.timesteps:
            raise DataError(
                f"errors: {len(self.errors.mean_absolute)} values, "
                f"but there are {self.timesteps} timesteps"
            )
        if self.early_exit and len(self.early_exit.counts) != self.timesteps:
            raise DataError(
                f"exits: {len(self.early_exit.counts)} counts, "
                f"but there are {self.timesteps} timesteps"
            )

    @property
    def events(self) -> float:
        """Events of all populations per inference (mean)."""
        return sum(population.events for population in self.populations)
