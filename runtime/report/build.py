"""From a network and what was measured on it to a `Report`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import ALIGN_BITS
from ..conform import Certificate
from ..counts import Counts, counted, counted_by_step, fan_out
from ..files import CONNECTIONS, network_digest
from ..network import Network
from ..neurobench import neurobench
from ..trace import Trace, accuracies, answers
from .placement import Host, Placement
from .report import Activity, Curve, Energy, Exits, Report, Sample, Strip, Traffic

MOST_ROWS = 48  # neurons of a population that a raster shows


def reported(
    network: Network,
    trace: Trace,
    *,
    title: str,
    labels: NDArray[np.int64] | None = None,
    classes: Sequence[str] = (),
    curves: Iterable[Curve] = (),
    energies: Iterable[Energy] = (),
    placements: Iterable[Placement] = (),
    host: Host | None = None,
    exits: Exits | None = None,
    certificate: Certificate | None = None,
    shown: int = 0,
) -> Report:
    """Return the report of `network` in `trace`, recorded with `record="all"`.

    With `labels`, int64 (samples,), the accuracy of `trace` becomes the last of the `curves`,
    called "integers", unless one of that name is given. `shown` is the sample whose spikes are
    drawn. Raises `EngineError` where spikes were not recorded, and `DataError` where a curve has
    another number of timesteps.
    """
    counts, by_step = counted(network, trace), counted_by_step(network, trace)
    curves = list(curves)
    figures = neurobench(network, trace)
    if labels is not None:
        shares = accuracies(network, trace, labels).tolist()
        if all(curve.name != "integers" for curve in curves):
            curves.append(Curve("integers", tuple(shares)))
        figures["ClassificationAccuracy"] = shares[-1]
    return Report(
        title=title,
        network=network_digest(network),
        timesteps=trace.timesteps,
        samples=trace.batch,
        connections=counts.connections,
        populations=_activities(network, counts),
        projections=_traffic(network, counts),
        operations=tuple(float(c.total_operations.mean()) for c in by_step),
        curves=tuple(curves),
        energies=tuple(energies),
        sent=tuple(float(c.total_events.mean()) for c in by_step),
        placements=tuple(placements),
        host=host,
        exits=exits,
        sample=sample_of(network, trace, shown, labels, classes),
        certificate=certificate,
        neurobench=figures,
        provenance=flattened(network.provenance),
    )


def sample_of(
    network: Network,
    trace: Trace,
    number: int,
    labels: NDArray[np.int64] | None = None,
    classes: Sequence[str] = (),
) -> Sample:
    """Return what sample `number` of `trace` did, drawn from at most 48 neurons a population."""
    outputs = answers(network, trace)[:, number].astype(np.float64)
    if network.output in trace.voltages:
        outputs /= 1 << ALIGN_BITS
    names = tuple(classes) if len(classes) == outputs.shape[1] else ()
    names = names or tuple(str(k) for k in range(outputs.shape[1]))
    label = -1 if labels is None else int(labels[number])
    return Sample(
        label=names[label] if 0 <= label < len(names) else str(label) if label >= 0 else "",
        answer=names[int(outputs[-1].argmax())],
        classes=names,
        strips=tuple(
            _strip(population.name, trace.spikes[population.name][:, number])
            for population in (*network.inputs, *network.order)
            if population.kind != "integrator"
        ),
        outputs=tuple(tuple(values) for values in outputs.T.tolist()),
    )


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested `values` as text, one key a line: {"data": {"seed": 0}} as "data.seed": "0".

    What is not set (None) is left out.
    """
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{key}."))
        elif value is not None:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _activities(network: Network, counts: Counts) -> tuple[Activity, ...]:
    return tuple(
        Activity(
            p.name,
            p.kind,
            p.shape,
            p.neurons,
            float(counts.events[p.name].mean()) if p.name in counts.events else 0.0,
            counts.updates.get(p.name, 0),
        )
        for p in (*network.inputs, *network.order)
    )


def _traffic(network: Network, counts: Counts) -> tuple[Traffic, ...]:
    kinds = {connection: kind for kind, connection in CONNECTIONS.items()}
    return tuple(
        Traffic(
            p.name,
            p.source,
            p.target,
            kinds[type(p.connection)],
            int(fan_out(p.connection, network.population(p.source).shape).sum(dtype=np.int64)),
            float(counts.operations[p.name].mean()),
        )
        for population in network.order
        for p in network.into(population.name)
    )


def _strip(name: str, spikes: NDArray[np.uint8]) -> Strip:
    flat = spikes.reshape(len(spikes), -1)
    shown = min(flat.shape[1], MOST_ROWS)
    spaced = np.arange(shown) * flat.shape[1] // shown
    steps, rows = flat[:, spaced].nonzero()
    return Strip(name, flat.shape[1], shown, tuple(steps.tolist()), tuple(rows.tolist()))
