"""`pumice convert`: quantize a trained or imported model to an integer network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    DataFolder,
    EventsFile,
    InputScale,
    InputShape,
    Json,
    ModelName,
    ResetRule,
    SignedInput,
    SkipLayers,
    TimeStep,
    Timing,
    ValueBits,
)

if TYPE_CHECKING:
    from ..convert import QuantizationReport
    from ..convert.quantize.calibration import LayerCalibration
    from ..convert.quantize.quantization_errors import ProjectionQuantization

Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Output file (default: next to the model)."
    ),
]
WeightBits = Annotated[
    int | None, typer.Option("--weight-bits", min=4, max=8, help="Bits per weight.")
]
PerChannel = Annotated[
    bool, typer.Option("--per-channel", help="Use one weight scale per channel.")
]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Calibrate clipping ranges on training samples.")
]
MixedPrecision = Annotated[
    float | None,
    typer.Option(
        "--mixed-precision",
        metavar="FRACTION",
        min=0,
        max=1,
        help="Reduce bits per layer while at most this fraction of predictions changes.",
    ),
]
CalibrationData = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Calibrate on the training samples of this dataset (default: as in training).",
    ),
]
CalibrationSamples = Annotated[
    int, typer.Option("--samples", min=1, help="Number of calibration samples.")
]


def convert(
    model: ModelName,
    output: Output = None,
    weight_bits: WeightBits = None,
    per_channel: PerChannel = False,
    calibrate: Calibrate = False,
    mixed_precision: MixedPrecision = None,
    data: CalibrationData = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    samples: CalibrationSamples = 128,
    input_shape: InputShape = None,
    value_bits: ValueBits = 1,
    dt: TimeStep = None,
    reset: ResetRule = None,
    timing: Timing = "slayer",
    skip_layers: SkipLayers = 0,
    signed: SignedInput = False,
    input_scale: InputScale = 1.0,
    as_json: Json = False,
) -> None:
    """Quantize a model to an integer network.

    Writes a .pumice file and prints the quantization error of each layer. Exit code 1 if the
    integers are so far off that the network cannot stand for the model.
    """
    from ..runtime import network_digest
    from ..runtime.files import check_output_file
    from ..train.data.inputs import read_inputs
    from ..train.model_loader import check_model, load_model
    from .import_options import parse_import_settings
    from .output import print_json, print_warning

    settings = parse_import_settings(
        input_shape, value_bits, dt, reset, timing, skip_layers, signed, input_scale
    )
    check_model(model)
    path = output or default_output(model)
    check_output_file(path)
    from ..train.export import convert_with_report, to_importable

    imported = to_importable(load_model(model), **settings)
    calibration = None
    if calibrate or mixed_precision is not None:
        calibration = read_inputs(imported, data, folder, events, samples, part="train")
    network, report = convert_with_report(
        imported, weight_bits, per_channel, calibration, mixed_precision, samples
    )
    network.save(path)
    if as_json:
        document = {"network": network_digest(network), "file": str(path)}
        print_json(document | report.to_dict())
    else:
        print_quantization(report)
        typer.echo(path)
    for message in report.warnings:
        print_warning(message)
    if report.is_meaningless:
        print_warning("the network computes something else than the model")
        raise typer.Exit(1)


def print_quantization(report: "QuantizationReport") -> None:
    """Print the quantization error of each projection, and the results of calibration."""
    from .output import format_percent, print_facts, print_table

    if report.projections:
        columns = ("projection", "bits", "weight error", "clipped", "bias error")
        print_table(columns, map(_projection_row, report.projections), right=(1, 2, 3, 4))
    if report.calibration:
        names = ("population", "bits", "weights", "clip", "spikes", "uncalibrated error", "error")
        print_table(names, map(_calibration_row, report.calibration), right=(1, 2, 3, 4, 5, 6))
    mixed = report.mixed_precision
    if mixed is not None:
        fraction = 100 * mixed.memory_bits / mixed.full_memory_bits
        print_facts(
            {
                "bits by population": ", ".join(f"{n} {b}" for n, b in mixed.bits.items()),
                "changed predictions": format_percent(mixed.accuracy_drop),
                "weight memory": f"{mixed.memory_bits / 8:,.0f} bytes, {fraction:.0f} % of 8 bits",
            }
        )


def _projection_row(projection: "ProjectionQuantization") -> tuple[str, ...]:
    return (
        projection.name,
        str(projection.weight_bits),
        f"{100 * projection.weight_error:.2f} %",
        f"{projection.clipped_weights:,}",
        f"{100 * projection.bias_error:.2f} %",
    )


def _calibration_row(layer: "LayerCalibration") -> tuple[str, ...]:
    return (
        layer.name,
        str(layer.weight_bits),
        f"{layer.min_weight:+.3g} to {layer.max_weight:+.3g}",
        f"{layer.clip_fraction:.2f}",
        f"{layer.spikes:,}",
        f"{100 * layer.uncalibrated_error:.2f} %",
        f"{100 * layer.error:.2f} %",
    )


def default_output(model: str) -> Path:
    """Choose the output file for `model`.

    Raises:
        NetworkError: The model is a .pumice file, which would be overwritten.
    """
    from ..runtime.errors import NetworkError

    path = Path(model)
    if path.is_dir():
        return path / "network.pumice"
    if path.suffix == ".safetensors":
        return path.with_name("network.pumice")
    if path.suffix == ".pumice":
        raise NetworkError(f"{model}: is already an integer network; name another with --output")
    if path.suffix in (".net", ".nir"):
        return path.with_suffix(".pumice")
    return Path(f"{model.rpartition(':')[2]}.pumice")
