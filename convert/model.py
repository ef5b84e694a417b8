"""A model of any kind, opened: what was found of its nodes, and how to make a network of it."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.errors import FileError, NetworkError
from ..runtime.files import read_network
from ..runtime.network import Network
from . import modules, netx, netx_rules, nir, nir_nodes, snntorch, spikingjelly
from .chain import chained
from .findings import Finding, check_none_refused
from .graph import Graph
from .hdf5 import contents
from .netx_layer import layers
from .nir_file import nir_file
from .nir_nodes import Reset
from .nir_scheme import SCHEME, restored
from .slayer import exported, is_slayer

CELLS: Mapping[str, modules.Reading] = {**spikingjelly.CELLS, **snntorch.CELLS}
SHORTEST_STEP = 1e-12  # stands in for a dt that is not given, so that all else can be told
SUFFIXES = (".net", ".nir", ".pumice")
Findings = tuple[Finding, ...]
Arrays = Mapping[str, Any]
Provenance = Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """What a model may leave out: see `read_netx` and `read_nir`."""

    input_shape: tuple[int, ...] | None = None
    value_bits: int = 1
    dt: float | None = None
    reset: Reset | None = None


@dataclass(frozen=True)
class Model:
    """A model's name, what was found of its nodes, and how to go on where none is refused.

    What `build` makes is in integers, a `Network`, or in real numbers, a `Graph`; it raises a
    `PumiceError` where the whole makes no network.
    """

    name: str
    findings: Findings
    build: Callable[[], Network | Graph]


def made_from(model: Any, options: Options | None = None) -> Network | Graph:
    """Return the network of `model`, which is what `check` takes.

    In integers where it holds integers, else in real numbers. Raises `NetworkError` where a node
    cannot be carried over, or what the whole makes is no network, and `FileError`.
    """
    opened = open_model(model, options or Options())
    check_none_refused(opened.findings, NetworkError, opened.name)
    return opened.build()


def open_model(model: Any, options: Options) -> Model:
    """Return `model`, a path, module, `Graph` or `Network`, opened; raises `FileError`."""
    if isinstance(model, Network):
        return Model("network", _as_it_is(model), lambda: model)
    if isinstance(model, Graph):
        nodes = tuple(Finding(n.name, "neurons", "fine", "as trained") for n in model.neurons)
        return Model("graph", nodes, lambda: model)
    if isinstance(model, str | os.PathLike):
        return _opened_file(Path(model), options)
    if is_slayer(model):
        return _opened_netx("slayer", exported(model), options, {"format": "slayer"})
    things, findings = modules.examined(model, CELLS)
    shape = options.input_shape
    if shape is None:
        findings += (_asked("input", "its shape", "give input_shape"),)
        shape = ()
    name = type(model).__name__
    made_by = {"format": name}
    return Model(name, findings, lambda: chained(things, shape, options.value_bits, made_by))


def _opened_file(path: Path, options: Options) -> Model:
    if path.suffix == ".pumice":
        network = read_network(path)
        return Model(path.name, _as_it_is(network), lambda: network)
    if path.suffix not in SUFFIXES:
        if not path.exists():
            raise FileError(f"{path}: no such file")
        raise FileError(f"{path}: is none of .net, .nir and .pumice")
    arrays = contents(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    made_by = {"source": path.name, "format": path.suffix[1:], "sha256": digest}
    opened = _opened_netx if path.suffix == ".net" else _opened_nir
    try:
        return opened(path.name, arrays, options, made_by)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def _opened_netx(name: str, arrays: Arrays, options: Options, made_by: Provenance) -> Model:
    def build() -> Network:
        return netx.network_from(arrays, options.input_shape, options.value_bits, made_by)[0]

    return Model(name, netx_rules.examined(layers(arrays)), build)


def _opened_nir(name: str, arrays: Arrays, options: Options, made_by: Provenance) -> Model:
    file = nir_file(arrays)
    if SCHEME in file.metadata:
        return Model(name, nir.as_they_are(file), lambda: restored(file, arrays))
    findings = nir_nodes.examined(file.nodes, options.dt or SHORTEST_STEP, options.reset)
    if options.dt is None:
        findings += (_asked("time", "the seconds of one step", "give dt"),)

    def build() -> Graph:
        return nir.graph_from(file, options.dt, options.reset, options.value_bits, made_by)

    return Model(name, findings, build)


def _asked(node: str, what: str, mend: str) -> Finding:
    return Finding(node, node, "refused", reason=f"the model says nothing of {what}", mend=mend)


def _as_it_is(network: Network) -> Findings:
    nodes: list[tuple[str, str]] = [(p.name, p.kind) for p in network.populations]
    nodes += [(p.name, type(p.connection).__name__) for p in network.projections]
    return tuple(Finding(name, kind, "fine", "its integers") for name, kind in nodes)
