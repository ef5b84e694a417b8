"""From a network and what was measured on it to a `Report`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.arithmetic import ALIGN_BITS
from ..runtime.connections import connection_kind
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
from ..runtime.trace import Trace, accuracy_over_time, logits_over_time
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

MAX_RASTER_ROWS = 48  # neurons of a population that a raster shows


def assemble_report(
    network: Network,
    trace: Trace,
    *,
    title: str,
    labels: NDArray[np.int64] | None = None,
    classes: Sequence[str] = (),
    curves: Iterable[AccuracyCurve] = (),
    energies: Iterable[Energy] = (),
    placements: Iterable[Placement] = (),
    host: HostTiming | None = None,
    early_exit: EarlyExitStats | None = None,
    verification: VerificationReport | None = None,
    sample_index: int = 0,
) -> Report:
    """Return the report of `network` in `trace`, recorded with `record="all"`.

    With `labels`, int64 (samples,), the accuracy of `trace` becomes the last of the `curves`,
    called "integers", unless one of that name is given. `shown` is the sample whose spikes are
    drawn. Raises `EngineError` where spikes were not recorded, and `DataError` where a curve has
    another number of timesteps.
    """
    counts, by_step = count_ops(network, trace), count_ops_by_step(network, trace)
    curves = list(curves)
    figures = neurobench_metrics(network, trace)
    if labels is not None:
        shares = accuracy_over_time(network, trace, labels).tolist()
        if all(curve.name != "integers" for curve in curves):
            curves.append(AccuracyCurve("integers", tuple(shares)))
        figures["ClassificationAccuracy"] = shares[-1]
    return Report(
        title=title,
        network=network_digest(network),
        timesteps=trace.timesteps,
        samples=trace.batch,
        synapses=counts.synapses,
        populations=_population_activity(network, counts),
        projections=_projection_activity(network, counts),
        cumulative_operations=tuple(float(c.total_synaptic_operations.mean()) for c in by_step),
        curves=tuple(curves),
        energies=tuple(energies),
        cumulative_events=tuple(float(c.total_events.mean()) for c in by_step),
        placements=tuple(placements),
        host=host,
        early_exit=early_exit,
        sample=describe_sample(network, trace, sample_index, labels, classes),
        verification=verification,
        neurobench=figures,
        provenance=flatten_dict(network.provenance),
    )


def describe_sample(
    network: Network,
    trace: Trace,
    number: int,
    labels: NDArray[np.int64] | None = None,
    classes: Sequence[str] = (),
) -> Sample:
    """Return what sample `number` of `trace` did, drawn from at most 48 neurons a population."""
    outputs = logits_over_time(network, trace)[:, number].astype(np.float64)
    if network.population(network.output).kind == "integrator":
        outputs /= 1 << ALIGN_BITS
    names = tuple(classes) if len(classes) == outputs.shape[1] else ()
    names = names or tuple(str(k) for k in range(outputs.shape[1]))
    label = -1 if labels is None else int(labels[number])
    return Sample(
        label=names[label] if 0 <= label < len(names) else str(label) if label >= 0 else "",
        prediction=names[int(outputs[-1].argmax())],
        classes=names,
        rasters=tuple(
            _spike_raster(population.name, trace.spikes[population.name][:, number])
            for population in (*network.inputs, *network.topological_order)
            if population.kind != "integrator"
        ),
        logits=tuple(tuple(values) for values in outputs.T.tolist()),
    )


def flatten_dict(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested `values` as text, one key a line: {"data": {"seed": 0}} as "data.seed": "0".

    What is not set (None) is left out.
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
    flat = spikes.reshape(len(spikes), -1)
    shown = min(flat.shape[1], MAX_RASTER_ROWS)
    spaced = np.arange(shown) * flat.shape[1] // shown
    steps, rows = flat[:, spaced].nonzero()
    return SpikeRaster(name, flat.shape[1], shown, tuple(steps.tolist()), tuple(rows.tolist()))
