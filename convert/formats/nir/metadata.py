"""Store the exact integer network as metadata in a NIR file, restore it, and detect edits since."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ....runtime.connections import Connection, Conv, Dense, Sparse, SumPool
from ....runtime.errors import FileError, PumiceError
from ....runtime.network import Network
from ....runtime.population import LIMITS, Population, default_fields
from ....runtime.projection import Projection
from ....runtime.readout import Readout
from ....runtime.strict_json import parse_json
from ..hdf5.reader import Arrays
from .reader import METADATA_PREFIX, NODES_PREFIX, NirFile
from .writer import NirGraph, to_nir_graph

METADATA_KEY = "pumice"
FORMAT_VERSION = 1


def encode_network(network: Network, graph: NirGraph, dt: float) -> dict[str, Any]:
    """Encode what the nodes of `graph` leave out of `network`, and which hold its weights."""
    populations = []
    for p in network.populations:
        plain = default_fields(p)
        parameters = {key: getattr(p, key).tolist() for key in LIMITS if key not in plain}
        types = "reset", "refractory", "max_spikes", "signed", "align_bits"
        parameters |= {key: getattr(p, key) for key in types if key not in plain}
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
            "node": graph.projection_nodes[p.name],
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
        **({} if network.readout == Readout() else {"readout": network.readout.to_dict()}),
    }


def _encode_connection(projection: Projection) -> dict[str, Any]:
    connection = projection.connection
    if isinstance(connection, SumPool):
        keys = "kernel", "stride", "padding", "weight"
    elif isinstance(connection, Conv):
        keys = "stride", "padding", "dilation", "groups"
    elif isinstance(connection, Sparse):
        zero = connection.weights == 0
        indices = np.stack([connection.rows[zero], connection.columns[zero]], axis=1)
        return {"kind": "sparse", "zeros": indices.tolist()}
    else:
        return {"kind": "dense"}
    kind = "sum_pool" if isinstance(connection, SumPool) else "conv"
    return {"kind": kind, **{key: getattr(connection, key) for key in keys}}


def decode_network(file: NirFile, arrays: Arrays) -> Network:
    """Restore the network that the metadata of `file` describes.

    Raises:
        FileError: The file was altered since it was written.
    """
    try:
        encoded = parse_json(file.metadata[METADATA_KEY])
        if encoded["format"] != FORMAT_VERSION:
            raise FileError(f"format {encoded['format']}; this pumice reads {FORMAT_VERSION}")
        populations = tuple(Population(**values) for values in encoded["populations"])
        projections = tuple(_decode_projection(file, values) for values in encoded["projections"])
        readout = Readout(**encoded.get("readout", {}))
        output, provenance = encoded["output"], encoded["provenance"]
        network = Network(populations, projections, output, provenance, readout=readout)
        graph = to_nir_graph(network, encoded["dt"])
    except FileError:
        raise
    except (PumiceError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        text = " ".join(str(error).split())
        raise FileError(f"was altered: its metadata makes no network ({text})") from None
    difference = _first_difference(graph, file, arrays)
    if difference:
        raise FileError(
            f"{difference}: was altered since pumice wrote it; to read its floats, delete the "
            f"entry {METADATA_PREFIX}{METADATA_KEY} from the file"
        )
    return network


def _decode_projection(file: NirFile, encoded: Mapping[str, Any]) -> Projection:
    values = dict(encoded)
    node, options = file.nodes[values.pop("node")], dict(values["connection"])
    kind = options.pop("kind")
    if kind == "sum_pool":
        return Projection(**{**values, "connection": SumPool(**options)})
    weights = node.floats("weight") / 2.0 ** values["weight_exponent"]
    connection: Connection
    if kind == "conv":
        connection = Conv(weights, **options)
    elif kind == "sparse":
        listed = weights != 0
        for row, column in options["zeros"]:
            listed[row, column] = True
        rows, columns = np.nonzero(listed)
        connection = Sparse(weights[listed], rows, columns, (len(weights), weights.shape[1]))
    else:
        connection = Dense(weights)
    return Projection(**{**values, "connection": connection})


def _first_difference(graph: NirGraph, file: NirFile, arrays: Arrays) -> str:
    """First difference between `graph` and the file, empty where there is none."""
    if set(graph.edges) != set(file.edges):
        return "edges"
    for name in (*graph.nodes, *file.nodes):
        if name not in graph.nodes or name not in file.nodes:
            return name
        for key, value in graph.nodes[name].items():
            stored = arrays.get(f"{NODES_PREFIX}{name}/{key}")
            expected = value.encode() if isinstance(value, str) else value
            if stored is None or not np.array_equal(stored, expected):
                return f"{name}/{key}"
    return ""
