"""Assemble the report model of a network from its trace and further measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.arithmetic import ALIGN_BITS
from ..runtime.connections import connection_kind
from ..runtime.evaluate import check_targets
from ..runtime.files import network_digest
from ..runtime.host_timing import HostTiming
from ..runtime.network import Network
from ..runtime.neurobench import neurobench_metrics
from ..runtime.op_counts import (
    OpCounts,
    count_ops,
    count_ops_by_step,
    fan_out,
)
from ..runtime.trace import Trace, logits_over_time
from ..runtime.verify import VerificationReport
from .model import (
    AccuracyCurve,
    EarlyExitStats,
    Energy,
    PopulationActivity,
    ProjectionActivity,
    Report,
    Sample,
    SpikeRaster,
)
from .placement import Placement
from .totals import Totals, true_classes

MAX_RASTER_ROWS = 48  # neurons of one population in a raster


@dataclass(frozen=True)
class Measurements:
    """Measurements and estimates of a network besides its trace.

    Attributes:
        curves: Accuracy curves, such as that of the float network.
        energies: Energy estimates.
        placements: Placements on targets.
        host: Timing on this machine.
        early_exit: Exit statistics.
        verification: Outcome of the comparison of engines.
        totals: Accuracy and so on of all samples, where the trace holds the first ones alone.
    """

    curves: tuple[AccuracyCurve, ...] = ()
    energies: tuple[Energy, ...] = ()
    placements: tuple[Placement, ...] = ()
    host: HostTiming | None = None
    early_exit: EarlyExitStats | None = None
    verification: VerificationReport | None = None
    totals: Totals | None = None


NO_MEASUREMENTS = Measurements()


def assemble_report(
    network: Network,
    trace: Trace,
    title: str,
    *,
    labels: NDArray[Any] | None = None,
    classes: Sequence[str] = (),
    inputs: str = "",
    sample_index: int = 0,
    measurements: Measurements = NO_MEASUREMENTS,
) -> Report:
    """Assemble the report model.

    Args:
        network: Network that ran.
        trace: Its trace, recorded with `record="all"`.
        title: Headline.
        labels: True classes, integers (samples,), which add the curve "integer" if there is none,
            or targets of a regression.
        classes: Names of the classes; numbers by default.
        inputs: Name of the data set.
        sample_index: Sample whose spikes are drawn.
        measurements: Curves, energies, placements and so on.

    Raises `EngineError` without recorded spikes, `DataError` where a curve has other timesteps.
    """
    totals = measurements.totals
    if totals is None:
        totals = Totals(network, labels)
        totals.add(trace, trace.spikes)
    totals.check()
    counts, by_step = count_ops(network, trace), count_ops_by_step(network, trace)
    sample = describe_sample(network, trace, sample_index, totals.labels, classes)
    return Report(
        title=title,
        network=network_digest(network),
        timesteps=trace.timesteps,
        samples=totals.samples,
        synapses=counts.synapses,
        populations=_population_activity(network, counts),
        projections=_projection_activity(network, counts),
        cumulative_operations=tuple(float(c.total_synaptic_operations.mean()) for c in by_step),
        curves=_curves(measurements.curves, totals),
        energies=measurements.energies,
        cumulative_events=tuple(float(c.total_events.mean()) for c in by_step),
        placements=measurements.placements,
        host=measurements.host,
        early_exit=measurements.early_exit,
        sample=sample,
        verification=measurements.verification,
        neurobench=neurobench_metrics(network, trace) | totals.metrics,
        provenance=flatten_dict(network.provenance),
        inputs=inputs,
        inputs_digest=totals.digest,
        classes=sample.classes,
        confusion=totals.confusion,
        errors=totals.errors,
        cost_samples=trace.batch if trace.batch < totals.samples else 0,
    )


def _curves(curves: Sequence[AccuracyCurve], totals: Totals) -> tuple[AccuracyCurve, ...]:
    """Curves, and "integer" of the network itself if there is none and classes are known."""
    if totals.accuracy is None or any(curve.name == "integer" for curve in curves):
        return tuple(curves)
    return (*curves, AccuracyCurve("integer", totals.accuracy))


def describe_sample(
    network: Network,
    trace: Trace,
    index: int,
    labels: NDArray[Any] | None = None,
    classes: Sequence[str] = (),
) -> Sample:
    """Extract one sample of `trace`: spikes of at most 48 neurons a population, and the outputs.

    The outputs are logits, or the estimates of a regression, whose `labels` are its targets.
    """
    rasters = tuple(
        _spike_raster(population.name, trace.spikes[population.name][:, index])
        for population in (*network.inputs, *network.topological_order)
        if population.kind != "integrator"
    )
    if network.readout.task == "regression":
        return _describe_estimates(network, trace, index, labels, rasters)
    logits = logits_over_time(network, trace)[:, index].astype(np.float64)
    if network.population(network.output).kind == "integrator":
        logits /= 1 << ALIGN_BITS
    names = tuple(classes) if len(classes) == logits.shape[1] else ()
    names = names or tuple(str(k) for k in range(logits.shape[1]))
    true = true_classes(labels)
    label = -1 if true is None else int(true[index])
    return Sample(
        label=names[label] if 0 <= label < len(names) else str(label) if label >= 0 else "",
        prediction=names[int(logits[-1].argmax())],
        classes=names,
        rasters=rasters,
        logits=tuple(tuple(values) for values in logits.T.tolist()),
    )


def _describe_estimates(
    network: Network,
    trace: Trace,
    index: int,
    targets: NDArray[Any] | None,
    rasters: tuple[SpikeRaster, ...],
) -> Sample:
    """One sample of a regression: its targets, and its estimates after each timestep."""
    estimates = replace(trace, network=network).estimates
    label = ""
    if targets is not None:
        values = check_targets(targets[: trace.batch], estimates.shape[1:])[index]
        label = ", ".join(f"{value:.3g}" for value in values)
    return Sample(
        label=label,
        prediction=", ".join(f"{value:.3g}" for value in estimates[-1, index]),
        classes=tuple(f"output {k}" for k in range(1, estimates.shape[2] + 1)),
        rasters=rasters,
        logits=tuple(tuple(values) for values in estimates[:, index].T.tolist()),
        task="regression",
    )


def flatten_dict(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten nested mappings to text with dotted keys; values of None are left out.

    >>> flatten_dict({"data": {"seed": 0}})
    {'data.seed': '0'}
    """
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten_dict(value, f"{prefix}{key}."))
        elif value is not None:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _population_activity(network: Network, counts: OpCounts) -> tuple[PopulationActivity, ...]:
    return tuple(
        PopulationActivity(
            p.name,
            p.kind,
            p.shape,
            p.neurons,
            float(counts.events[p.name].mean()) if p.name in counts.events else 0.0,
            counts.neuron_updates.get(p.name, 0),
        )
        for p in (*network.inputs, *network.topological_order)
    )


def _projection_activity(network: Network, counts: OpCounts) -> tuple[ProjectionActivity, ...]:
    return tuple(
        ProjectionActivity(
            p.name,
            p.source,
            p.target,
            connection_kind(p.connection),
            int(fan_out(p.connection, network.population(p.source).shape).sum(dtype=np.int64)),
            float(counts.synaptic_operations[p.name].mean()),
        )
        for population in network.topological_order
        for p in network.incoming(population.name)
    )


def _spike_raster(name: str, spikes: NDArray[np.uint8]) -> SpikeRaster:
    """Sample evenly spaced neurons from spikes, uint8 (timesteps, *shape)."""
    flat = spikes.reshape(len(spikes), -1)
    num_rows = min(flat.shape[1], MAX_RASTER_ROWS)
    neurons = np.arange(num_rows) * flat.shape[1] // num_rows
    steps, rows = flat[:, neurons].nonzero()
    return SpikeRaster(name, flat.shape[1], num_rows, tuple(steps.tolist()), tuple(rows.tolist()))
