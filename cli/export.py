"""`pumice export`: write a network as ONNX, NIR, netx or C."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Json, NetworkFile

if TYPE_CHECKING:
    from ..runtime import Network

Format = Literal["onnx", "nir", "netx", "c"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "nir": ".nir", "netx": ".net", "c": ".firmware"}


def export(
    file: NetworkFile,
    to: Annotated[
        Format,
        typer.Option(
            "--to",
            help="Output format; netx is the .net file of lava-dl, c a folder of C99 sources.",
        ),
    ] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="Output file, or folder of c (default: next to the network).",
        ),
    ] = None,
    step: Annotated[
        bool,
        typer.Option("--step", help="ONNX model of one timestep with external state."),
    ] = False,
    round_biases: Annotated[
        bool,
        typer.Option(
            "--round-biases",
            help="Round biases to multiples of the weight unit, as netx needs; may change spikes.",
        ),
    ] = False,
    plasticity: Annotated[
        Path | None,
        typer.Option(
            "--plasticity",
            metavar="FILE",
            help="TOML file of plasticity rules (STDP), for C that learns on the device.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a network as ONNX, NIR, netx or C."""
    from ..runtime import read_network
    from ..runtime.errors import FileError
    from ..runtime.files import check_output_file, check_output_folder

    path = output or file.with_suffix(SUFFIXES[to] if not step else ".step.onnx")
    check_output_folder(path) if to == "c" else check_output_file(path)
    if path.exists() and path.samefile(file):
        raise FileError(f"{path}: is the network itself; name another file with -o")
    network = read_network(file)
    if round_biases:
        from ..convert.formats.netx.writer import round_network_biases

        network = round_network_biases(network)
    _write(path, network, to, step, plasticity)
    _print_export(path, network, to, as_json)


def _print_export(path: Path, network: "Network", to: Format, as_json: bool) -> None:
    """Print what was written, and what the format leaves out."""
    from ..runtime import network_digest
    from .output import print_json, print_progress

    files = list(path.iterdir()) if path.is_dir() else [path]
    size = sum(each.stat().st_size for each in files)
    omitted = _list_omitted(network, to)
    if as_json:
        document = {"network": network_digest(network), "format": to, "file": str(path)}
        print_json({**document, "bytes": size, "omitted": list(omitted)})
        return
    typer.echo(f"{path}: {size:,} bytes")
    for feature, consequence in omitted.items():
        print_progress(f"omitted: {feature}; {consequence}")


def _list_omitted(network: "Network", to: Format) -> dict[str, str]:
    """Features that a file of the format leaves out of the network, with the consequence."""
    omitted = {}
    if network.early_exit and to not in ("onnx", "c"):
        omitted["early exit"] = f"{to} files run all timesteps"
    if network.encoders and to != "c":
        omitted["encoders"] = f"{to} files take encoded events"
    return omitted


def _write(path: Path, network: "Network", to: Format, step: bool, plasticity: Path | None) -> None:
    from ..runtime.errors import NetworkError

    if plasticity and to != "c":
        raise NetworkError(f"--plasticity: {to} has no rules of plasticity; write C with --to c")
    if to == "onnx":
        network.to_onnx(path, step=step)
    elif step:
        raise NetworkError(f"--step: {to} has no single-step files; leave it out")
    elif to == "nir":
        network.to_nir(path)
    elif to == "c":
        from ..runtime.plasticity_file import read_rules

        network.to_c(path, rules=read_rules(plasticity, network) if plasticity else None)
    else:
        network.to_netx(path)
