"""Event datasets read through tonic from local files; nothing is downloaded.

tonic (GPL-3.0) is an extra, imported only here. Frames are cached under all that determines them.
Splits are those of the papers: where a dataset has none of its own, the first nine tenths of each
class are for training and the rest for test, as in TET and ETC. Their bilinear resize of frames is
done here on events (`size = 48`), so that values stay integers.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, MissingPackage
from .dataset import Dataset, FrameSet, compute_digest
from .events import Events
from .file_frames import FRAME_FIELDS, recording_source
from .frame_cache import CacheOptions, cached_frames
from .options import DataOptions

TRAIN_TENTHS = 9


@dataclass(frozen=True)
class TonicDataset:
    """A dataset of tonic: its class, sensor size in pixels, number of classes and source.

    `parts`: tonic's arguments for the training and the test part, where it has parts.
    """

    name: str
    tonic_class: str
    width: int
    height: int
    classes: int
    source: str
    parts: tuple[dict[str, Any], ...] = ({},)


TONIC_DATASETS = {
    each.name: each
    for each in (
        TonicDataset(
            "dvs-cifar10", "CIFAR10DVS", 128, 128, 10,
            "DVS-CIFAR10, H. Li et al., Frontiers in Neuroscience 11:309, 2017; CC BY 4.0",
        ),
        TonicDataset(
            "ncaltech101", "NCALTECH101", 240, 180, 101,
            "N-Caltech101, G. Orchard et al., Frontiers in Neuroscience 9:437, 2015; CC BY 4.0",
        ),
        TonicDataset(
            "dvs-gesture", "DVSGesture", 128, 128, 11,
            "DVS128 Gesture, A. Amir et al., CVPR 2017; CC BY 4.0",
            ({"train": True}, {"train": False}),
        ),
    )
}  # fmt: skip


def load_dvs_cifar10(options: DataOptions) -> Dataset:
    """Load DVS-CIFAR10 from `options.folder`; raises `DataError` where files are missing."""
    return load_tonic(TONIC_DATASETS["dvs-cifar10"], options)


def load_ncaltech101(options: DataOptions) -> Dataset:
    """Load N-Caltech101 from `options.folder`; raises `DataError` where files are missing."""
    return load_tonic(TONIC_DATASETS["ncaltech101"], options)


def load_tonic(which: TonicDataset, options: DataOptions) -> Dataset:
    """Load a dataset of tonic as frames, from the folder that tonic's `save_to` names.

    Raises `DataError` where files are missing, and `MissingPackage` without tonic.
    """
    if options.folder is None:
        raise DataError(
            f"{which.name}: no folder given; needs {which.tonic_class}/ as tonic unpacks it"
        )
    opened = [_open_tonic(which, options.folder, part) for part in which.parts]
    targets = [np.asarray(each.targets) for each in opened]
    names = sorted({str(label) for part in targets for label in part.tolist()}, key=_sort_key)
    if len(names) > which.classes:
        raise DataError(f"{which.name}: has {len(names)} classes, needs {which.classes}")
    labels = [np.array([names.index(str(v)) for v in part.tolist()], np.int64) for part in targets]
    if len(opened) == 1:
        training = first_90_percent(labels[0])
        chosen, split = [training, ~training], "the first nine tenths of each class"
        opened, labels = opened * 2, labels * 2
    else:
        chosen, split = [np.ones(part.shape, bool) for part in labels], "as published"
    train, test = (
        _load_part(which, source, mask, part, options, number)
        for number, (source, mask, part) in enumerate(zip(opened, chosen, labels, strict=True))
    )
    provenance = {
        "source": which.source,
        "split": split,
        "options": options.model_dump(mode="json", exclude={"folder"}),
    }
    digest = compute_digest(train, test, options)
    return Dataset(which.name, train, test, which.classes, digest, provenance)


def first_90_percent(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask of the first nine tenths of each class, rounded down, bool (samples,)."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        chosen[members[: len(members) * TRAIN_TENTHS // 10]] = True
    return chosen


def _open_tonic(which: TonicDataset, folder: Path, part: dict[str, Any]) -> Any:
    """Open a part as tonic does, but raise `DataError` where it would download."""
    try:
        from tonic import datasets
    except ImportError as error:
        raise MissingPackage(f"{which.name} needs tonic: pip install 'pumice[events]'") from error

    def raise_missing(_: Any) -> None:
        raise DataError(
            f"{which.name}: {folder}: {which.tonic_class}/ as tonic unpacks it is missing or "
            "incomplete; download it yourself"
        )

    local: Callable[..., Any] = type(
        "Local", (getattr(datasets, which.tonic_class),), {"download": raise_missing}
    )
    local.__name__ = which.tonic_class  # tonic takes the folder's name from it
    return local(str(folder), **part)


def _load_part(
    which: TonicDataset,
    source: Any,
    mask: NDArray[np.bool_],
    labels: NDArray[np.int64],
    options: DataOptions,
    part: int,
) -> FrameSet:
    """The recordings that `mask` chooses of a part, as frames from the cache."""
    chosen = np.flatnonzero(mask)
    sensor = which.width, which.height
    frames = recording_source(chosen.tolist(), TonicReader(source, which), sensor, options)
    parameters = {
        "set": which.name,
        "part": part,
        "chosen": [len(chosen), len(mask)],
        "files": files_digest(source.data),
        "options": options.model_dump(mode="json", include=FRAME_FIELDS),
    }
    cache = CacheOptions(options.cache, options.unreadable or 0.0)
    cached = cached_frames(which.name, parameters, frames, cache)
    return FrameSet(cached.source, labels[chosen][cached.kept])


@dataclass(frozen=True)
class TonicReader:
    """Reads a recording of a dataset of tonic by its index."""

    source: Any
    which: TonicDataset

    def __call__(self, index: int) -> Events:
        """Events of the recording, in time order."""
        return _to_events(self.source[index][0], self.which)


def files_digest(files: Sequence[Any]) -> str:
    """SHA-256 of the names, sizes and times of files."""
    digest = hashlib.sha256()
    for file in files:
        path = str(file)
        state = os.stat(path)[6:9:2] if os.path.isfile(path) else ()
        digest.update(f"{os.path.basename(path)} {state} ".encode())
    return digest.hexdigest()


def _to_events(raw: Any, which: TonicDataset) -> Events:
    order = np.argsort(raw["t"], kind="stable")
    x, y, t, p = (np.asarray(raw[name])[order].astype(np.int64) for name in ("x", "y", "t", "p"))
    return Events(x, y, np.minimum(p, 1), t - t[:1], which.width, which.height)


def _sort_key(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (-1, name)
