"""Conversion of trained models, files and third-party modules to the integer `Network`."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypedDict, Unpack

from torch import nn

from ..convert.importers.open import ImportOptions, import_model
from ..convert.pipeline import MAX_CALIBRATION_SAMPLES, QuantizationReport, quantize_model
from ..convert.quantize.float_network import FloatNetwork
from ..runtime.encoders.encoder import ENCODERS, encoder_from_dict
from ..runtime.errors import NetworkError
from ..runtime.network import Network
from ..runtime.readout import Readout
from .data import Dataset, FrameSet
from .data.inputs import to_inputs
from .engine.checkpoint import TrainedModel
from .model_loader import load_model
from .models.modules import has_layers, trace_network
from .models.slayer import SlayerNet
from .nn.external import PROVENANCE, ExternalModel
from .nn.network import SpikingNetwork, to_float_network


class ImportSettings(TypedDict, total=False):
    """Properties that a third-party model may not specify itself; see `convert`."""

    input_shape: tuple[int, ...] | None
    value_bits: int
    dt: float | None
    reset: Literal["zero", "subtract", "delayed_subtract"] | None
    timing: Literal["slayer", "synchronous", "pipelined"]
    skip_layers: int
    signed: bool
    input_scale: float


def convert(
    model: Any,
    weight_bits: int | None = None,
    per_channel: bool = False,
    calibrate: Any = None,
    mixed_precision: float | None = None,
    calibration_samples: int = MAX_CALIBRATION_SAMPLES,
    **import_settings: Unpack[ImportSettings],
) -> Network:
    """Convert a model to the integer `Network` that every engine and target runs.

    Args:
        model: A trained network or `TrainedModel`; a torch module of `pumice.nn`, SpikingJelly,
            snnTorch or SLAYER layers; the path of a training run or of a `.pumice`, `.nir` or
            `.net` file; or "FILE.py:NAME" or "PACKAGE.MODULE:NAME" of a module in Python code.
        weight_bits: Bits of all weights, 4 to 8; None keeps those the network was trained for.
        per_channel: Quantize each channel with its own scale.
        calibrate: Samples to search clipping ranges on: a dataset (its training part), a part of
            one, or an array of events (timesteps, samples, *input shape).
        mixed_precision: Fraction of calibration samples whose prediction may change; reduces the
            weight bits of each layer within that budget.
        calibration_samples: Number of samples to calibrate on, the first ones.
        **import_settings: What a third-party model may not specify: `input_shape`, `value_bits`
            (default 1), `dt` (seconds of a timestep) and `reset` ("zero", "subtract" or
            "delayed_subtract", what spikes do where the file omits it or has 0) for NIR; for `.net`
            files `timing` ("slayer" by default, "synchronous" as netx with resets, "pipelined" as
            netx without) `skip_layers`, the number of layers to leave out at the beginning, and
            `signed`, whether input values may be negative; for models of float weights
            `input_scale`, what one unit of an input value is to them: 1/255 for pixels from 0 to 1.

    Returns:
        The integer network, with the provenance of the model.

    Raises:
        NetworkError: A layer is not supported, a weight is not finite, the integers do not fit the
            registers, or a model in integers already is to be quantized again.
        FileError: A file is missing or damaged.
        DataError: `mixed_precision` without samples.
        EngineError: The samples do not fit the model's input.
    """
    return convert_with_report(
        model,
        weight_bits,
        per_channel,
        calibrate,
        mixed_precision,
        calibration_samples,
        **import_settings,
    )[0]


def convert_with_report(
    model: Any,
    weight_bits: int | None = None,
    per_channel: bool = False,
    calibrate: Any = None,
    mixed_precision: float | None = None,
    calibration_samples: int = MAX_CALIBRATION_SAMPLES,
    **import_settings: Unpack[ImportSettings],
) -> tuple[Network, QuantizationReport]:
    """Convert a model as `convert` does; also return the quantization errors."""
    imported = to_importable(model, **import_settings)
    samples = calibrate.train if isinstance(calibrate, Dataset) else calibrate
    if isinstance(samples, FrameSet):
        samples = to_inputs(imported, samples[:calibration_samples], "calibrate")
    network, report = quantize_model(
        imported,
        weight_bits=weight_bits,
        per_channel=per_channel,
        calibration=samples,
        mixed_precision=mixed_precision,
        max_samples=calibration_samples,
    )
    return attach_encoders(network), report


def attach_encoders(network: Network) -> Network:
    """Move the encoders of the training data from the provenance into the network.

    A network keeps its provenance where it has encoders already, or where one of the data's is no
    integer encoder that a device applies.
    """
    data = network.provenance.get("data")
    described = data.get("encoder") if isinstance(data, Mapping) else None
    if network.encoders or not isinstance(described, list):
        return network
    kinds = [each.get("kind") for each in described]
    if not all(kind in ENCODERS for kind in kinds):
        return network
    provenance = {**network.provenance, "data": {**dict(data or {}), "encoder": kinds}}
    encoders = tuple(map(encoder_from_dict, described))
    return replace(network, encoders=encoders, provenance=provenance)


def to_importable(model: Any, **import_settings: Unpack[ImportSettings]) -> FloatNetwork | Network:
    """Load a model of any kind as a float network, or as integers where it holds integers.

    Arguments and errors are those of `convert`.
    """
    known = list(ImportSettings.__annotations__)
    for name in import_settings:
        if name not in known:
            raise NetworkError(f"convert: unknown option {name!r}; known are {', '.join(known)}")
    if isinstance(model, str | os.PathLike):
        model = load_model(model)
    if import_settings.get("input_scale", 1) != 1 and isinstance(
        model, TrainedModel | SpikingNetwork
    ):
        raise NetworkError("input_scale: the model was trained on the integers that it will read")
    if isinstance(model, TrainedModel):
        return replace(export_network(model.network), provenance=model.provenance)
    if isinstance(model, SpikingNetwork):
        return export_network(model)
    provenance = getattr(model, PROVENANCE, None)
    if isinstance(model, nn.Module) and has_layers(model):
        return _export_traced(model, provenance, import_settings)
    if provenance is None:
        return import_model(model, ImportOptions(**import_settings))
    settings = {
        "input_shape": tuple(provenance["data"]["shape"]),
        "value_bits": provenance["data"]["value_bits"],
        **import_settings,
    }
    return _with_provenance(import_model(model, ImportOptions(**settings)), provenance)


def _export_traced(
    model: nn.Module, provenance: Mapping[str, Any] | None, settings: ImportSettings
) -> FloatNetwork | Network:
    """Export a module that calls layers of `pumice.nn`; raises `NetworkError`."""
    shape = settings.get("input_shape")
    bits = settings.get("value_bits")
    if provenance is not None:
        data = provenance["data"]
        shape, bits = shape or tuple(data["shape"]), bits or data["value_bits"]
    if shape is None:
        raise NetworkError(f"{type(model).__name__}: was not trained here; give input_shape")
    network = trace_network(model, shape)
    network.value_bits = bits or 1
    return _with_provenance(to_float_network(network), provenance)


def export_network(network: SpikingNetwork) -> FloatNetwork | Network:
    """Export a trained network with its provenance: in floats, or in integers (SLAYER)."""
    if isinstance(network, ExternalModel):
        options = ImportOptions(tuple(network.input_shape), network.value_bits)
        return _with_provenance(import_model(network.module, options), network.provenance)
    if isinstance(network, SlayerNet):
        return replace(network.to_network(), provenance=network.provenance or {})
    return to_float_network(network)


def _with_provenance(
    imported: FloatNetwork | Network, provenance: Mapping[str, Any] | None
) -> FloatNetwork | Network:
    merged = {**imported.provenance, **(provenance or {})}
    if isinstance(imported, FloatNetwork) and "readout" in merged:
        return replace(imported, provenance=merged, readout=Readout(**merged["readout"]))
    return replace(imported, provenance=merged)
