"""The one conversion pipeline: from a float network to the integer `Network` that engines run.

Weight bits, per-channel scales, calibration or mixed precision, quantization and sparsification, in
this order. The command line and the Python API both call `quantize_model`, so that they cannot
differ.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import DataError, NetworkError
from ..runtime.events import as_events
from ..runtime.network import Network
from .passes.sparsify import sparsify
from .quantize.calibration import LayerCalibration, calibrate
from .quantize.float_network import (
    FloatNetwork,
    sends_messages,
    set_weight_bits,
    use_per_channel_scales,
)
from .quantize.mixed_precision import BitAllocation, search_bit_widths
from .quantize.quantization_errors import ProjectionQuantization, list_lost_parameters
from .quantize.quantize import quantize_network

MAX_CALIBRATION_SAMPLES = 128


@dataclass(frozen=True)
class QuantizationReport:
    """Quantization errors of a conversion, empty where the model was in integers already.

    Attributes:
        projections: Rounding errors of each projection.
        calibration: Result of the calibration for each population, if there was one.
        mixed_precision: The bit widths that the search chose, if there was one.
        samples: Number of samples used for calibration.
        lost: Parameters of neurons that rounding turned into none, in words.
    """

    projections: tuple[ProjectionQuantization, ...] = ()
    calibration: tuple[LayerCalibration, ...] = ()
    mixed_precision: BitAllocation | None = None
    samples: int = 0
    lost: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of what the integers represent badly, by projection and by population."""
        by_projection = (warning for each in self.projections for warning in each.warnings)
        return (*by_projection, *self.lost)

    @property
    def is_meaningless(self) -> bool:
        """True where a projection is so far off that the network cannot stand for the model."""
        return any(each.is_meaningless for each in self.projections)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values; what was not asked for is left out."""
        document: dict[str, Any] = {
            "projections": [asdict(each) for each in self.projections],
            "warnings": list(self.warnings),
        }
        if self.samples:
            document["samples"] = self.samples
            document["calibration"] = [asdict(each) for each in self.calibration]
        if self.mixed_precision is not None:
            document["mixed_precision"] = self.mixed_precision.to_dict()
        return document


def quantize_model(
    network: FloatNetwork | Network,
    *,
    weight_bits: int | Mapping[str, int] | None = None,
    per_channel: bool = False,
    calibration: Any = None,
    mixed_precision: float | None = None,
    labels: NDArray[np.int64] | None = None,
    max_samples: int | None = MAX_CALIBRATION_SAMPLES,
) -> tuple[Network, QuantizationReport]:
    """Quantize a float network to the integer `Network` that every engine runs.

    Args:
        network: The network to quantize. A `Network` is in integers and is returned unchanged.
        weight_bits: Bits of all weights, 4 to 8, or of those into each population, by its name.
        per_channel: Scale each channel of a spiking population by its own factor.
        calibration: Events to search clipping ranges and bias corrections on: an array (timesteps,
            samples, *input shape), a mapping from the input population to one, or an object with
            such `events`.
        mixed_precision: Accuracy drop allowed, a fraction of the samples: weights get as few bits
            per population as keep within it. Needs `calibration`.
        labels: Classes of the samples, int64 (samples,). With them the accuracy drop is that of
            the labels; without, the fraction of predictions that change.
        max_samples: Number of samples to calibrate on, the first ones; None for all.

    Returns:
        The network, its sparse layers stored as lists of synapses, and the quantization errors.

    Raises:
        NetworkError: A parameter is not finite, does not fit the registers, or an option is given
            for a network in integers.
        DataError: `mixed_precision` is given without `calibration`, or an option is out of range.
        EngineError: The events do not fit the input population.
    """
    searching = calibration is not None or mixed_precision is not None
    if isinstance(network, Network):
        if weight_bits or per_channel or searching:
            raise NetworkError(
                "the network is in integers already; leave out weight bits, per-channel scales, "
                "calibration and mixed precision"
            )
        return network, QuantizationReport()
    if sends_messages(network) and (per_channel or searching):
        raise NetworkError(
            f"{network.output}: reads sigma-delta messages, whose layers share their scales; leave "
            "out per-channel scales, calibration and mixed precision"
        )
    if weight_bits is not None:
        network = set_weight_bits(network, weight_bits)
    if per_channel:
        network = use_per_channel_scales(network)
    report = QuantizationReport()
    if searching:
        events = _calibration_events(network, calibration, max_samples)
        network, report = _calibrate(network, events, mixed_precision, labels)
    quantized, projections = quantize_network(network)
    found = list_lost_parameters(network, quantized)
    lost = tuple(f"{name}: {text}" for name, texts in found.items() for text in texts)
    return sparsify(quantized), replace(report, projections=projections, lost=lost)


def _calibrate(
    network: FloatNetwork,
    events: NDArray[np.uint8],
    mixed_precision: float | None,
    labels: NDArray[np.int64] | None,
) -> tuple[FloatNetwork, QuantizationReport]:
    samples = events.shape[1]
    if mixed_precision is None:
        network, layers = calibrate(network, events)
        return network, QuantizationReport(calibration=layers, samples=samples)
    if not 0 <= mixed_precision <= 1:
        raise DataError(f"mixed_precision is {mixed_precision}, needs a fraction from 0 to 1")
    if labels is not None:
        labels = np.asarray(labels)[:samples]
        if labels.shape != (samples,):
            raise DataError(f"{labels.shape} labels for {samples} samples, needs one each")
    allocation = search_bit_widths(network, events, mixed_precision, labels)
    network, layers = calibrate(allocation.network, events, search=False)
    return network, QuantizationReport((), layers, allocation, samples)


def _calibration_events(
    network: FloatNetwork, calibration: Any, max_samples: int | None
) -> NDArray[np.uint8]:
    if calibration is None:
        raise DataError("mixed_precision: needs events to search on; give calibration")
    if max_samples is not None and max_samples < 1:
        raise DataError(f"max_samples is {max_samples}, needs 1 or more")
    events = getattr(calibration, "events", calibration)
    if isinstance(events, Mapping):
        first = {name: _first_samples(array, max_samples) for name, array in events.items()}
        return as_events(network, first)[network.input_name]
    array = _first_samples(events, max_samples)
    inputs = array if events is calibration else SimpleNamespace(events=array)
    return as_events(network, inputs)[network.input_name]


def _first_samples(events: Any, max_samples: int | None) -> NDArray[Any]:
    array = np.asarray(events)
    return array[:, :max_samples] if array.ndim > 1 else array
