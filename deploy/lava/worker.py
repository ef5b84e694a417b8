"""Worker process that runs Lava: reads a job from a folder and writes the result there.

Lava forks one process for each of its processes, so it gets a fresh one to fork from, without the
threads of torch, numba or a notebook.
"""

import logging
import multiprocessing
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from ...runtime.errors import PumiceError
from ...runtime.lava_compat import patch_lava
from .hardware import make_probes, run_on_chip
from .job import Arrays, Job, allocate_result, read_job
from .lazy_import import lazy_import
from .subprocess_guard import die_with_parent
from .timing import attach_timers, write_probe_readings, write_process_times


def main(folder: Path) -> int:
    """Run the job in `folder`; on failure, write the reason to `error.txt` there and return 1."""
    die_with_parent()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    try:
        _run_job(folder)
    except Exception as error:  # any error of Lava is reported to the user
        traceback.print_exc()
        text = str(error) if isinstance(error, PumiceError) else f"{type(error).__name__}: {error}"
        (folder / "error.txt").write_text(" ".join(text.split()), encoding="utf-8")
        return 1
    finally:
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
    return 0


def _run_job(folder: Path) -> None:
    lazy_import("scipy.signal")
    patch_lava()
    from .graph import build_process_graph

    job, network, events = read_job(folder)
    graph = build_process_graph(network, job.timesteps)
    events = {p.source: events[p.source] for p in network.projections if p.source in events}
    result = {p.name: allocate_result(folder, job, network, p) for p in network.topological_order}
    if job.target == "loihi2":
        _run_on_chip(folder, graph, job, events, result)
    else:
        _simulate(folder, graph, job, events, result)


def _simulate(
    folder: Path, graph: Any, job: Job, events: Arrays, result: dict[str, Arrays]
) -> None:
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.conv.process import Conv
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIFReset

    from .execute import execute, use_anonymous_memory
    from .models.conv import PySparseConvModel
    from .models.graded import GradedReset
    from .models.recording_lif import (
        PyRecordingGradedModel,
        PyRecordingLifModel,
        PyRecordingRuledModel,
        Recording,
    )
    from .models.resets import RuledReset
    from .models.resonators import RESONATOR_MODELS
    from .models.sigma_delta import (
        DeltaReset,
        PyDeltaResetModel,
        PySigmaDeltaResetModel,
        PySigmaResetModel,
        SigmaDeltaReset,
        SigmaReset,
    )
    from .models.zero_copy_source import PyZeroCopySendModel

    for name, neurons in graph.populations.items():
        depth = graph.schedule.depths[name]
        recording = Recording(depth, job.timesteps, job.samples, **result[name])
        neurons.proc_params["recording"] = recording
    sources = {name: RingBuffer(data=values.T) for name, values in events.items()}
    for name, source in sources.items():
        graph.feed(name, source.s_out)
    models = {
        LIFReset: PyRecordingLifModel,
        GradedReset: PyRecordingGradedModel,
        RuledReset: PyRecordingRuledModel,
        SigmaDeltaReset: PySigmaDeltaResetModel,
        DeltaReset: PyDeltaResetModel,
        SigmaReset: PySigmaResetModel,
        **RESONATOR_MODELS,
        RingBuffer: PyZeroCopySendModel,
    }
    if job.conv == "sparse":
        models[Conv] = PySparseConvModel
    use_anonymous_memory()
    processes = [*sources.values(), *graph.populations.values(), *graph.projections.values()]
    steps = graph.schedule.total_steps(job.timesteps, job.samples)
    configuration = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
    timers = attach_timers(folder, processes) if job.record_timing else None
    execute(processes, steps, configuration)
    if timers is not None:
        write_process_times(folder, processes, timers, steps)


def _run_on_chip(
    folder: Path, graph: Any, job: Job, events: Arrays, result: dict[str, Arrays]
) -> None:
    steps = graph.schedule.total_steps(job.timesteps, job.samples)
    probes = make_probes(steps) if job.record_timing else ()
    spikes = run_on_chip(graph, events, steps, probes)
    if probes:
        write_probe_readings(folder, *probes, steps)
    for name, fired in spikes.items():
        first = graph.schedule.depths[name]
        fired = fired[first : first + job.samples * job.timesteps]
        by_sample = fired.reshape(job.samples, job.timesteps, *fired.shape[1:])
        result[name]["counts"][:] = by_sample.sum(axis=1)
        if "spikes" in result[name]:
            result[name]["spikes"][:] = fired


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stderr.flush()
    os._exit(status)  # on a normal exit, Lava's objects wait for processes that are gone
