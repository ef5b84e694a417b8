"""Files that are whole or not there, and the `.pumice` file.

A `.pumice` file is a safetensors file: the integer arrays as tensors, and in its header, under
`pumice`, a SHA-256 over all of it and the graph as JSON. Nothing in it is ever executed.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .connections import CONNECTION_KINDS, connection_kind
from .early_exit import EarlyExit
from .errors import FileError, NetworkError
from .network import Network
from .population import Population
from .program import Core, Program, Slice
from .projection import Projection

FORMAT_VERSION = 1
Arrays = Mapping[str, NDArray[Any]]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well, it takes its place.

    A reader never meets half a file. Raises `FileError` where the disk is full or the folder
    cannot be written; the temporary file is gone either way.
    """
    final = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{final.name}.", dir=final.parent)
        os.close(handle)
    except OSError as error:
        raise FileError(f"{final}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(final)
    except OSError as error:
        raise FileError(f"{final}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def cache_path(name: str) -> Path | None:
    """Return where a file of that name is kept, or none where the user has no home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # the XDG specification says to ignore relative paths
        return Path(named) / "pumice" / name
    try:
        return Path.home() / ".cache" / "pumice" / name
    except RuntimeError:
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_network(path: str | os.PathLike[str], network: Network) -> None:
    """Write `network` to `path` (a `.pumice` file), whole or not at all; raises `FileError`."""
    _write(path, *_serialize(network))


def write_program(path: str | os.PathLike[str], program: Program) -> None:
    """Write `program` to `path`, whole or not at all; `read_network` reads its network from it."""
    graph, tensors = _serialize(program.network)
    cores = [
        {
            **{key: getattr(core, key) for key in ("chip", "number", "x", "y")},
            "usage": dict(core.usage),
            "slices": [[part.population, part.start, part.stop] for part in core.slices],
        }
        for core in program.cores
    ]
    placed = {"target": program.target, "limits": dict(program.limits), "cores": cores}
    _write(path, graph | {"program": placed}, tensors)


def read_network(path: str | os.PathLike[str]) -> Network:
    """Read a network; raises `FileError` where it is absent, cut, altered or of another kind."""
    return _read(path)[0]


def read_program(path: str | os.PathLike[str]) -> Program:
    """Read a program; raises `FileError`, also where the file holds a network on no cores."""
    network, placed = _read(path)
    if placed is None:
        raise FileError(f"{path}: holds a network that is on no cores; place it first")
    try:
        cores = [
            Core(**{**core, "slices": tuple(Slice(*part) for part in core["slices"])})
            for core in placed["cores"]
        ]
        return Program(network, str(placed["target"]), placed["limits"], tuple(cores))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{path}: holds cores that are no program ({error})") from error


def _write(
    path: str | os.PathLike[str], graph: dict[str, Any], tensors: dict[str, NDArray[Any]]
) -> None:
    try:
        header = json.dumps(graph, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise FileError(f"{path}: the provenance cannot be written as JSON ({error})") from error
    # One entry, not two: safetensors writes entries in an order that changes from run to run.
    content = save(tensors, {"pumice": f"{_digest(header, tensors)} {header}"})
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _read(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any] | None]:
    """Return the network in a file and, where it is placed, what the file says of its cores."""
    if not os.path.isfile(path):
        raise FileError(f"{path}: no such file")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise FileError(f"{path}: cannot be opened; may it be read?") from error
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise FileError(f"{path}: is not a whole .pumice file ({error}); write it again") from error
    if "pumice" not in metadata:
        raise FileError(f"{path}: is a safetensors file, but holds no pumice network")
    digest, _, header = metadata["pumice"].partition(" ")
    if _digest(header, tensors) != digest:
        raise FileError(f"{path}: was altered (its SHA-256 does not match); write it again")
    try:
        graph = json.loads(header)
        return _deserialize(graph, tensors), graph.get("program")
    except (KeyError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{path}: holds a graph that is no network ({error})") from error


def network_digest(network: Network) -> str:
    """Return the SHA-256 of what `network` computes; its provenance takes no part."""
    graph, tensors = _serialize(network)
    del graph["provenance"]
    return _digest(json.dumps(graph, sort_keys=True), tensors)


def _digest(header: str, tensors: Arrays) -> str:
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _serialize(network: Network) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Split `network` into JSON values and named arrays."""
    tensors: dict[str, NDArray[Any]] = {}

    def plain(thing: Any, prefix: str) -> dict[str, Any]:
        values = {f.name: getattr(thing, f.name) for f in fields(thing)}
        for key, value in values.items():
            if isinstance(value, np.ndarray):
                tensors[f"{prefix}.{key}"] = value
        return {k: v for k, v in values.items() if not isinstance(v, np.ndarray)}

    projections = []
    for projection in network.projections:
        kind = connection_kind(projection.connection)
        connection = {"kind": kind, **plain(projection.connection, f"{projection.name}/projection")}
        projections.append({**plain(projection, ""), "connection": connection})
    graph = {
        "format": FORMAT_VERSION,
        "output": network.output,
        "provenance": dict(network.provenance),
        "populations": [plain(p, f"{p.name}/population") for p in network.populations],
        "projections": projections,
    }
    if network.early_exit:
        graph["early_exit"] = network.early_exit.thresholds
    return graph, tensors


def _deserialize(graph: dict[str, Any], tensors: Arrays) -> Network:
    unused = dict(tensors)

    def arrays(prefix: str) -> dict[str, Any]:
        names = [name for name in unused if name.startswith(f"{prefix}.")]
        return {name.removeprefix(f"{prefix}."): unused.pop(name) for name in names}

    if graph["format"] != FORMAT_VERSION:
        raise NetworkError(f"format {graph['format']}; this pumice reads {FORMAT_VERSION}")
    if not (graph["output"] and isinstance(graph["output"], str)):
        raise NetworkError(f"output is {graph['output']!r}, needs a name")
    if not isinstance(graph["provenance"], dict):
        raise NetworkError(f"provenance is {graph['provenance']!r}, needs a table")

    populations = [
        Population(**{**p, "shape": tuple(p["shape"])}, **arrays(f"{p['name']}/population"))
        for p in graph["populations"]
    ]
    projections = []
    for values in graph["projections"]:
        described = dict(values["connection"])
        kind = CONNECTION_KINDS[described.pop("kind")]
        connection = kind(**described, **arrays(f"{values['name']}/projection"))
        projections.append(Projection(**{**values, "connection": connection}))
    if unused:
        raise NetworkError(f"arrays {', '.join(unused)} belong to nothing in it")
    thresholds = graph.get("early_exit")
    return Network(
        tuple(populations),
        tuple(projections),
        graph["output"],
        graph["provenance"],
        None if thresholds is None else EarlyExit(tuple(thresholds)),
    )
