"""What `pumice convert` searches on: training samples, or events from a file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..convert.quantize.calibration import calibrate
from ..convert.quantize.float_network import FloatNetwork
from ..convert.quantize.mixed_precision import search_bit_widths
from ..convert.quantize.quantize import quantize_network
from ..runtime.errors import DataError
from ..train.data.inputs import Inputs, file_inputs, load_named_dataset, to_inputs


def calibrate_on_inputs(
    graph: FloatNetwork,
    mixed: float | None,
    data: str | None,
    folder: Path | None,
    events: Path | None,
    samples: int,
) -> tuple[FloatNetwork, dict[str, Any]]:
    """Return `graph` calibrated on data, and what was found, as plain values.

    With `mixed`, bits are taken away within that budget. Raises `DataError` where there is no data
    or it does not fit.
    """
    given = _inputs(graph, data, folder, events).slice(None, samples)
    frames = given.events[graph.input_name]
    told: dict[str, Any] = {"samples": given.samples, "data": given.name}
    if mixed is not None:
        found = search_bit_widths(graph, frames, mixed)
        told["mixed"] = {
            "bits": dict(found.bits),
            "harm": found.accuracy_drop,
            "memory": found.memory_bits,
            "full": found.full_memory_bits,
            "sensitivities": [asdict(each) for each in found.sensitivities],
        }
        _, layers = calibrate(found.network, frames, search=False)
        graph = found.network
    else:
        graph, layers = calibrate(graph, frames)
    told["calibrated"] = [asdict(layer) for layer in layers]
    return graph, told


def _inputs(
    graph: FloatNetwork, data: str | None, folder: Path | None, events: Path | None
) -> Inputs:
    if data and events:
        raise DataError("--data and --events: needs one of them")
    network, _ = quantize_network(graph)
    if events:
        return file_inputs(network, events)
    loaded = load_named_dataset(network, data, folder)
    return to_inputs(network, loaded.train, loaded.name)
