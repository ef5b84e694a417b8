"""Files of labeled samples below a folder: their classes, and the parts that the folder has."""

import csv
import math
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .file_frames import FileList, FileRanges

EXPECTED_FILES = "needs a folder of images or recordings per class, in train/ and test/ or directly"
PARTS = {"train": "train", "test": "test", "val": "validation", "validation": "validation"}
Found = tuple[str, str]  # path of a file, name of its class


@dataclass(frozen=True)
class FileTree:
    """Files with their classes.

    Attributes:
        files: The files, part by part and class by class.
        labels: Class indices, int64 (files,); or targets of a regression, float32 (files, outputs).
        class_names: Names of the classes, in alphabetical order.
        parts: Indices of the files of each part that the folder has; empty where it has none.
        ranges: First and last frame of the sample in its file, from 0, int64 (files, 2), where a
            file holds several samples and is named once for each; None where samples are files.
    """

    files: FileList
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    parts: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    ranges: NDArray[np.int64] | None = None

    @property
    def items(self) -> FileList | FileRanges:
        """Items that a reader reads, one for each sample."""
        return self.files if self.ranges is None else FileRanges(self.files, self.ranges)

    @property
    def outputs(self) -> int:
        """Number of classes, or of targets."""
        return len(self.class_names) or int(self.labels.shape[1])


def list_files(folder: Path, suffixes: Collection[str], class_pattern: str | None) -> FileTree:
    """List the files with one of `suffixes` (lower case) and their classes.

    The class is the first group of `class_pattern` in the path below `folder`; without it, the
    folder that the file is in. Raises `DataError` where a folder or class has no such files, the
    parts differ in their classes, or the pattern does not fit a file.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {EXPECTED_FILES}")
    found: dict[str, list[Found]] = {}
    names: list[str] = []
    for part, place in _list_parts(folder).items():
        listed, found[part] = _list_part(folder, place, suffixes, class_pattern)
        if names and listed != names:
            raise DataError(
                f"{place}: its class folders are {', '.join(listed[:5])}, "
                f"but those of {folder / 'train'} are {', '.join(names[:5])}"
            )
        names = listed
    every = [each for part in found.values() for each in part]
    numbers = {name: k for k, name in enumerate(names)}
    labels = np.array([numbers[name] for _, name in every], np.int64)
    ends = np.cumsum([len(part) for part in found.values()])
    indices = dict(zip(found, np.split(np.arange(len(every)), ends[:-1]), strict=True))
    files = FileList(folder, [path for path, _ in every])
    return FileTree(files, labels, tuple(names), indices if "train" in indices else {})


def list_targets(folder: Path, table: Path) -> FileTree:
    """List the files below `folder` that a table names, with their targets.

    A line of the table is the path of a file and its numbers, separated by commas; a first line
    without numbers is a header. Raises `DataError` where the table cannot be read, a line has
    another form, or a file is named twice or absent.
    """
    path = table if table.is_absolute() else folder / table
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table of targets ({error})") from error
    if rows and _as_numbers(rows[0][1:]) is None:
        rows = rows[1:]
    targets = [_as_numbers(row[1:]) for row in rows]
    width = next((len(values) for values in targets if values), 0)
    for row, values in zip(rows, targets, strict=True):
        if not values or len(values) != width:
            raise DataError(
                f"{path}: the line of {row[0]!r} has no {width or 1} finite numbers after the path"
            )
        if not (folder / row[0]).is_file():
            raise DataError(f"{path}: names {row[0]!r}, which is no file in {folder}")
    names = [row[0] for row in rows]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not rows or twice:
        what = f"names {twice[0]!r} twice" if twice else "names no file"
        raise DataError(f"{path}: {what}; needs lines of a path and its numbers")
    return FileTree(FileList(folder, [folder / name for name in names]),
                    np.array(targets, np.float32), ())  # fmt: skip


def _as_numbers(cells: Sequence[str]) -> list[float] | None:
    """Finite numbers of a line; None where one is none."""
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return None
    return values if values and all(map(math.isfinite, values)) else None


def match_pattern(files: Sequence[Path], folder: Path, pattern: str, key: str) -> list[str]:
    """First group of the regular expression in the path of each file below `folder`.

    Raises `DataError` with the option `key` where it is no such expression or does not fit.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"{key} = {pattern!r}: is no regular expression ({error})") from None
    if not compiled.groups:
        raise DataError(f"{key} = {pattern!r}: has no group; put the name in parentheses")
    groups = []
    for file in files:
        name = os.path.relpath(file, folder)
        matched = compiled.search(name)
        if not matched:
            raise DataError(f"{key} = {pattern!r}: does not fit {name} in {folder}")
        groups.append(matched[1])
    return groups


def _list_parts(folder: Path) -> dict[str, Path]:
    """Folders of the parts; one named "all" where the folder has no training part."""
    if not (folder / "train").is_dir():
        return {"all": folder}
    present = [
        name
        for name in ("test", "val", "validation")
        if (folder / name).is_dir() and next(os.walk(folder / name))[1]
    ]
    if not present:
        raise DataError(f"{folder}: has train/, but neither test/ nor val/; {EXPECTED_FILES}")
    parts = {PARTS[name]: folder / name for name in ("train", *present)}
    if "test" not in parts:
        parts["test"] = parts.pop("validation")
    return parts


def _list_part(
    folder: Path, place: Path, suffixes: Collection[str], class_pattern: str | None
) -> tuple[list[str], list[Found]]:
    """Names of the classes, and the files class by class, in alphabetical order."""
    if class_pattern is not None:
        paths = sorted(path for path in _walk(place) if _suffix(path) in suffixes)
        classes = match_pattern([Path(path) for path in paths], folder, class_pattern,
                                "class_pattern")  # fmt: skip
        found = sorted(zip(paths, classes, strict=True), key=lambda each: (each[1], each[0]))
        names = sorted({*classes})
    else:
        names = sorted(entry.name for entry in os.scandir(place) if entry.is_dir())
        found = [
            (path, name)
            for name in names
            for path in sorted(entry.path for entry in os.scandir(place / name))
            if _suffix(path) in suffixes
        ]
    missing = sorted({*names} - {name for _, name in found})
    empty = missing if place == folder or place.name == "train" else []
    if not found or empty:
        where = place / empty[0] if empty else place
        raise DataError(f"{where}: has no files of a known kind ({', '.join(sorted(suffixes))})")
    return names, found


def _walk(folder: Path) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in names)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()
