"""A model of any kind, opened: what was found of its nodes, and how to make a network of it."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...runtime.errors import FileError, NetworkError
from ...runtime.files import read_network
from ...runtime.network import Network
from ..diagnostics import LayerDiagnostic, raise_if_unsupported
from ..formats.hdf5.reader import read_hdf5
from ..formats.netx import checks as netx_rules
from ..formats.netx import reader as netx
from ..formats.netx.schema import read_layers
from ..formats.nir import files as nir
from ..formats.nir import ops as nir_nodes
from ..formats.nir.metadata import METADATA_KEY, decode_network
from ..formats.nir.ops import Reset
from ..formats.nir.reader import parse_nir
from ..quantize.float_network import FloatNetwork
from . import snntorch, spikingjelly
from . import torch_layers as modules
from .sequential import build_sequential
from .slayer import export_blocks, is_slayer

NEURON_PARSERS: Mapping[str, modules.LayerParser] = {
    **spikingjelly.NEURON_PARSERS,
    **snntorch.NEURON_PARSERS,
}
MIN_DT = 1e-12  # stands in for a dt that is not given, so that all else can be told
SUFFIXES = (".net", ".nir", ".pumice")
Diagnostics = tuple[LayerDiagnostic, ...]
Arrays = Mapping[str, Any]
Provenance = Mapping[str, Any]


@dataclass(frozen=True)
class ImportOptions:
    """What a model may leave out: see `read_netx` and `read_nir`."""

    input_shape: tuple[int, ...] | None = None
    value_bits: int = 1
    dt: float | None = None
    reset: Reset | None = None


@dataclass(frozen=True)
class ImportedModel:
    """A model's name, what was found of its nodes, and how to go on where none is refused.

    What `build` makes is in integers, a `Network`, or in real numbers, a `Graph`; it raises a
    `PumiceError` where the whole makes no network.
    """

    name: str
    diagnostics: Diagnostics
    build: Callable[[], Network | FloatNetwork]


def import_model(model: Any, options: ImportOptions | None = None) -> Network | FloatNetwork:
    """Return the network of `model`, which is what `check` takes.

    In integers where it holds integers, else in real numbers. Raises `NetworkError` where a node
    cannot be carried over, or what the whole makes is no network, and `FileError`.
    """
    opened = inspect_model(model, options or ImportOptions())
    raise_if_unsupported(opened.diagnostics, NetworkError, opened.name)
    return opened.build()


def inspect_model(model: Any, options: ImportOptions) -> ImportedModel:
    """Return `model`, a path, module, `Graph` or `Network`, opened; raises `FileError`."""
    if isinstance(model, Network):
        return ImportedModel("network", _exact_diagnostics(model), lambda: model)
    if isinstance(model, FloatNetwork):
        nodes = tuple(
            LayerDiagnostic(n.name, "neurons", "exact", "as trained") for n in model.populations
        )
        return ImportedModel("graph", nodes, lambda: model)
    if isinstance(model, str | os.PathLike):
        return _open_file(Path(model), options)
    if is_slayer(model):
        return _open_netx("slayer", export_blocks(model), options, {"format": "slayer"})
    things, findings = modules.parse_layers(model, NEURON_PARSERS)
    shape = options.input_shape
    if shape is None:
        findings += (_missing_option("input", "its shape", "give input_shape"),)
        shape = ()
    name = type(model).__name__
    made_by = {"format": name}
    return ImportedModel(
        name, findings, lambda: build_sequential(things, shape, options.value_bits, made_by)
    )


def _open_file(path: Path, options: ImportOptions) -> ImportedModel:
    if path.suffix == ".pumice":
        network = read_network(path)
        return ImportedModel(path.name, _exact_diagnostics(network), lambda: network)
    if path.suffix not in SUFFIXES:
        if not path.exists():
            raise FileError(f"{path}: no such file")
        raise FileError(f"{path}: is none of .net, .nir and .pumice")
    arrays = read_hdf5(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made_by = {"source": path.name, "format": path.suffix[1:], "sha256": digest}
    opened = _open_netx if path.suffix == ".net" else _open_nir
    try:
        return opened(path.name, arrays, options, made_by)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def _open_netx(
    name: str, arrays: Arrays, options: ImportOptions, made_by: Provenance
) -> ImportedModel:
    def build() -> Network:
        return netx.build_network(arrays, options.input_shape, options.value_bits, made_by)[0]

    return ImportedModel(name, netx_rules.check_layers(read_layers(arrays)), build)


def _open_nir(
    name: str, arrays: Arrays, options: ImportOptions, made_by: Provenance
) -> ImportedModel:
    file = parse_nir(arrays)
    if METADATA_KEY in file.metadata:
        return ImportedModel(
            name, nir.exact_diagnostics(file), lambda: decode_network(file, arrays)
        )
    findings = nir_nodes.check_nodes(file.nodes, options.dt or MIN_DT, options.reset)
    if options.dt is None:
        findings += (_missing_option("time", "the seconds of one step", "give dt"),)

    def build() -> FloatNetwork:
        return nir.to_float_network(file, options.dt, options.reset, options.value_bits, made_by)

    return ImportedModel(name, findings, build)


def _missing_option(node: str, what: str, mend: str) -> LayerDiagnostic:
    return LayerDiagnostic(
        node, node, "unsupported", reason=f"the model says nothing of {what}", remedy=mend
    )


def _exact_diagnostics(network: Network) -> Diagnostics:
    nodes: list[tuple[str, str]] = [(p.name, p.kind) for p in network.populations]
    nodes += [(p.name, type(p.connection).__name__) for p in network.projections]
    return tuple(LayerDiagnostic(name, kind, "exact", "its integers") for name, kind in nodes)
