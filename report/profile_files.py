"""Write the profile of a network on several targets as CSV or as an HTML page."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..deploy.profile import Profile
from ..runtime.files import atomic_write
from ..runtime.host_timing import HostTiming
from ..runtime.network import Network
from ..runtime.trace import Trace
from .build import Measurements, assemble_report
from .csv import as_text
from .profiles import to_energies, to_placements
from .render import render

COLUMNS = (
    "target",
    "model",
    "certainty",
    "section",
    "population",
    "item",
    "count_min",
    "count_max",
    "price_min",
    "price_max",
    "unit",
    "min",
    "max",
)


def write_profile_csv(path: Path, profiles: Sequence[Profile]) -> None:
    """Write every energy and time of `profiles` as a row of CSV.

    Raises:
        FileError: The file cannot be written.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for profile in profiles:
        writer.writerows([as_text(value) for value in row] for row in _csv_rows(profile))
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def write_profile_page(
    path: Path,
    network: Network,
    trace: Trace,
    profiles: Sequence[Profile],
    *,
    title: str,
    labels: NDArray[np.int64] | None = None,
    inputs: str = "",
    host: HostTiming | None = None,
) -> None:
    """Write the report of `profiles` as one HTML page.

    Raises:
        FileError: The file cannot be written.
    """
    measurements = Measurements(
        energies=to_energies(profiles), placements=to_placements(profiles), host=host
    )
    report = assemble_report(
        network, trace, title, labels=labels, inputs=inputs, measurements=measurements
    )
    with atomic_write(path) as temporary:
        temporary.write_text(render(report), encoding="utf-8")


def _csv_rows(profile: Profile) -> Iterator[tuple[object, ...]]:
    cost, name = profile.cost, profile.target.name
    if profile.placement_error:
        yield name, "", "", "placement_error", "", profile.placement_error, *[""] * 7
        return
    if profile.program:
        for item, count in (
            ("cores", len(profile.program.cores)),
            ("cores, lower bound", profile.lower_bound),
            ("chips", profile.program.chips),
        ):
            yield name, "", "", "placement", "", item, count, count, "", "", "", "", ""
    for energy in cost.energies:
        about = name, energy.model, energy.certainty, "energy"
        for each in energy.items:
            yield *about, each.population, each.kind, *each.count, *each.price, "J", *each.joules
        yield *about, "", "total", "", "", "", "", "J", *energy.total
        yield *about, "", "ANN baseline", "", "", "", "", "J", *(energy.ann_energy,) * 2
    for latency in cost.latencies:
        about = name, latency.model, latency.certainty, "time"
        for item in ("mean_step", "max_step", "inference"):
            yield *about, "", item, "", "", "", "", "s", *getattr(latency, item)
        yield *about, "", "throughput", "", "", "", "", "1/s", *latency.throughput
