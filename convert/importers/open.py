"""Open a model of any kind: a file, torch layers or SLAYER blocks."""

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.errors import FileError, NetworkError
from ...runtime.files import read_network
from ...runtime.network import Network
from ..diagnostics import LayerDiagnostic, raise_if_unsupported
from ..formats.hdf5.reader import read_hdf5
from ..formats.netx import reader as netx
from ..formats.netx.checks import Timing, check_layers
from ..formats.netx.schema import read_layers
from ..formats.nir import files as nir
from ..formats.nir.metadata import METADATA_KEY, decode_network
from ..formats.nir.ops import Reset, check_nodes, propose_dt
from ..formats.nir.reader import parse_nir
from ..quantize.float_network import FloatNetwork, as_shape
from . import norse, sinabs, snntorch, spikingjelly
from .sequential import build_sequential
from .slayer import export_blocks, is_slayer
from .torch_layers import (
    LayerParser,
    ParsedLayer,
    check_if_torch,
    has_own_forward,
    layer_kind,
    parse_layers,
    unwrap,
)


def _parse_norse_or_sinabs(node: Any) -> tuple[ParsedLayer, str]:
    """Parse neurons whose names both libraries have."""
    kind = layer_kind(node)
    if sinabs.is_sinabs(node):
        return sinabs.NEURON_PARSERS.get(kind, sinabs.parse_neuron)(node)
    return norse.NEURON_PARSERS[kind](node)


NEURON_PARSERS: Mapping[str, LayerParser] = {
    **spikingjelly.NEURON_PARSERS,
    **snntorch.NEURON_PARSERS,
    **norse.NEURON_PARSERS,
    **sinabs.NEURON_PARSERS,
    **dict.fromkeys(("LIF", "IAF", "LIFRecurrent"), _parse_norse_or_sinabs),
}
MIN_DT = 1e-12  # replaces a dt that is not given, so that all other nodes are checked
SUFFIXES = (".net", ".nir", ".pumice")
Diagnostics = tuple[LayerDiagnostic, ...]
Arrays = Mapping[str, Any]
Provenance = Mapping[str, Any]


@dataclass(frozen=True)
class ImportOptions:
    """Options for what a model does not specify itself.

    Attributes:
        input_shape: (channels, height, width) or (neurons,), for torch layers and `.net` files
            without an input layer.
        value_bits: Bits of an input value, 1 for spikes.
        dt: Seconds per timestep, for NIR files of other programs.
        reset: Reset of their neurons, where the file leaves it out, or has a `v_reset` of 0, which
            other libraries write for a soft reset too.
        timing: When the layers of a `.net` file begin: "slayer", "synchronous" (netx with resets)
            or "pipelined" (netx without); see `pumice.convert.formats.netx.reader`.
        skip_layers: Number of layers of a `.net` file to leave out at the beginning.
        signed: Whether input values of a `.net` file may be negative, as those of images.
        input_scale: What one unit of an input value is to a model of float weights: 1/255 where it
            takes pixels from 0 to 1. Its first weights are multiplied by it.
    """

    input_shape: tuple[int, ...] | None = None
    value_bits: int = 1
    dt: float | None = None
    reset: Reset | None = None
    timing: Timing = "slayer"
    skip_layers: int = 0
    signed: bool = False
    input_scale: float = 1.0


@dataclass(frozen=True)
class ImportedModel:
    """An opened model.

    Attributes:
        name: Name of the file or class.
        diagnostics: One per layer.
        build: Builds the network where every layer is supported: a `Network` if the model holds
            integers, else a `FloatNetwork`. Raises a `PumiceError` where the layers make no
            network.
    """

    name: str
    diagnostics: Diagnostics
    build: Callable[[], Network | FloatNetwork]


def import_model(model: Any, options: ImportOptions | None = None) -> Network | FloatNetwork:
    """Import a model of any kind.

    Args:
        model: A path (`.net`, `.nir`, `.pumice`), a module or list of layers of SpikingJelly,
            snnTorch or SLAYER, a `FloatNetwork` or a `Network`.
        options: What the model does not specify.

    Returns:
        A `Network` where the model holds integers, else a `FloatNetwork`.

    Raises:
        NetworkError: A layer is not supported, or the layers make no network.
        FileError: The file is absent or damaged.
    """
    imported = inspect_model(model, options or ImportOptions())
    raise_if_unsupported(imported.diagnostics, NetworkError, imported.name)
    return imported.build()


def inspect_model(model: Any, options: ImportOptions) -> ImportedModel:
    """Open a model and diagnose its layers, without building the network; see `import_model`.

    Raises:
        FileError: The file is absent or damaged.
        NetworkError: `input_scale` is no positive number.
    """
    scale = options.input_scale
    if not 0 < scale < math.inf:
        raise NetworkError(f"input_scale is {scale!r}, needs a number above 0")
    imported = _open_model(model, options)
    if scale == 1:
        return imported
    return replace(imported, build=lambda: _scale_inputs(imported.build(), scale))


def _scale_inputs(network: Network | FloatNetwork, scale: float) -> FloatNetwork:
    """Multiply the weights of what reads the input."""
    if isinstance(network, Network):
        raise NetworkError(
            "input_scale: the weights are integers already; it is for models of float weights"
        )
    projections = (
        replace(each, weights=each.weights * np.float32(scale))
        if each.source == network.input_name
        else each
        for each in network.projections
    )
    return replace(network, projections=tuple(projections))


def _open_model(model: Any, options: ImportOptions) -> ImportedModel:
    if isinstance(model, Network):
        return ImportedModel("network", _exact_diagnostics(model), lambda: model)
    if isinstance(model, FloatNetwork):
        diagnostics = tuple(
            LayerDiagnostic(p.name, "neurons", "exact", "as trained") for p in model.populations
        )
        return ImportedModel("network", diagnostics, lambda: model)
    if isinstance(model, str | os.PathLike):
        return _open_file(Path(model), options)
    if is_slayer(model):
        return _open_netx("slayer", export_blocks(model), options, {"format": "slayer"})
    return _open_layers(model, options)


def _open_layers(model: Any, options: ImportOptions) -> ImportedModel:
    if isinstance(model, type):
        raise NetworkError(f"{model.__name__}: is a class; give an object of it")
    model = unwrap(model)
    layers, diagnostics = parse_layers(model, NEURON_PARSERS)
    shape = options.input_shape
    if shape is not None and has_own_forward(model, NEURON_PARSERS):
        from .custom_forward import import_module  # imports torch

        build_traced, traced = import_module(
            model, as_shape(shape), options.value_bits, NEURON_PARSERS
        )
        return ImportedModel(type(model).__name__, traced, build_traced)
    if shape is None:
        diagnostics += (_missing_option("input", "its shape", "give input_shape"),)
    name = type(model).__name__

    def build() -> FloatNetwork:
        network = build_sequential(layers, shape or (), options.value_bits, {"format": name})
        check_if_torch(model, network, NEURON_PARSERS)
        return network

    return ImportedModel(name, diagnostics, build)


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
    provenance = {"source": path.name, "format": path.suffix[1:], "sha256": digest}
    open_arrays = _open_netx if path.suffix == ".net" else _open_nir
    try:
        return open_arrays(path.name, arrays, options, provenance)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def _open_netx(
    name: str, arrays: Arrays, options: ImportOptions, provenance: Provenance
) -> ImportedModel:
    of_netx = netx.NetxOptions(
        options.input_shape,
        options.value_bits,
        options.timing,
        options.skip_layers,
        options.signed,
    )

    def build() -> Network:
        return netx.build_network(arrays, of_netx, provenance)[0]

    diagnostics = check_layers(
        read_layers(arrays), of_netx.timing, of_netx.skip_layers, of_netx.signed
    )
    return ImportedModel(name, diagnostics, build)


def _open_nir(
    name: str, arrays: Arrays, options: ImportOptions, provenance: Provenance
) -> ImportedModel:
    file = parse_nir(arrays)
    if METADATA_KEY in file.metadata:
        diagnostics = nir.exact_diagnostics(file)
        return ImportedModel(name, diagnostics, lambda: decode_network(file, arrays))
    diagnostics = check_nodes(file.nodes, options.dt or MIN_DT, options.reset)
    if options.dt is None:
        proposal = propose_dt(file.nodes)
        remedy = "give dt" if proposal is None else f"give dt, for example {proposal:g}"
        diagnostics += (_missing_option("time", "the seconds per timestep", remedy),)

    def build() -> FloatNetwork:
        dt, reset, value_bits = options.dt, options.reset, options.value_bits
        return nir.to_float_network(file, dt, reset, value_bits, provenance)

    return ImportedModel(name, diagnostics, build)


def _missing_option(node: str, missing: str, remedy: str) -> LayerDiagnostic:
    reason = f"the model does not specify {missing}"
    return LayerDiagnostic(node, node, "unsupported", reason=reason, remedy=remedy)


def _exact_diagnostics(network: Network) -> Diagnostics:
    nodes: list[tuple[str, str]] = [(p.name, p.kind) for p in network.populations]
    nodes += [(p.name, type(p.connection).__name__) for p in network.projections]
    return tuple(LayerDiagnostic(name, kind, "exact", "its integers") for name, kind in nodes)
