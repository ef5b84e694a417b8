"""Read NIR files of any program, and write networks so that they come back unchanged.

A file written here holds the integers of the network twice: as floats, for every program, and as
metadata of the graph that restores the exact integers. What is read back is encoded again and
compared value for value, so that an edited file is not taken for the original.
"""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ....runtime.errors import FileError, MissingPackage, NetworkError
from ....runtime.files import atomic_write
from ....runtime.network import Network
from ...diagnostics import LayerDiagnostic, raise_if_unsupported
from ...quantize.float_network import FloatNetwork
from ..hdf5.reader import Arrays, read_hdf5
from .graph import build_float_network
from .metadata import METADATA_KEY, decode_network, encode_network
from .ops import Reset, check_nodes
from .reader import NirFile, parse_nir
from .writer import to_nir_graph


def read_nir(
    path: str | os.PathLike[str],
    dt: float | None = None,
    reset: Reset | None = None,
    value_bits: int = 1,
) -> tuple[Network | FloatNetwork, tuple[LayerDiagnostic, ...]]:
    """Read a NIR file.

    Args:
        path: The file.
        dt: Seconds per timestep, for files of other programs.
        reset: Reset of their neurons where the file does not specify it.
        value_bits: Bits of an input value.

    Returns:
        The network, and a diagnostic per node. A file that pumice wrote gives the integer
        `Network` and takes none of the options; another gives a `FloatNetwork`, to be quantized by
        `convert.quantize_model`.

    Raises:
        FileError: The file is absent or damaged, a node is not supported, or an option is missing.
    """
    arrays = read_hdf5(path)
    try:
        return build_network(arrays, dt, reset, value_bits, {"source": Path(path).name})
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def build_network(
    arrays: Arrays,
    dt: float | None,
    reset: Reset | None,
    value_bits: int,
    provenance: Mapping[str, Any],
) -> tuple[Network | FloatNetwork, tuple[LayerDiagnostic, ...]]:
    """Build the network of the datasets of a NIR file; see `read_nir`."""
    file = parse_nir(arrays)
    if METADATA_KEY in file.metadata:
        return decode_network(file, arrays), exact_diagnostics(file)
    try:
        network = to_float_network(file, dt, reset, value_bits, provenance)
    except NetworkError as error:
        raise FileError(str(error)) from None
    return network, check_nodes(file.nodes, dt or 0, reset)


def to_float_network(
    file: NirFile,
    dt: float | None,
    reset: Reset | None,
    value_bits: int,
    provenance: Mapping[str, Any],
) -> FloatNetwork:
    """Build the float network of another program's file; see `read_nir`.

    Raises:
        FileError: A node is not supported, or an option is missing.
        NetworkError: The nodes make no network.
    """
    if dt is None:
        raise FileError("does not specify its timestep; give dt, in seconds")
    if not 0 < dt < np.inf:
        raise FileError(f"dt is {dt}, needs seconds above zero")
    raise_if_unsupported(check_nodes(file.nodes, dt, reset), FileError)
    network = build_float_network(file, dt, reset, value_bits)
    return replace(network, provenance={"format": "nir", "dt": dt, **provenance})


def exact_diagnostics(file: NirFile) -> tuple[LayerDiagnostic, ...]:
    """Diagnostics of a file that pumice wrote."""
    return tuple(
        LayerDiagnostic(node.name, node.kind, "exact", "its integers")
        for node in file.nodes.values()
    )


def write_nir(path: str | os.PathLike[str], network: Network, dt: float = 1e-3) -> None:
    """Export a network to a NIR file, written atomically.

    An early exit is lost.

    Args:
        path: The file.
        network: The network.
        dt: Seconds per timestep.

    Raises:
        NetworkError: NIR has no node for a part of the network.
        FileError: The file cannot be written.
    """
    try:
        import nir
    except ImportError:
        raise MissingPackage("nir is not installed; pip install 'pumice[convert]'") from None
    graph = to_nir_graph(network, dt)
    nodes = {name: _make_node(nir, values) for name, values in graph.nodes.items()}
    try:
        encoded = json.dumps(encode_network(network, graph, dt), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise FileError(f"{path}: the provenance cannot be written as JSON ({error})") from error
    document = nir.NIRGraph(nodes, graph.edges, {METADATA_KEY: encoded}, type_check=False)
    content = io.BytesIO()  # on a full disk the HDF5 library would end the process
    nir.write(content, document)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _make_node(nir: Any, values: Mapping[str, Any]) -> Any:
    """Make a node of the `nir` package, three of whose types name things differently in files."""
    values = dict(values)
    kind = values.pop("type")
    keys = [key for key in values if key.startswith("metadata/")]
    metadata = {key.removeprefix("metadata/"): values.pop(key) for key in keys}
    if metadata:
        return getattr(nir, kind)(**values, metadata=metadata)
    if kind == "Input":
        return nir.Input({"input": values["shape"]})
    if kind == "Output":
        return nir.Output({"output": values["shape"]})
    if kind == "Flatten":
        values["input_type"] = {"input": values["input_type"]}
    return getattr(nir, kind)(**values)
