"""Work that is shared by the processes that train together, or that torchrun or SLURM started."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import distributed

from ...runtime.errors import RecipeError
from .training_config import DeviceOptions

Result = TypeVar("Result")


def rank_and_world_size() -> tuple[int, int]:
    """Rank of this process and number of processes that work together."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


@dataclass(frozen=True)
class Launch:
    """Processes that a launcher started: all of them, and those of this node."""

    world_size: int
    local_size: int

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.world_size // self.local_size


def find_launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """Launch of torchrun or srun, by its variables; None for a process of its own."""
    if "TORCHELASTIC_RUN_ID" in environment:
        return Launch(int(environment["WORLD_SIZE"]), int(environment["LOCAL_WORLD_SIZE"]))
    if int(environment.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in environment:
        nodes = int(environment.get("SLURM_NNODES", "1"))
        tasks = int(environment["SLURM_NTASKS"])
        return Launch(tasks, tasks // nodes)
    return None


def launched_devices(devices: DeviceOptions) -> DeviceOptions:
    """`devices` with the numbers of a launcher, where the recipe has one device.

    Raises `RecipeError` where the recipe asks for other numbers.
    """
    launch = find_launch()
    if launch is None or launch.world_size == devices.world_size:
        return devices
    if devices.world_size > 1:
        raise RecipeError(
            f"devices: the recipe has {devices.devices} devices on {devices.nodes} nodes, but "
            f"{launch.world_size} processes were started; leave devices out, or start as many"
        )
    numbers = {"devices": launch.local_size, "nodes": launch.nodes}
    return devices.model_copy(update=numbers)


@contextmanager
def join_processes() -> Iterator[bool]:
    """Let the processes that torchrun started work together inside the block.

    Yields whether this is the first one, which writes and prints. Without torchrun, and where they
    work together already, nothing changes.
    """
    starts = "TORCHELASTIC_RUN_ID" in os.environ and not distributed.is_initialized()
    if starts:
        distributed.init_process_group("gloo")  # results are gathered on the CPU
    try:
        yield rank_and_world_size()[0] == 0
    finally:
        if starts:
            distributed.destroy_process_group()


def share(function: Callable[[NDArray[np.int64] | None], Result], count: int) -> list[Result]:
    """Call `function` with the indices of this process's samples; return all processes' results.

    They are in the order of the samples. A single process, or one of more than there are samples,
    works on all `count` of them, told by None.
    """
    rank, world_size = rank_and_world_size()
    if world_size == 1 or count < world_size:
        return [function(None)]
    own = np.arange(count * rank // world_size, count * (rank + 1) // world_size)
    parts: list[Any] = [None] * world_size
    distributed.all_gather_object(parts, function(own))
    return parts


def map_shards(
    function: Callable[[NDArray[np.int64] | None], NDArray[Any]], count: int, axis: int
) -> NDArray[Any]:
    """`share` the work of a function, and concatenate the results along `axis`."""
    return np.concatenate(share(function, count), axis=axis)
