"""How a network's integers are told in a NIR file, and had back from it, or seen to be changed."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ....runtime.connections import (
    Connection,
    Conv,
    Dense,
    Sparse,
    SumPool,
)
from ....runtime.errors import FileError, PumiceError
from ....runtime.network import Network
from ....runtime.population import LIMITS, Population
from ....runtime.projection import Projection
from ..hdf5.reader import Arrays
from .reader import METADATA_PREFIX, NODES_PREFIX, NirFile
from .writer import NirGraph, to_nir_graph

METADATA_KEY = "pumice"
FORMAT_VERSION = 1


def encode_network(network: Network, found: NirGraph, dt: float) -> dict[str, Any]:
    """Return what the nodes leave out of `network`, and where they hold its weights."""
    populations = []
    for p in network.populations:
        parameters = {key: getattr(p, key).tolist() for key in LIMITS}
        populations.append(
            {
                "name": p.name,
                "shape": p.shape,
                "kind": p.kind,
                "bias_exponent": p.bias_exponent,
                "value_bits": p.value_bits,
                **parameters,
            }
        )
    projections = [
        {
            "name": p.name,
            "source": p.source,
            "target": p.target,
            "weight_exponent": p.weight_exponent,
            "delay": p.delay,
            "connection": _encode_connection(p),
            "node": found.projection_nodes[p.name],
        }
        for p in network.projections
    ]
    return {
        "format": FORMAT_VERSION,
        "dt": dt,
        "populations": populations,
        "projections": projections,
        "output": network.output,
        "provenance": dict(network.provenance),
    }


def _encode_connection(projection: Projection) -> dict[str, Any]:
    connection = projection.connection
    if isinstance(connection, SumPool):
        keys = "kernel", "stride", "padding", "weight"
    elif isinstance(connection, Conv):
        keys = "stride", "padding", "dilation", "groups"
    elif isinstance(connection, Sparse):
        none = connection.weights == 0
        zeros = np.stack([connection.rows[none], connection.columns[none]], axis=1)
        return {"kind": "sparse", "zeros": zeros.tolist()}
    else:
        return {"kind": "dense"}
    kind = "sum_pool" if isinstance(connection, SumPool) else "conv"
    return {"kind": kind, **{key: getattr(connection, key) for key in keys}}


def decode_network(file: NirFile, arrays: Arrays) -> Network:
    """Return the network that the scheme in `file` describes.

    Raises `FileError` where there is a scheme, but the rest of the file is not what it was.
    """
    try:
        told = json.loads(file.metadata[METADATA_KEY])
        if told["format"] != FORMAT_VERSION:
            raise FileError(f"format {told['format']}; this pumice reads {FORMAT_VERSION}")
        populations = tuple(Population(**values) for values in told["populations"])
        projections = tuple(_decode_projection(file, values) for values in told["projections"])
        network = Network(populations, projections, told["output"], told["provenance"])
        found = to_nir_graph(network, told["dt"])
    except FileError:
        raise
    except (PumiceError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        text = " ".join(str(error).split())
        raise FileError(f"was altered: its scheme makes no network ({text})") from None
    changed = _first_difference(found, file, arrays)
    if changed:
        raise FileError(
            f"{changed}: was altered since pumice wrote it; to read its real numbers, take the "
            f"entry {METADATA_PREFIX}{METADATA_KEY} out of the file"
        )
    return network


def _decode_projection(file: NirFile, values: Mapping[str, Any]) -> Projection:
    values = dict(values)
    node, described = file.nodes[values.pop("node")], dict(values["connection"])
    kind = described.pop("kind")
    if kind == "sum_pool":
        return Projection(**{**values, "connection": SumPool(**described)})
    weights = node.floats("weight") / 2.0 ** values["weight_exponent"]
    connection: Connection
    if kind == "conv":
        connection = Conv(weights, **described)
    elif kind == "sparse":
        there = weights != 0
        for row, column in described["zeros"]:
            there[row, column] = True
        rows, columns = np.nonzero(there)
        connection = Sparse(weights[there], rows, columns, (len(weights), weights.shape[1]))
    else:
        connection = Dense(weights)
    return Projection(**{**values, "connection": connection})


def _first_difference(found: NirGraph, file: NirFile, arrays: Arrays) -> str:
    """Return what first differs between `found` and the file, empty where nothing does."""
    if set(found.edges) != set(file.edges):
        return "edges"
    for name in (*found.nodes, *file.nodes):
        if name not in found.nodes or name not in file.nodes:
            return name
        for key, value in found.nodes[name].items():
            given = arrays.get(f"{NODES_PREFIX}{name}/{key}")
            expected = value.encode() if isinstance(value, str) else value
            if given is None or not np.array_equal(given, expected):
                return f"{name}/{key}"
    return ""
