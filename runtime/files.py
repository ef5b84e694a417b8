"""Atomic file writes, and the `.pumice` format of networks and programs.

A `.pumice` file is a safetensors file: the integer arrays as tensors, and in its header, under
`pumice`, a SHA-256 over all of it and the graph as JSON. Nothing in it is ever executed. Arrays of
many values are stored at the bits that they have, described under `packed` in the graph. Format
version 2 stored them as they are and had only neurons that are reset to zero, and version 1 had
other recipe keys in the provenance; all are read, with the provenance as it was written.
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .connections import CONNECTION_KINDS, Connection, connection_kind
from .early_exit import EarlyExit
from .encoders.encoder import encoder_from_dict, encoder_to_dict
from .errors import FileError, NetworkError
from .input_file import check_lfs_pointer
from .network import Network
from .packing import Packing, pack, unpack
from .population import Population, default_fields
from .program import Core, Program, Slice
from .projection import Projection
from .readout import Readout
from .strict_json import parse_json

FORMAT_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
PACKED_VALUES = 64  # arrays of fewer would take more room for what describes them
DIGEST_VERSION = 1  # what a network computes has one digest, whatever the version of the file
STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")
Arrays = Mapping[str, NDArray[Any]]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, renamed to `path` when the block succeeds.

    A reader never sees a partial file, and the temporary one is removed in any case. Only regular
    files are replaced: a symbolic link stays and its target is written; a pipe or a character
    device such as /dev/stdout receives the content. Raises `FileError` where `path` is a folder or
    another special file, the disk is full or the folder cannot be written.
    """
    final = Path(os.path.realpath(path))
    through = _takes_a_stream(path)
    folder = tempfile.gettempdir() if through else final.parent
    try:
        handle, name = tempfile.mkstemp(prefix=f".{final.name}.", dir=folder)
        os.close(handle)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        yield temporary
        if through:
            with temporary.open("rb") as file, open(path, "wb") as device:
                shutil.copyfileobj(file, device)
        else:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(final)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_files(folder: str | os.PathLike[str], contents: Mapping[str, str]) -> None:
    """Write text files by name into `folder`, which is created; as one, or none of them.

    All are complete before the first is renamed. Raises `FileError` as `atomic_write` does.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be created: {error.strerror}") from error
    with ExitStack() as stack:
        for name, content in contents.items():
            temporary = stack.enter_context(atomic_write(folder / name))
            temporary.write_text(content, encoding="utf-8")


def check_output_folder(folder: str | os.PathLike[str]) -> None:
    """Raise `FileError` where files cannot be written to `folder`; creates nothing."""
    path = Path(folder)
    existing = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    if not existing.is_dir():
        raise FileError(f"{existing}: is a file; name a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise FileError(f"{folder}: cannot be written: no permission in {existing}; name another")


def check_output_file(path: str | os.PathLike[str]) -> None:
    """Raise `FileError` where `atomic_write` cannot write `path`; creates nothing."""
    final = Path(os.path.realpath(path))
    if _takes_a_stream(path):
        return
    if not final.parent.is_dir():
        raise FileError(f"{path}: cannot be written: no folder {final.parent}; create it first")
    if not os.access(final.parent, os.W_OK | os.X_OK):
        raise FileError(
            f"{path}: cannot be written: no permission in {final.parent}; name another folder"
        )


def _takes_a_stream(path: str | os.PathLike[str]) -> bool:
    """True for a pipe or character device; raises `FileError` for what cannot be written."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise FileError(f"{path}: is a folder; name a file in it")
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or os.fspath(path).startswith(STREAMS):
        return True
    if not stat.S_ISREG(mode):
        raise FileError(f"{path}: is a special file; name a regular file")
    return False


def cache_path(name: str) -> Path | None:
    """Locate a file of that name in the user's cache folder; None without a home folder."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(folder):  # the XDG specification says to ignore relative paths
        return Path(folder) / "pumice" / name
    try:
        return Path.home() / ".cache" / "pumice" / name
    except RuntimeError:
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_network(path: str | os.PathLike[str], network: Network) -> None:
    """Write `network` atomically to `path`, a `.pumice` file; raises `FileError`."""
    _write(path, *_serialize(network))


def write_program(path: str | os.PathLike[str], program: Program) -> None:
    """Write `program` atomically to `path`; `read_network` reads its network from it.

    Raises `FileError` where the file cannot be written.
    """
    graph, tensors = _serialize(program.network)
    cores = [
        {
            **{key: getattr(core, key) for key in ("chip", "number", "x", "y")},
            "usage": dict(core.usage),
            "slices": [[part.population, part.start, part.stop] for part in core.slices],
        }
        for core in program.cores
    ]
    placement = {"target": program.target, "limits": dict(program.limits), "cores": cores}
    _write(path, graph | {"program": placement}, tensors)


def read_network(path: str | os.PathLike[str]) -> Network:
    """Read a network from a `.pumice` file, of format version 1 to 3.

    Raises `FileError` where the file is absent, truncated, altered or of another kind.
    """
    return _read(path)[0]


def read_program(path: str | os.PathLike[str]) -> Program:
    """Read a program; raises `FileError` as `read_network` does, or without a placement."""
    network, placement = _read(path)
    if placement is None:
        raise FileError(f"{path}: holds a network that is on no cores; place it first")
    try:
        cores = [
            Core(**{**core, "slices": tuple(Slice(*part) for part in core["slices"])})
            for core in placement["cores"]
        ]
        return Program(network, str(placement["target"]), placement["limits"], tuple(cores))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{path}: holds an invalid placement ({error})") from error


def _write(
    path: str | os.PathLike[str], graph: dict[str, Any], tensors: dict[str, NDArray[Any]]
) -> None:
    stored, packed = _pack_arrays(tensors)
    try:
        header = json.dumps(graph | {"packed": packed}, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise FileError(f"{path}: the provenance cannot be written as JSON ({error})") from error
    # One entry, not two: safetensors writes entries in an order that changes from run to run.
    content = save(stored, {"pumice": f"{_digest(header, stored)} {header}"})
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def describe_absence(path: str | os.PathLike[str]) -> str:
    """Why there is no regular file at `path`: a folder, a device or FIFO, or nothing."""
    if os.path.isdir(path):
        return "is a folder; name a file in it"
    return "is no regular file; name one" if os.path.exists(path) else "no such file"


def _read(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any] | None]:
    """Read the network of a file and, of a program, its placement as JSON values."""
    if not os.path.isfile(path):
        raise FileError(f"{path}: {describe_absence(path)}")
    check_lfs_pointer(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise FileError(f"{path}: cannot be opened; may it be read?") from error
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise FileError(
            f"{path}: is truncated or no .pumice file ({error}); write it again"
        ) from error
    if "pumice" not in metadata:
        raise FileError(f"{path}: is a safetensors file, but holds no pumice network")
    digest, _, header = metadata["pumice"].partition(" ")
    if _digest(header, tensors) != digest:
        raise FileError(f"{path}: was altered (its SHA-256 does not match); write it again")
    try:
        graph = parse_json(header)
        return _deserialize(graph, tensors), graph.get("program")
    except (KeyError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{path}: holds an invalid network ({error})") from error


def _pack_arrays(tensors: Arrays) -> tuple[dict[str, NDArray[Any]], dict[str, Packing]]:
    """Pack the arrays that have many values, equal ones once.

    Returns what is stored, and for each packed array what `unpack` needs, or under `same` the name
    of the array that it equals.
    """
    stored, packed = dict(tensors), {}
    first: dict[bytes, str] = {}
    for name, array in tensors.items():
        if array.size < PACKED_VALUES:
            continue
        stored[name], packed[name] = pack(array)
        content = hashlib.sha256(json.dumps(packed[name]).encode() + stored[name].tobytes())
        same = first.setdefault(content.digest(), name)
        if same != name:
            packed[name] = {"same": same}
            del stored[name]
    return stored, packed


def _unpack_arrays(packed: Mapping[str, Packing], tensors: Arrays) -> dict[str, NDArray[Any]]:
    arrays = dict(tensors)
    arrays |= {name: unpack(tensors[name], packed[name]) for name in packed if name in tensors}
    return arrays | {name: arrays[packed[name]["same"]] for name in packed if name not in tensors}


def network_digest(network: Network) -> str:
    """Compute the SHA-256 of what `network` computes; its provenance takes no part."""
    graph, tensors = _serialize(network)
    del graph["provenance"]
    graph["format"] = DIGEST_VERSION
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

    def split(instance: Any, prefix: str) -> dict[str, Any]:
        values = {f.name: getattr(instance, f.name) for f in fields(instance)}
        if isinstance(instance, Population):
            values = {k: v for k, v in values.items() if k not in default_fields(instance)}
        if isinstance(instance, Projection) and instance.component == "real":
            del values["component"]  # so that digests stay as they were
        for key, value in values.items():
            if isinstance(value, np.ndarray):
                tensors[f"{prefix}.{key}"] = value
        return {k: v for k, v in values.items() if not isinstance(v, np.ndarray)}

    projections = []
    for projection in network.projections:
        kind = connection_kind(projection.connection)
        connection = {"kind": kind, **split(projection.connection, f"{projection.name}/projection")}
        projections.append({**split(projection, ""), "connection": connection})
    populations = [split(p, f"{p.name}/population") for p in network.populations]
    graph = {
        "format": FORMAT_VERSION,
        "output": network.output,
        "provenance": dict(network.provenance),
        "populations": populations,
        "projections": projections,
    }
    if network.early_exit:
        graph["early_exit"] = network.early_exit.thresholds
    if network.encoders:
        graph["encoders"] = [encoder_to_dict(encoder) for encoder in network.encoders]
    if network.readout != Readout():
        graph["readout"] = network.readout.to_dict()
    return graph, tensors


def _deserialize(graph: dict[str, Any], tensors: Arrays) -> Network:
    if graph["format"] not in READABLE_VERSIONS:
        readable = f"{READABLE_VERSIONS[0]} to {READABLE_VERSIONS[-1]}"
        raise NetworkError(f"format {graph['format']}; this pumice reads {readable}")
    unused = _unpack_arrays(graph["packed"] if graph["format"] > 2 else {}, tensors)
    if not (graph["output"] and isinstance(graph["output"], str)):
        raise NetworkError(f"output is {graph['output']!r}, needs a name")
    if not isinstance(graph["provenance"], dict):
        raise NetworkError(f"provenance is {graph['provenance']!r}, needs a table")

    def arrays(prefix: str) -> dict[str, Any]:
        names = [name for name in unused if name.startswith(f"{prefix}.")]
        return {name.removeprefix(f"{prefix}."): unused.pop(name) for name in names}

    populations = [
        Population(**{**p, "shape": tuple(p["shape"])}, **arrays(f"{p['name']}/population"))
        for p in graph["populations"]
    ]
    projections = []
    shared: dict[tuple[Any, ...], Connection] = {}  # equal weights are compiled and computed once
    for values in graph["projections"]:
        parameters = dict(values["connection"])
        named = arrays(f"{values['name']}/projection")
        key = json.dumps(parameters, sort_keys=True), *((n, id(named[n])) for n in sorted(named))
        kind = CONNECTION_KINDS[parameters.pop("kind")]
        if key not in shared or not named:
            shared[key] = kind(**parameters, **named)
        projections.append(Projection(**{**values, "connection": shared[key]}))
    if unused:
        raise NetworkError(f"arrays {', '.join(unused)} belong to no part of the graph")
    thresholds = graph.get("early_exit")
    return Network(
        tuple(populations),
        tuple(projections),
        graph["output"],
        graph["provenance"],
        None if thresholds is None else EarlyExit(tuple(thresholds)),
        tuple(map(encoder_from_dict, graph.get("encoders", ()))),
        Readout(**graph.get("readout", {})),
    )
