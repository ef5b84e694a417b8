"""Build the report of a network: verify, run, place, estimate and time it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..deploy.profile import profile
from ..deploy.targets.target import Target, read_target
from ..runtime.engines.registry import select_engines
from ..runtime.engines.run import run
from ..runtime.events import as_events
from ..runtime.exit_calibration import EarlyExitStats, evaluate_exits
from ..runtime.host_timing import time_engine
from ..runtime.network import Network
from ..runtime.verify import VerificationReport, verify
from .build import Measurements, assemble_report, true_classes
from .model import AccuracyCurve, Report
from .profiles import to_energies, to_placements

DEFAULT_TARGETS = ("loihi1", "loihi2", "cmos45")
VERIFY_SAMPLES = 4


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
        inputs: Events, as `run` takes them; the true classes are taken from its `labels`, if it
            has any, and the name of the data set from its `name`.
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
    events = as_events(network, inputs)
    labels = getattr(inputs, "labels", None)
    classes = true_classes(labels)
    verification = _verify_engines(network, events, select_engines(engines))
    trace = run(network, events, engine, "all")
    resolved = [each if isinstance(each, Target) else read_target(each) for each in targets]
    profiles = [profile(network, trace, target) for target in resolved]
    measurements = Measurements(
        tuple(curves),
        to_energies(profiles),
        to_placements(profiles),
        time_engine(network, events, engine) if host else None,
        None if classes is None else _exit_stats(network, events, classes, engine),
        verification,
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
    network: Network,
    events: dict[str, NDArray[np.uint8]],
    labels: NDArray[np.int64],
    engine: str,
) -> EarlyExitStats | None:
    """Compute exit statistics from full runs, where the network has an early exit."""
    if network.early_exit is None:
        return None
    trace = run(replace(network, early_exit=None), events, engine, "output")
    return evaluate_exits(trace.logits, labels, network.early_exit)
