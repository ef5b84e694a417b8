"""`pumice convert`: from a trained network, or another library's file or layers, to integers."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import InputShape, Json, ModelName, ResetRule, TimeStep, ValueBits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..convert.quantise import Rounded


def convert(
    model: ModelName,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to (beside the model)."),
    ] = None,
    input_shape: InputShape = None,
    value_bits: ValueBits = 1,
    dt: TimeStep = None,
    reset: ResetRule = None,
    as_json: Json = False,
) -> None:
    """Turn a trained network into integers, a .pumice file."""
    from ..convert.graph import Graph
    from ..convert.model import made_from
    from ..convert.quantise import quantised
    from ..runtime import network_digest, write_network
    from .models import model_of, options
    from .output import print_json

    made = made_from(model_of(model), options(input_shape, value_bits, dt, reset))
    network, rounded = quantised(made) if isinstance(made, Graph) else (made, ())
    path = output or beside(model)
    write_network(path, network)
    if as_json:
        parts = [asdict(part) for part in rounded]
        print_json({"network": network_digest(network), "file": str(path), "rounded": parts})
        return
    print_rounded(rounded)
    typer.echo(path)


def print_rounded(rounded: "Sequence[Rounded]") -> None:
    """Print what rounding did to each projection, where it was rounded here."""
    from .output import print_table

    rows = [
        (
            r.name,
            str(r.bits),
            f"{100 * r.weight_error:.2f} %",
            f"{r.clipped:,}",
            f"{100 * r.bias_error:.2f} %",
        )
        for r in rounded
    ]
    if rows:
        header = ("projection", "bits", "weights off by", "cut", "bias off by")
        print_table(header, rows, right=(1, 2, 3, 4))


def beside(model: str) -> Path:
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
