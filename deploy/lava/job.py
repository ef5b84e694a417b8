"""What is asked of the process that runs Lava, and the folder that carries it there and back."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...runtime import Network, Population, read_network, write_network
from ...runtime.trace import Record, Trace

ConvModel = Literal["sparse", "lava"]
RunTarget = Literal["simulator", "loihi2"]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Job:
    """How to run a network: `samples` of `timesteps` steps each, one after the other.

    Where it is to be `measured`, the child also tells what it took (`measure`).
    """

    timesteps: int
    samples: int
    record: Record
    conv: ConvModel
    target: RunTarget
    record_timing: bool = False


def write_job(folder: Path, job: Job, network: Network, events: Arrays) -> None:
    """Write what `read_job` reads; `events` are uint8 (timesteps, batch, *shape) an input."""
    (folder / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
    write_network(folder / "network.pumice", network)
    for population in network.inputs:
        steps = events[population.name].swapaxes(0, 1).reshape(-1, *population.shape)
        np.save(_array_path(folder, network, "events", population), steps)


def read_job(folder: Path) -> tuple[Job, Network, Arrays]:
    """Return the job, its network and the events of each input, (samples * timesteps, *shape)."""
    job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
    network = read_network(folder / "network.pumice")
    places = {p.name: _array_path(folder, network, "events", p) for p in network.inputs}
    return job, network, {name: _open_array(place, "r") for name, place in places.items()}


def allocate_result(folder: Path, job: Job, network: Network, population: Population) -> Arrays:
    """Return arrays of zeros that `read_answer` reads once they are filled, by any process.

    `spikes` uint8 and `voltages` int32 (samples * timesteps, *shape), `counts` int32 (samples,
    *shape): those that are asked of `population`.
    """
    steps = job.samples * job.timesteps
    kinds: dict[str, tuple[type, int]] = {"voltages": (np.int32, steps)}
    if population.kind != "integrator":
        kinds = {"counts": (np.int32, job.samples)}
        if job.record == "all" or population.name == network.output:
            kinds["spikes"] = (np.uint8, steps)
    arrays = {}
    for what, (dtype, size) in kinds.items():
        place = _array_path(folder, network, what, population)
        np.save(place, np.zeros((size, *population.shape), dtype))  # takes its room on the disk now
        arrays[what] = _open_array(place, "r+")
    return arrays


def read_result(folder: Path, job: Job, network: Network, events: Arrays) -> Trace:
    """Return the trace of a job that has run on `events`, as given to `write_job`."""
    found: dict[str, Arrays] = {"spikes": {}, "counts": {}, "voltages": {}}
    if job.record == "all":
        found["spikes"] |= events
    for name, array in events.items():
        found["counts"][name] = (array > 0).sum(axis=0, dtype=np.int32)
    for what, arrays in found.items():
        for population in network.topological_order:
            place = _array_path(folder, network, what, population)
            if place.exists():
                array = np.load(place, allow_pickle=False)
                if what != "counts":
                    shape = job.samples, job.timesteps, *population.shape
                    array = np.ascontiguousarray(array.reshape(shape).swapaxes(0, 1))
                arrays[population.name] = array
    return Trace(job.timesteps, job.samples, found["spikes"], found["counts"], found["voltages"])


def _array_path(folder: Path, network: Network, what: str, population: Population) -> Path:
    names = [p.name for p in network.populations]
    return folder / f"{what}-{names.index(population.name)}.npy"


def _open_array(place: Path, mode: Literal["r", "r+"]) -> NDArray[Any]:
    array: NDArray[Any] = np.load(place, mmap_mode=mode, allow_pickle=False)
    return array
