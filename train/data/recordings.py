"""Labeled event recordings and their `.npz` file."""

import hashlib
import os
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import ValueEquality, as_readonly
from ...runtime.errors import DataError
from ...runtime.files import atomic_write
from ...runtime.input_file import open_input
from .events import Events

ARRAYS = ("x", "y", "p", "t", "offsets", "labels")
# What numpy and zipfile raise on a truncated, altered or other file.
NPZ_ERRORS = (
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class Recordings(ValueEquality):
    """Recordings of one sensor with labels, int64 (recordings,) from 0.

    Raises `DataError` where there are none, numbers differ, sensors differ or a label is negative.
    """

    events: tuple[Events, ...]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(self.events))
        object.__setattr__(self, "labels", as_readonly(self.labels, np.int64, "labels", DataError))
        if not self.events or self.labels.shape != (len(self.events),):
            raise DataError(
                f"labels: shape {self.labels.shape}, but there are {len(self.events)} recordings; "
                "needs one label each, and one recording or more"
            )
        if self.labels.min() < 0:
            raise DataError(f"labels: hold {self.labels.min()}, need 0 or more")
        sizes = {(events.width, events.height) for events in self.events}
        if len(sizes) > 1:
            raise DataError(f"recordings come from sensors of different sizes: {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.events)


def read_recordings(path: str | os.PathLike[str], width: int, height: int) -> Recordings:
    """Read an `.npz` of concatenated recordings of a sensor of `width` x `height` pixels.

    Its arrays are `x`, `y`, `p` (polarity) and `t` (microseconds), integers (events,); `offsets`,
    integers (recordings + 1,), where recording k is `offsets[k]` to `offsets[k + 1]`; and `labels`,
    integers (recordings,). A `sha256`, if present, must match. Nothing in the file is executed.
    Raises `DataError` where the file is missing, truncated, altered or of another kind.
    """
    try:
        with open_input(path) as file, np.load(file, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in ARRAYS}
            digest = str(opened["sha256"]) if "sha256" in opened else None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DataError:
        raise
    except NPZ_ERRORS as error:
        message = " ".join(str(error).split())
        raise DataError(f"{path}: is not a complete .npz of recordings ({message})") from error
    if digest not in (None, _digest(arrays)):
        raise DataError(f"{path}: was altered (its SHA-256 does not match)")
    try:
        return _split_recordings(arrays, width, height)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def write_recordings(path: str | os.PathLike[str], recordings: Recordings) -> None:
    """Write the `.npz` that `read_recordings` reads, with its SHA-256, atomically."""
    events = recordings.events
    arrays: dict[str, Any] = {
        "x": np.concatenate([one.x for one in events]),
        "y": np.concatenate([one.y for one in events]),
        "p": np.concatenate([one.polarity for one in events]),
        "t": np.concatenate([one.t for one in events]),
        "offsets": np.cumsum([0, *(len(one) for one in events)]),
        "labels": recordings.labels,
    }
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, sha256=np.array(_digest(arrays)), **arrays)


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in ARRAYS:
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _split_recordings(arrays: dict[str, NDArray[Any]], width: int, height: int) -> Recordings:
    lengths = {name: len(arrays[name]) if arrays[name].ndim == 1 else -1 for name in ARRAYS}
    count = lengths["labels"]
    if len({lengths[name] for name in ("x", "y", "p", "t")}) > 1 or -1 in lengths.values():
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(f"has {shapes}; needs x, y, p and t of one length, and no other axes")
    offsets = as_readonly(arrays["offsets"], np.int64, "offsets", DataError)
    if (
        len(offsets) != count + 1
        or offsets[0] != 0
        or offsets[-1] != lengths["t"]
        or (np.diff(offsets) < 0).any()
    ):
        raise DataError(
            f"offsets do not cut {lengths['t']} events into {count} recordings; "
            f"needs {count + 1} ascending numbers from 0 to {lengths['t']}"
        )
    events: list[Events] = []
    for k, part in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
        x, y, polarity, t = (arrays[name][slice(*part)] for name in ("x", "y", "p", "t"))
        try:
            events.append(Events(x, y, polarity, t, width, height))
        except DataError as error:
            raise DataError(f"recording {k}: {error}") from None
    return Recordings(tuple(events), arrays["labels"])
