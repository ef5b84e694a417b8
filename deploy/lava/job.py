"""Job of the Lava worker process, and the folder that carries job and result between processes."""

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
    """Settings of a run: `samples` of `timesteps` steps each, one after the other.

    With `record_timing` the worker also measures the time (see `measure`).
    """

    timesteps: int
    samples: int
    record: Record
    conv: ConvModel
    target: RunTarget
    record_timing: bool = False


def write_job(folder: Path, job: Job, network: Network, events: Arrays) -> None:
    """Write a job; `events` are uint8 (timesteps, batch, *shape) by input population."""
    (folder / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
    write_network(folder / "network.pumice", network)
    for population in network.inputs:
        steps = events[population.name].swapaxes(0, 1).reshape(-1, *population.shape)
        np.save(_array_path(folder, network, "events", population), steps)


def read_job(folder: Path) -> tuple[Job, Network, Arrays]:
    """Read the job, its network and the events of each input, (samples * timesteps, *shape)."""
    job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
    network = read_network(folder / "network.pumice")
    paths = {p.name: _array_path(folder, network, "events", p) for p in network.inputs}
    return job, network, {name: _open_array(path, "r") for name, path in paths.items()}


def allocate_result(folder: Path, job: Job, network: Network, population: Population) -> Arrays:
    """Allocate the arrays that `job` records of `population`, as zeros in memory-mapped files.

    Any process may fill them; `read_result` reads them.

    Returns:
        Of `spikes` (of `population.value_type`), `voltages` int32 and `currents` int32,
        (samples * timesteps, *shape) each, and `counts` int32 (samples, *shape), those that are
        recorded.
    """
    steps = job.samples * job.timesteps
    kinds: dict[str, tuple[type, int]] = {}
    if job.record == "states":
        kinds["currents"] = (np.int32, steps)
    if job.record == "states" or population.kind == "integrator":
        kinds["voltages"] = (np.int32, steps)
    if population.kind != "integrator":
        kinds["counts"] = (np.int32, job.samples)
        if job.record != "output" or population.name == network.output:
            kinds["spikes"] = (population.value_type, steps)
    arrays = {}
    for kind, (dtype, size) in kinds.items():
        path = _array_path(folder, network, kind, population)
        np.save(path, np.zeros((size, *population.shape), dtype))  # reserves disk space now
        arrays[kind] = _open_array(path, "r+")
    return arrays


def read_result(folder: Path, job: Job, network: Network, events: Arrays) -> Trace:
    """Read the trace of a job that has run on `events`, as given to `write_job`."""
    result: dict[str, Arrays] = {"spikes": {}, "counts": {}, "voltages": {}, "currents": {}}
    if job.record != "output":
        result["spikes"] |= events
    for name, array in events.items():
        result["counts"][name] = (array != 0).sum(axis=0, dtype=np.int32)
    for kind, arrays in result.items():
        for population in network.topological_order:
            path = _array_path(folder, network, kind, population)
            if path.exists():
                array = np.load(path, allow_pickle=False)
                if kind != "counts":
                    shape = job.samples, job.timesteps, *population.shape
                    array = np.ascontiguousarray(array.reshape(shape).swapaxes(0, 1))
                arrays[population.name] = array
    return Trace(
        job.timesteps,
        job.samples,
        result["spikes"],
        result["counts"],
        result["voltages"],
        currents=result["currents"],
        network=network,
    )


def _array_path(folder: Path, network: Network, kind: str, population: Population) -> Path:
    names = [p.name for p in network.populations]
    return folder / f"{kind}-{names.index(population.name)}.npy"


def _open_array(path: Path, mode: Literal["r", "r+"]) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
    return array
