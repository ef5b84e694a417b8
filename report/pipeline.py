"""Build the report of a network: verify, run, place, estimate and time it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..deploy.profile import profile
from ..deploy.targets.target import Target, read_target
from ..runtime.batches import iter_batches, join_batches
from ..runtime.engines.registry import select_engines
from ..runtime.engines.run import run
from ..runtime.exit_calibration import EarlyExitStats, evaluate_exits
from ..runtime.host_timing import time_engine
from ..runtime.network import Network
from ..runtime.verify import VerificationReport, verify
from .build import Measurements, assemble_report
from .model import AccuracyCurve, Report
from .profiles import to_energies, to_placements
from .totals import Totals

DEFAULT_TARGETS = ("loihi1", "loihi2", "cmos45")
VERIFY_SAMPLES = 4
RECORDED_BYTES = 1 << 30  # of spikes in memory; costs are means over as many samples


def build_report(
    network: Network,
    inputs: Any,
    title: str = "",
    *,
    engine: str = "cpu",
    engines: Sequence[str] | str | None = None,
    curves: Sequence[AccuracyCurve] = (),
    targets: Sequence[str | Target] = DEFAULT_TARGETS,
    host: bool = False,
) -> Report:
    """Build the report of a network on a set of samples.

    Args:
        network: Network to report on.
        inputs: Events, as `runtime.batches.iter_batches` takes them; the true classes are taken
            from its `labels`, if it has any, and the name of the data set from its `name`. Spikes
            of up to 1 GiB are recorded: costs are means over as many samples.
        title: Headline; by default the name of the data set.
        engine: Engine that runs all samples.
        engines: Engines that are compared with the reference on the first 4 samples, by name; all
            that are installed by default.
        curves: Accuracy curves that were measured before, such as that of the float network.
        targets: Targets to place the network on, names or TOML files; the key figures of the
            report are those on the first.
        host: Whether to time single samples on this machine, too.

    Raises:
        EngineError: Events that do not fit the network, or a failed run.
        MissingPackage: An engine lacks a package.
    """
    labels = getattr(inputs, "labels", None)
    batches = iter_batches(network, inputs)
    events = _read_first(network, batches)
    verification = _verify_engines(network, events, select_engines(engines))
    trace = run(network, events, engine, "all")
    totals = Totals(network, labels)
    totals.add(trace, events)
    for batch, _ in batches:
        totals.add(run(network, batch, engine, "output"), batch)
    resolved = [each if isinstance(each, Target) else read_target(each) for each in targets]
    profiles = [profile(network, trace, target) for target in resolved]
    measurements = Measurements(
        tuple(curves),
        to_energies(profiles),
        to_placements(profiles),
        time_engine(network, events, engine) if host else None,
        _exit_stats(network, inputs, totals.classes, engine),
        verification,
        totals,
    )
    name = getattr(inputs, "name", "")
    return assemble_report(
        network,
        trace,
        title or name or "Network report",
        labels=labels,
        inputs=name,
        measurements=measurements,
    )


def _verify_engines(
    network: Network, events: dict[str, NDArray[np.uint8]], names: Sequence[str]
) -> VerificationReport | None:
    if len(names) < 2:
        return None
    first = {name: array[:, :VERIFY_SAMPLES] for name, array in events.items()}
    return verify(network, first, names)


def _exit_stats(
    network: Network, inputs: Any, labels: NDArray[np.int64] | None, engine: str
) -> EarlyExitStats | None:
    """Compute exit statistics from full runs, where the network has an early exit."""
    if network.early_exit is None or labels is None:
        return None
    full = replace(network, early_exit=None)
    logits = [
        run(full, events, engine, "output").logits for events, _ in iter_batches(network, inputs)
    ]
    return evaluate_exits(np.concatenate(logits, axis=1), labels, network.early_exit)


def recordable_samples(network: Network, timesteps: int) -> int:
    """Number of samples whose recorded spikes take `RECORDED_BYTES` of memory, 1 or more."""
    neurons = sum(population.neurons for population in network.populations)
    return max(1, RECORDED_BYTES // (timesteps * neurons))


def _read_first(
    network: Network, batches: Iterator[tuple[dict[str, NDArray[Any]], int]]
) -> dict[str, NDArray[Any]]:
    """Events of the samples whose spikes are recorded: all of them, or the first batches."""
    read: list[dict[str, NDArray[Any]]] = []
    for events, first in batches:
        read.append(events)
        steps, samples = next(iter(events.values())).shape[:2]
        if first + 2 * samples > recordable_samples(network, steps):
            break
    return join_batches(read)
