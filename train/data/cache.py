"""On-disk cache of generated recordings and decoded arrays."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ...runtime.errors import DataError, FileError, PumiceWarning
from ...runtime.files import atomic_write, cache_path
from .recordings import Recordings, read_recordings, write_recordings

FORMAT = 3  # version of the files and of the code that generates them: raise after any change


def cached_recordings(
    name: str,
    parameters: Mapping[str, Any],
    width: int,
    height: int,
    make: Callable[[], Recordings],
) -> Recordings:
    """Recordings from the cache, or from `make`, which then are written to the cache.

    The file is in `pumice` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`), carries
    its SHA-256, and is made again where it is damaged. Where the folder cannot be written, nothing
    is cached.

    Args:
        name: Start of the file name.
        parameters: Plain values that determine what `make` returns; the cache key.
        width: Width of the sensor, pixels.
        height: Height of the sensor, pixels.
        make: Generates the recordings.
    """
    file = cache_path(f"{name}-{cache_key(parameters)}.npz")
    if file is None:
        warn_not_cached("there is no home folder")
        return make()
    try:
        return read_recordings(file, width, height)
    except DataError:
        recordings = make()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_recordings(file, recordings)
    except (OSError, FileError) as error:  # which costs time, nothing else
        warn_not_cached(error)
    return recordings


def cached_array(
    name: str, parameters: Mapping[str, Any], make: Callable[[], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """A uint8 array from the cache, or from `make`, which then is written to the cache.

    As `cached_recordings`, in a safetensors file that carries the array's SHA-256.
    """
    file = cache_path(f"{name}-{cache_key(parameters)}.safetensors")
    if file is None:
        warn_not_cached("there is no home folder")
        return make()
    try:
        with safe_open(file, framework="np") as opened:
            array: NDArray[np.uint8] = opened.get_tensor("array")
            if (opened.metadata() or {}).get("sha256") == hashlib.sha256(array.data).hexdigest():
                return array
    except (SafetensorError, OSError):
        pass
    array = np.ascontiguousarray(make())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary:
            digest = hashlib.sha256(array.data).hexdigest()
            save_file({"array": array}, temporary, {"sha256": digest})
    except (OSError, FileError, SafetensorError) as error:
        warn_not_cached(error)
    return array


def cached_values(name: str, parameters: Mapping[str, Any], make: Callable[[], list[Any]]) -> Any:
    """Plain values from the cache, or from `make`, as a JSON file; see `cached_recordings`."""
    file = cache_path(f"{name}-{cache_key(parameters)}.json")
    if file is None:
        warn_not_cached("there is no home folder")
        return make()
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        values = make()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps(values), encoding="utf-8")
    except (OSError, FileError) as error:
        warn_not_cached(error)
    return values


def warn_not_cached(reason: object) -> None:
    """Warn that data is made anew at every start, since the cache cannot be written."""
    if isinstance(reason, OSError) and reason.filename:
        reason = f"{reason.filename}: {reason.strerror}"
    message = f"{reason}: data is not cached but made anew at every start; set XDG_CACHE_HOME"
    warnings.warn(message, PumiceWarning, stacklevel=3)


def cache_key(parameters: Mapping[str, Any]) -> str:
    """Hash plain values and the format version to a file name."""
    text = json.dumps({"format": FORMAT, **parameters}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
