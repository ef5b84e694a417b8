"""Dataset `folder`: own files, by one line of Python or one table of a recipe.

A folder of one subfolder per class with images, event recordings, videos, audio or time series, or
a file of arrays. Samples are decoded when asked for and kept in a cache on disk.
"""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.config import validate
from ...runtime.errors import DataError
from .array_file import load_array_file
from .dataset import Dataset, FrameSet, Labels
from .encoders import encode_dataset
from .file_frames import (
    Copies,
    FileList,
    Reader,
    cached_file_frames,
    describe_unreadable,
    digest_files,
)
from .file_tree import EXPECTED_FILES, FileTree, list_files, list_targets, match_pattern
from .frame_cache import CacheOptions, cached_frames
from .options import DataOptions
from .partition import divide, follow, natural_order
from .readers.reader import guess_kind, make_reader, suffixes_of
from .sources import ConcatSource
from .split_options import SplitOptions

NAME = "folder"
SOURCES = {"images": "images in folders", "recordings": "event recordings in folders"}


def from_folder(
    path: str | os.PathLike[str],
    *,
    sensor: tuple[int, int] | None = None,
    test_fraction: float | None = None,
    **options: Any,
) -> Dataset:
    """Dataset of own files in folders, one per class, or of a file of arrays.

    `FOLDER/train/CLASS/*` with `FOLDER/test/CLASS/*` (or `val`; with both, `val` is the validation
    part), or `FOLDER/CLASS/*`, which is divided by `split`. Class names are in alphabetical order.
    Files are decoded when their samples are asked for, in worker processes while training.

    Images (`.png`, `.jpg`, ...) are scaled so that the shorter side has `size` pixels (default 64),
    cropped to the middle square and repeated over time. Recordings are binned from their first
    event to their last: `.bin` and `.bs2` (40 bits per event), `.csv` and `.txt` (lines of time, x,
    y and polarity in the order of a header or of the numbers), `.aedat`, `.aedat4`, `.raw`, `.dat`,
    `.es`, and `.npz` with arrays x, y, t and p. Of videos, `timesteps` images are taken; audio
    becomes log-mel spectra of `size` bands; of time series (`format="series"`: `.csv`, `.npy`,
    `.npz`) each timestep holds a few rows. A file of arrays is described at `load_array_file`. With
    `targets`, a table of files and their numbers, the numbers are learned: a regression.

    Args:
        path: The folder, or a file of arrays.
        sensor: Width and height of the recordings' sensor in pixels; by default as many as the
            events of all recordings reach.
        test_fraction: Fraction of the smallest class that is held out of each class to test, the
            same as `split={"test": ...}` (default 0.2); drawn by `seed`.
        **options: Other fields of `DataOptions`: `timesteps`, `binning`, `values`, `pool`, `size`,
            `value_bits`, `encoding`, `seed`, `format`, `class_pattern`, `split`, `unreadable`,
            `targets`, `cache`.

    Raises:
        DataError: The folder holds no samples, its parts differ in their classes, or more files
            cannot be read than `unreadable` allows.
        MissingPackage: A package that reads these files is not installed.
    """
    folder = Path(path)
    if test_fraction is not None:
        if not 0 < test_fraction < 1:
            raise DataError(f"test_fraction is {test_fraction}, needs a number between 0 and 1")
        options["split"] = {**dict(options.get("split") or {}), "test": test_fraction}
    table = {**options, "name": NAME, "folder": folder, "sensor": sensor}
    settings = validate(DataOptions, table, str(folder))
    return encode_dataset(load_folder(settings), settings)


def load_folder(options: DataOptions) -> Dataset:
    """Load own data from `options.folder`; see `from_folder`."""
    folder = options.folder
    if folder is None:
        raise DataError(f"{NAME}: no path given; {EXPECTED_FILES}, or a file of arrays")
    if folder.is_file() or options.format == "arrays":
        return load_array_file(options)
    if options.targets is None:
        tree = list_files(folder, suffixes_of(options.format), options.class_pattern)
    else:
        tree = list_targets(folder, options.targets)
    kind = options.format or guess_kind(tree.files)
    split = options.split or SplitOptions()
    classes = tree.labels if tree.class_names else np.zeros(len(tree.labels), np.int64)
    parts, how = divide(
        classes, split, options.seed, tree.parts, _groups(tree, split), _order(tree, split)
    )
    source = SOURCES.get(kind, f"{kind} files in folders")
    return load_tree(folder.name, replace(tree, parts=parts), kind, options, source, how)


def load_tree(
    name: str, tree: FileTree, kind: str, options: DataOptions, source: str, split: str
) -> Dataset:
    """Dataset of files whose parts are known, decoded when asked for and cached on disk.

    Args:
        name: Name of the dataset.
        tree: The files, their labels and parts, of which "train" and "test" are needed.
        kind: Kind of the files, see `readers.reader.KINDS`.
        options: Options of the dataset.
        source: Origin of the files, for the provenance.
        split: Description of the split, for the provenance.

    Raises:
        DataError: More files cannot be read than `options.unreadable` allows, or those of a part.
        MissingPackage: A package that reads these files is not installed.
    """
    reader = make_reader(kind, tree.items, tree.parts["train"], options)
    cached = cached_file_frames(kind, reader.source, options, encoder=dict(reader.encoder))
    samples = FrameSet(cached.source, tree.labels[cached.kept])
    present = follow(dict(tree.parts), cached.kept)
    sets = {part: samples[indices] for part, indices in present.items() if len(indices)}
    if not {"train", "test"} <= set(sets):
        raise DataError(f"{tree.files.folder}: a part has no file that can be read")
    if reader.augmented:
        labels = tree.labels[tree.parts["train"]]
        sets["train"] = _with_copies(sets["train"], reader, labels, options)
    digest, covers = _digest(tree, options)
    provenance: dict[str, Any] = {
        "source": source,
        "digest_covers": covers,
        "split": split,
        **({"class_names": list(tree.class_names)[:1000]} if tree.class_names else {}),
        "options": options.model_dump(mode="json", exclude={"folder"}, exclude_none=True),
        **describe_unreadable(cached.broken, tree.files.folder),
        **({"encoder": [dict(reader.encoder)]} if reader.encoder else {}),
    }
    return Dataset(
        name,
        sets["train"],
        sets["test"],
        tree.outputs,
        digest,
        provenance,
        sets.get("validation"),
        augmented=reader.augmented is not None,
    )


def _with_copies(
    samples: FrameSet, reader: Reader, labels: Labels, options: DataOptions
) -> FrameSet:
    """Training samples and, behind them, the augmented copies of each training file."""
    assert reader.augmented
    copies = len(reader.augmented) // len(labels)
    assert isinstance(reader.augmented.items, Copies)
    files = reader.augmented.items.files.signature()
    key = {"files": files, "encoder": dict(reader.encoder), "seed": options.seed}
    key |= {"audio": options.audio.model_dump(mode="json") if options.audio else None}
    if options.series:
        key |= {"series": options.series.model_dump(mode="json")}
    limits = CacheOptions(options.cache, options.unreadable or 0.0)
    cached = cached_frames("augmented", key, reader.augmented, limits)
    source = ConcatSource((samples.source, cached.source))
    labels = np.concatenate([samples.labels, np.repeat(labels, copies)[cached.kept]])
    return FrameSet(source, labels)


def _groups(tree: FileTree, split: SplitOptions) -> list[str] | None:
    if split.pattern is None:
        return None
    return match_pattern(tree.files, tree.files.folder, split.pattern, "split.pattern")


def _order(tree: FileTree, split: SplitOptions) -> Any:
    if split.by != "time":
        return None
    return natural_order([os.fsdecode(name) for name in tree.files.names.tolist()])


def _digest(tree: FileTree, options: DataOptions) -> tuple[str, str]:
    """SHA-256 of the options, the files and their classes, hexadecimal, and what it covers."""
    digest = hashlib.sha256(options.digest_json(exclude_none=True).encode())
    whole = tree.files
    if tree.ranges is not None:
        digest.update(tree.ranges.tobytes())
        whole = FileList(whole.folder, sorted({*whole}))
    files, covers = digest_files(whole)
    digest.update(files.encode() + tree.labels.tobytes())
    return digest.hexdigest(), covers
