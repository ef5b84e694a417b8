"""Parse a NIR file: nodes with their values, and edges, each validated when it is read.

The file is read without the `nir` package, whose readers fill in what a file leaves out: here it
matters whether a reset was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import FileError
from ..hdf5.reader import Arrays

NODES_PREFIX = "node/nodes/"
METADATA_PREFIX = "node/metadata/"


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
    grouped: dict[str, dict[str, NDArray[Any]]] = {}
    for path, values in file.items():
        if path.startswith(NODES_PREFIX):
            name, _, key = path.removeprefix(NODES_PREFIX).partition("/")
            grouped.setdefault(name, {})[key] = values
    nodes = {}
    for name, entries in grouped.items():
        kind = NirNode(name, "", entries).text("type")
        if not kind:
            raise FileError(f"node {name}: has no type")
        nodes[name] = NirNode(name, kind, entries)
    edges = file.get("node/edges")
    if edges is None or not nodes:
        raise FileError("holds no nodes and edges, so it is no NIR file")
    metadata = {
        path.removeprefix(METADATA_PREFIX): values.item().decode(errors="replace")
        for path, values in file.items()
        if path.startswith(METADATA_PREFIX) and _is_text(values)
    }
    return NirFile(nodes, _parse_edges(edges, nodes), metadata)


def _is_text(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "S" and values.size == 1


def _parse_edges(values: NDArray[Any], nodes: Mapping[str, NirNode]) -> tuple[tuple[str, str], ...]:
    if values.dtype.kind != "S" or values.ndim != 2 or values.shape[1] != 2:
        raise FileError("its edges are no pairs of names")
    pairs = [tuple(name.decode(errors="replace") for name in pair) for pair in values.tolist()]
    for name in (name for pair in pairs for name in pair):
        if name not in nodes:
            raise FileError(f"an edge names {name!r}, but there is no such node")
    return tuple(dict.fromkeys((source, target) for source, target in pairs))
