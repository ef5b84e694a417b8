"""`pumice convert`: from a trained network, or another library's file or layers, to integers."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    DataFolder,
    DataName,
    EventsFile,
    InputShape,
    Json,
    ModelName,
    ResetRule,
    TimeStep,
    ValueBits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..convert.quantize.quantize import ProjectionQuantization


Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to (beside the model)."),
]
WeightBits = Annotated[
    int | None, typer.Option("--weight-bits", min=4, max=8, help="Round weights to so many bits.")
]
PerChannel = Annotated[
    bool, typer.Option("--by-channel", help="Round each channel at a scale of its own.")
]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Search on training samples what rounding should keep.")
]
MixedPrecision = Annotated[
    float | None,
    typer.Option(
        "--mixed",
        metavar="SHARE",
        min=0,
        max=1,
        help="Take bits away, layer by layer, while no more than this share of training samples "
        "is answered otherwise.",
    ),
]
CalibrationSamples = Annotated[
    int, typer.Option("--samples", min=1, help="How many samples to search on.")
]


def convert(
    model: ModelName,
    output: Output = None,
    weight_bits: WeightBits = None,
    by_channel: PerChannel = False,
    calibrate: Calibrate = False,
    mixed: MixedPrecision = None,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    samples: CalibrationSamples = 128,
    input_shape: InputShape = None,
    value_bits: ValueBits = 1,
    dt: TimeStep = None,
    reset: ResetRule = None,
    as_json: Json = False,
) -> None:
    """Turn a trained network into integers, a .pumice file."""
    from ..convert.importers.open import import_model
    from ..convert.quantize.float_network import FloatNetwork, set_weight_bits
    from ..convert.quantize.float_network import use_per_channel_scales as each_channel
    from ..convert.quantize.quantize import quantize_network
    from ..runtime import network_digest, write_network
    from .models import import_options, load_model
    from .output import print_json

    made = import_model(load_model(model), import_options(input_shape, value_bits, dt, reset))
    told: dict[str, Any] = {}
    if isinstance(made, FloatNetwork):
        made = set_weight_bits(made, weight_bits) if weight_bits else made
        made = each_channel(made) if by_channel else made
        if calibrate or mixed is not None:
            from .calibration import calibrate_on_inputs

            made, told = calibrate_on_inputs(made, mixed, data, folder, events, samples)
    elif weight_bits or by_channel or calibrate or mixed is not None:
        raise _already_quantized(model)
    network, rounded = quantize_network(made) if isinstance(made, FloatNetwork) else (made, ())
    path = output or default_output(model)
    write_network(path, network)
    if as_json:
        parts = [asdict(part) for part in rounded]
        document = {"network": network_digest(network), "file": str(path), "rounded": parts}
        print_json({**document, **told})
        return
    print_quantization_errors(rounded)
    print_calibration(told)
    typer.echo(path)


def _already_quantized(model: str) -> Exception:
    from ..runtime.errors import NetworkError

    return NetworkError(f"{model}: holds integers, which nothing rounds; leave out bits and search")


def print_quantization_errors(rounded: "Sequence[ProjectionQuantization]") -> None:
    """Print what rounding did to each projection, where it was rounded here."""
    from .output import print_table

    rows = [
        (
            r.name,
            str(r.weight_bits),
            f"{100 * r.weight_error:.2f} %",
            f"{r.clipped_weights:,}",
            f"{100 * r.bias_error:.2f} %",
        )
        for r in rounded
    ]
    if rows:
        header = ("projection", "bits", "weights off by", "cut", "bias off by")
        print_table(header, rows, right=(1, 2, 3, 4))


def print_calibration(told: "Mapping[str, Any]") -> None:
    """Print what a search found, where there was one."""
    from .output import print_facts, print_table

    rows = [
        (
            layer["name"],
            str(layer["bits"]),
            f"{layer['least']:+.3g} to {layer['most']:+.3g}",
            f"{layer['cut']:.2f}",
            f"{layer['spikes']:,}",
            f"{100 * layer['rounded_error']:.2f} %",
            f"{100 * layer['error']:.2f} %",
        )
        for layer in told.get("calibrated", ())
    ]
    if rows:
        header = ("population", "bits", "weights", "cut at", "spikes", "off if rounded", "off")
        print_table(header, rows, right=(1, 2, 3, 4, 5, 6))
    if "mixed" in told:
        mixed = told["mixed"]
        print_facts(
            {
                "bits by population": ", ".join(f"{n} {b}" for n, b in mixed["bits"].items()),
                "answered otherwise": f"{100 * mixed['harm']:.2f} %",
                "memory of weights": f"{mixed['memory'] / 8:,.0f} bytes, "
                f"{100 * mixed['memory'] / mixed['full']:.0f} % of 8 bits",
            }
        )


def default_output(model: str) -> Path:
    """Return where the network of `model` goes if nothing is said; raises `NetworkError`."""
    from ..runtime.errors import NetworkError

    path = Path(model)
    if path.is_dir():
        return path / "network.pumice"
    if path.suffix == ".safetensors":
        return path.with_name("network.pumice")
    if path.suffix == ".pumice":
        raise NetworkError(f"{model}: is a network in integers already; name another with --output")
    if path.suffix in (".net", ".nir"):
        return path.with_suffix(".pumice")
    return Path(f"{model.rpartition(':')[2]}.pumice")
