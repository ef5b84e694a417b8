"""`pumice export`: a network as a file that others run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Json, NetworkFile

if TYPE_CHECKING:
    from ..runtime import Network

Format = Literal["onnx", "nir", "netx"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "nir": ".nir", "netx": ".net"}


def export(
    file: NetworkFile,
    to: Annotated[
        Format,
        typer.Option("--to", help="The format; netx is the .net file of lava-dl."),
    ] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to (beside the network)."),
    ] = None,
    step: Annotated[
        bool,
        typer.Option("--step", help="ONNX of one timestep with its states outside, for streaming."),
    ] = False,
    whole_biases: Annotated[
        bool,
        typer.Option(
            "--whole-biases",
            help="Round biases to whole weight units, all that netx holds; may change spikes.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a network in a format that others run."""
    from ..runtime import network_digest, read_network
    from .output import print_json

    network = read_network(file)
    if whole_biases:
        from ..convert.formats.netx.writer import round_biases

        network = round_biases(network)
    path = output or file.with_suffix(SUFFIXES[to] if not step else ".step.onnx")
    _write(path, network, to, step)
    size = path.stat().st_size
    lost = ["early exit"] if network.early_exit and to != "onnx" else []
    if as_json:
        told = {"network": network_digest(network), "format": to, "file": str(path), "bytes": size}
        print_json({**told, "left_out": lost})
        return
    typer.echo(f"{path}: {size:,} bytes")
    for each in lost:
        typer.echo(f"left out: {each}; what runs {to} runs all time steps", err=True)


def _write(path: Path, network: "Network", to: Format, step: bool) -> None:
    from ..runtime.errors import NetworkError

    if step and to != "onnx":
        raise NetworkError(f"--step: {to} has no files of one timestep; leave it out")
    if to == "nir":
        from ..convert.formats.nir.files import write_nir

        write_nir(path, network)
    elif to == "netx":
        from ..convert.formats.netx.writer import write_netx

        write_netx(path, network)
    else:
        from ..convert.formats.onnx.writer import write_onnx

        write_onnx(path, network, step=step)
