"""Report model of placements: cores, utilization and latency on a target."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Range = tuple[float, float]  # (min, max)


@dataclass(frozen=True)
class CoreLoad:
    """Load of one core in use.

    Attributes:
        chip: Index of the chip.
        number: Index of the core on the chip.
        x: Column of its tile.
        y: Row of its tile.
        utilization: Fraction of the bottleneck resource that is taken, 0 to 1.
        bottleneck: Resource of which the largest fraction is taken.
        busy_seconds: Mean busy time per timestep.
        populations: Names of the populations on the core.
    """

    chip: int
    number: int
    x: int
    y: int
    utilization: float
    bottleneck: str
    busy_seconds: float
    populations: tuple[str, ...]


@dataclass(frozen=True)
class PopulationUsage:
    """Resources that one population takes.

    Attributes:
        population: Name of the population.
        neurons: Number of its neurons.
        cores: Number of cores it is on.
        slices: Number of its slices.
        max_slice_shape: Shape of the largest slice.
        utilization: Largest fraction of each resource of a core that a slice takes, 0 to 1.
    """

    population: str
    neurons: int
    cores: int
    slices: int
    max_slice_shape: tuple[int, ...]
    utilization: Mapping[str, float]


@dataclass(frozen=True)
class Timing:
    """Latency by one model, ranges in seconds.

    Attributes:
        model: Name of the target and the latency model.
        source: Publications that the times are from.
        excludes: Work that the model leaves out.
        pipeline_depth: Timesteps by which the output lags behind the input.
        step: Mean timestep.
        worst: Longest timestep.
        inference: Inference.
        throughput: Inferences per second when samples follow one another.
        certainty: Certainty of the least certain time.
    """

    model: str
    source: str
    excludes: str
    pipeline_depth: int
    step: Range
    worst: Range
    inference: Range
    throughput: Range
    certainty: str = ""


@dataclass(frozen=True)
class Placement:
    """Placement of a network on a target, or the reason why it does not fit.

    Attributes:
        target: Title of the target.
        min_cores: Lower bound of the number of cores of any placement.
        chips: Number of chips in use.
        width: Tiles of a chip along x.
        height: Tiles of a chip along y.
        cores_per_tile: Number of cores of a tile.
        cores: Cores in use.
        population_usage: Resources by population.
        timings: Latency by each model of the target.
        error: Why the network does not fit, else empty.
        memory: Of a microcontroller, bytes that are used and bytes that there are, by memory.
    """

    target: str
    min_cores: int = 0
    chips: int = 0
    width: int = 0
    height: int = 0
    cores_per_tile: int = 1
    cores: tuple[CoreLoad, ...] = ()
    population_usage: tuple[PopulationUsage, ...] = ()
    timings: tuple[Timing, ...] = ()
    error: str = ""
    memory: Mapping[str, tuple[int, int]] = field(default_factory=dict)
