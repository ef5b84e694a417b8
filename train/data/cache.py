"""Recordings that were made once and kept."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...runtime.errors import DataError, FileError
from .recordings import Recordings, read_recordings, write_recordings

FORMAT = 1  # of the file and of what makes it: after a change of either, count on


def kept(
    name: str,
    parameters: Mapping[str, Any],
    width: int,
    height: int,
    make: Callable[[], Recordings],
) -> Recordings:
    """Return the recordings kept under `name` and `parameters`, or make and keep them.

    `parameters`: plain values, all that decides what `make` returns. The file stands in `pumice`
    in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`), carries its SHA-256, and is
    made anew where it is damaged. Where the folder cannot be written nothing is kept.
    """
    folder = _folder()
    if folder is None:
        return make()
    described = json.dumps({"format": FORMAT, **parameters}, sort_keys=True)
    key = hashlib.sha256(described.encode()).hexdigest()[:16]
    file = folder / f"{name}-{key}.npz"
    try:
        return read_recordings(file, width, height)
    except DataError:
        recordings = make()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_recordings(file, recordings)
    except (OSError, FileError):
        pass  # a cache that cannot be written costs time, nothing else
    return recordings


def _folder() -> Path | None:
    """Return the folder to keep files in, or none where the user has no home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # the XDG specification says to ignore relative paths
        return Path(named) / "pumice"
    try:
        return Path.home() / ".cache" / "pumice"
    except RuntimeError:
        return None
