"""`pumice export`: a network as a file that others run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import Json, NetworkFile


def export(
    file: NetworkFile,
    to: Annotated[Literal["onnx"], typer.Option("--to", help="The format.")] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to (beside the network)."),
    ] = None,
    step: Annotated[
        bool,
        typer.Option("--step", help="Export one timestep with its states outside, for streaming."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a network in a format that others run."""
    from ..convert.onnx import to_onnx, to_onnx_step, write_onnx
    from ..runtime import network_digest, read_network
    from .output import print_json

    network = read_network(file)
    path = output or file.with_suffix(".step.onnx" if step else ".onnx")
    write_onnx(path, to_onnx_step(network) if step else to_onnx(network))
    size = path.stat().st_size
    if as_json:
        digest = network_digest(network)
        print_json({"network": digest, "format": to, "file": str(path), "bytes": size})
    else:
        typer.echo(f"{path}: {size:,} bytes")
