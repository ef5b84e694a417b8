"""Parse a NIR file: nodes with their values, and edges, each validated when it is read.

The file is read without the `nir` package, whose readers fill in what a file leaves out: here it
matters whether a reset was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import FileError
from ..hdf5.reader import Arrays

NODES_PREFIX = "node/nodes/"
METADATA_PREFIX = "node/metadata/"
SUBGRAPH = "NIRGraph"


@dataclass(frozen=True)
class NirNode:
    """A node: its name, its type (`Linear`, `LIF` ...) and its values.

    All methods but `text` raise `FileError` where a value is not what it should be.
    """

    name: str
    kind: str
    values: Arrays

    def floats(self, key: str) -> NDArray[np.float64]:
        """Finite numbers of `key`, float64."""
        if key not in self.values:
            raise FileError(f"{self.name}: a {self.kind} without {key!r}")
        values = self.values[key]
        if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
            raise FileError(f"{self.name}: {key} holds NaN, infinity or text, needs numbers")
        if not values.size:
            raise FileError(f"{self.name}: {key} is empty")
        return values.astype(np.float64)

    def integers(self, key: str) -> tuple[int, ...]:
        """Integers of `key`."""
        values = self.floats(key).reshape(-1)
        if np.any(values != np.rint(values)) or np.abs(values).max() > 2**31:
            raise FileError(f"{self.name}: {key} is {values}, needs integers")
        return tuple(int(value) for value in values)

    def pair(self, key: str, minimum: int) -> tuple[int, int]:
        """Value of `key`, one integer or two (height, width)."""
        values = self.integers(key)
        if len(values) > 2 or min(values) < minimum:
            raise FileError(f"{self.name}: {key} is {values}, needs two numbers from {minimum}")
        return values[0], values[-1]

    def text(self, key: str) -> str:
        """Text of `key`, empty where it is none."""
        values = self.values.get(key, np.zeros(0))
        return values.item().decode(errors="replace") if _is_text(values) else ""

    def shape(self, key: str) -> tuple[int, ...]:
        """Value of `key` as a shape of neurons."""
        sizes = self.integers(key)
        if len(sizes) in (2, 4) and sizes[0] == 1:
            sizes = sizes[1:]  # a batch axis
        if len(sizes) not in (1, 3) or min(sizes) < 1:
            raise FileError(
                f"{self.name}: shape {sizes} is not (neurons,) or (channels, height, width)"
            )
        return sizes


@dataclass(frozen=True)
class NirFile:
    """The nodes by name, the edges between them, and the texts of the graph's metadata."""

    nodes: Mapping[str, NirNode]
    edges: tuple[tuple[str, str], ...]
    metadata: Mapping[str, str]

    def predecessors(self, name: str) -> list[str]:
        """Nodes with an edge to `name`."""
        return [source for source, target in self.edges if target == name]


def parse_nir(file: Arrays) -> NirFile:
    """Parse the datasets of a NIR file; raises `FileError` where they hold no graph."""
    nodes, edges = _parse_graph(file, "node/")
    metadata = {
        path.removeprefix(METADATA_PREFIX): values.item().decode(errors="replace")
        for path, values in file.items()
        if path.startswith(METADATA_PREFIX) and _is_text(values)
    }
    return NirFile(nodes, tuple(dict.fromkeys(edges)), metadata)


def _parse_graph(file: Arrays, prefix: str) -> tuple[dict[str, NirNode], list[tuple[str, str]]]:
    """Nodes and edges of the graph below `prefix`, the graphs within it flattened."""
    grouped: dict[str, dict[str, NDArray[Any]]] = {}
    divided = _names_with_slashes(file.get(f"{prefix}edges"))
    for path, values in file.items():
        if path.startswith(f"{prefix}nodes/"):
            path = path.removeprefix(f"{prefix}nodes/")
            name = next((name for name in divided if path.startswith(f"{name}/")), "")
            name = name or path.partition("/")[0]
            grouped.setdefault(name, {})[path[len(name) + 1 :]] = values
    nodes = {}
    for name, entries in grouped.items():
        kind = NirNode(name, "", entries).text("type")
        if not kind:
            raise FileError(f"node {name}: has no type")
        nodes[name] = NirNode(name, kind, entries)
    if f"{prefix}edges" not in file or not nodes:
        raise FileError("holds no nodes and edges, so it is no NIR file")
    edges = _parse_edges(file[f"{prefix}edges"], nodes)
    for name in [name for name, node in nodes.items() if node.kind == SUBGRAPH]:
        inner, inner_edges = _parse_graph(nodes.pop(name).values, "")
        names = {key: f"{name}.{key}" for key in inner}
        if set(names.values()) & set(nodes):
            raise FileError(f"{name}: has nodes whose names are taken outside of it")
        nodes |= {names[key]: replace(node, name=names[key]) for key, node in inner.items()}
        edges += [(names[source], names[target]) for source, target in inner_edges]
        edges = _bypass_ends(name, nodes, names, edges)
    return nodes, edges


def _bypass_ends(
    graph: str, nodes: dict[str, NirNode], names: Mapping[str, str], edges: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Connect the nodes around a graph within the graph to those inside; removes its ends."""
    ends = {
        kind: [name for name in names.values() if nodes[name].kind == kind]
        for kind in ("Input", "Output")
    }
    if [len(found) for found in ends.values()] != [1, 1]:
        raise FileError(f"{graph}: is a graph without one input and one output")
    (entry,), (leave,) = ends.values()
    del nodes[entry], nodes[leave]
    renamed = [
        (leave if source == graph else source, entry if target == graph else target)
        for source, target in edges
    ]
    for end in (entry, leave):
        before = [source for source, target in renamed if target == end]
        after = [target for source, target in renamed if source == end]
        renamed = [edge for edge in renamed if end not in edge]
        renamed += [(source, target) for source in before for target in after]
    return renamed


def _is_text(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "S" and values.size == 1


def _names_with_slashes(edges: NDArray[Any] | None) -> list[str]:
    """Names of nodes that HDF5 divides into groups, from the edges; the longest first."""
    if edges is None or edges.dtype.kind != "S":
        return []
    names = {name.decode(errors="replace") for name in edges.reshape(-1).tolist() if b"/" in name}
    return sorted(names, key=len, reverse=True)


def _parse_edges(values: NDArray[Any], nodes: Mapping[str, NirNode]) -> list[tuple[str, str]]:
    if values.dtype.kind != "S" or values.ndim != 2 or values.shape[1] != 2:
        raise FileError("its edges are no pairs of names")
    pairs = [tuple(name.decode(errors="replace") for name in pair) for pair in values.tolist()]
    for name in (name for pair in pairs for name in pair):
        if name not in nodes:
            raise FileError(f"an edge names {name!r}, but there is no such node")
    return [(source, target) for source, target in pairs]
