"""What the report says of a network on the cores of a target, and of the machine it ran on."""

from collections.abc import Mapping
from dataclasses import dataclass

Range = tuple[float, float]  # the least and the most


@dataclass(frozen=True)
class CoreLoad:
    """One core in use, on the tile (x, y) of its chip: how full, and how busy.

    `fill` is the share, 0 to 1, of what is `scarcest` there; `busy` are the seconds that it works
    in a step, on average.
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
    """One population on its cores: its slices, the `largest` of them, and what they take at most.

    `shares` are of each limit of a core, 0 to 1.
    """

    population: str
    neurons: int
    cores: int
    slices: int
    max_slice_shape: tuple[int, ...]
    utilization: Mapping[str, float]


@dataclass(frozen=True)
class Timing:
    """Seconds by one list of times: of a step (mean), the longest one, and an inference.

    `throughput` are inferences a second when samples follow one another, `depth` the steps by
    which the answer comes later than the input's last.
    """

    model: str
    source: str
    excludes: str
    pipeline_depth: int
    step: Range
    worst: Range
    inference: Range
    throughput: Range


@dataclass(frozen=True)
class Placement:
    """A network on the cores of a target, or the `refusal` that says why it does not fit.

    Each of the target's chips has `width` x `height` tiles with `on_tile` cores each. `at_least` is
    the number of cores below which no placement exists.
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
