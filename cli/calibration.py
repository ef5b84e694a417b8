"""What `pumice convert` searches on: training samples, or events from a file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..convert.calibrate import calibrated
from ..convert.graph import Graph
from ..convert.precision import suggested
from ..convert.quantise import quantised
from ..runtime.errors import DataError
from .inputs import Inputs, framed, from_file, named_data


def calibrated_on(
    graph: Graph,
    mixed: float | None,
    data: str | None,
    folder: Path | None,
    events: Path | None,
    samples: int,
) -> tuple[Graph, dict[str, Any]]:
    """Return `graph` calibrated on data, and what was found, as plain values.

    With `mixed`, bits are taken away within that budget. Raises `DataError` where there is no data
    or it does not fit.
    """
    given = _inputs(graph, data, folder, events).part(None, samples)
    frames = given.events[graph.input_name]
    told: dict[str, Any] = {"samples": given.samples, "data": given.name}
    if mixed is not None:
        found = suggested(graph, frames, mixed)
        told["mixed"] = {
            "bits": dict(found.bits),
            "harm": found.harm,
            "memory": found.memory,
            "full": found.full,
            "sensitivities": [asdict(each) for each in found.sensitivities],
        }
        _, layers = calibrated(found.graph, frames, search=False)
        graph = found.graph
    else:
        graph, layers = calibrated(graph, frames)
    told["calibrated"] = [asdict(layer) for layer in layers]
    return graph, told


def _inputs(graph: Graph, data: str | None, folder: Path | None, events: Path | None) -> Inputs:
    if data and events:
        raise DataError("--data and --events: needs one of them")
    network, _ = quantised(graph)
    if events:
        return from_file(network, events)
    loaded = named_data(network, data, folder)
    return framed(network, loaded.train, loaded.name)
