"""NIR files: any network of theirs read, and ours written so that it comes back as it was.

A file written here carries the network's integers twice: as real numbers, for every program, and
as a scheme in the graph's metadata that says how to get the integers back. What is read back is
written again and compared, value for value, so that a changed file is not taken for the original.
"""

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
from ...quantize.quantize import quantize_network
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
) -> tuple[Network, tuple[LayerDiagnostic, ...]]:
    """Return the network of a `.nir` file, and how each of its nodes was carried over.

    A file that pumice wrote comes back as it was, and takes none of the options. Another's is
    taken in steps of `dt` seconds, with the `reset` given where it says nothing of that, its input
    of `value_bits` bits, and is rounded to integers. Raises `FileError` where the file is damaged,
    or holds or lacks something so that it cannot be carried over.
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
) -> tuple[Network, tuple[LayerDiagnostic, ...]]:
    """Return the network of the contents of a `.nir` file; see `read_nir`."""
    file = parse_nir(arrays)
    if METADATA_KEY in file.metadata:
        return decode_network(file, arrays), exact_diagnostics(file)
    try:
        found = to_float_network(file, dt, reset, value_bits, provenance)
        return quantize_network(found)[0], check_nodes(file.nodes, dt or 0, reset)
    except NetworkError as error:
        raise FileError(str(error)) from None


def to_float_network(
    file: NirFile,
    dt: float | None,
    reset: Reset | None,
    value_bits: int,
    provenance: Mapping[str, Any],
) -> FloatNetwork:
    """Return what another program's `file` holds, in real numbers; see `read_nir`.

    Raises `FileError`, and `NetworkError` where the whole makes no network.
    """
    if dt is None:
        raise FileError("says nothing of time steps; give dt, the seconds of one")
    if not 0 < dt < np.inf:
        raise FileError(f"dt is {dt}, needs seconds above zero")
    raise_if_unsupported(check_nodes(file.nodes, dt, reset), FileError)
    found = build_float_network(file, dt, reset, value_bits)
    return replace(found, provenance={"format": "nir", "dt": dt, **provenance})


def exact_diagnostics(file: NirFile) -> tuple[LayerDiagnostic, ...]:
    """Return findings for the nodes of a file that pumice wrote."""
    return tuple(
        LayerDiagnostic(n.name, n.kind, "exact", "its integers") for n in file.nodes.values()
    )


def write_nir(path: str | os.PathLike[str], network: Network, dt: float = 1e-3) -> None:
    """Write `network` to `path` as a NIR graph in steps of `dt` seconds, whole or not at all.

    An early exit is lost. Raises `NetworkError` where NIR has no node for a part of it, and
    `FileError`.
    """
    try:
        import nir
    except ImportError:
        raise MissingPackage("nir is not installed; pip install 'pumice[convert]'") from None
    found = to_nir_graph(network, dt)
    nodes = {name: _make_node(nir, values) for name, values in found.nodes.items()}
    try:
        told = json.dumps(encode_network(network, found, dt), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise FileError(f"{path}: the provenance cannot be written as JSON ({error})") from error
    made = nir.NIRGraph(nodes, found.edges, {METADATA_KEY: told}, type_check=False)
    with atomic_write(path) as temporary:
        nir.write(temporary, made)


def _make_node(nir: Any, values: Mapping[str, Any]) -> Any:
    """Return a node of the `nir` package; three of its kinds call things differently in files."""
    values = dict(values)
    kind = values.pop("type")
    if kind == "Input":
        return nir.Input({"input": values["shape"]})
    if kind == "Output":
        return nir.Output({"output": values["shape"]})
    if kind == "Flatten":
        values["input_type"] = {"input": values["input_type"]}
    return getattr(nir, kind)(**values)
