"""Datasets from folders with one subfolder per class: images or event recordings.

`FOLDER/train/CLASS/*` with `FOLDER/test/CLASS/*` (or `val`; with both, `val` is the validation
part), or `FOLDER/CLASS/*`, of which a fraction of each class is held out to test.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.config import validate
from ...runtime.errors import DataError
from ...runtime.stream.chunks import EventChunk, StreamStats
from ...runtime.stream.recordings import read_recording
from .dataset import Dataset, FrameSet, compute_digest
from .events import Events
from .frames import stack_frames
from .geometry import rescale
from .image_folder import IMAGE_SUFFIXES, SIDE, load_images
from .images import Images, Labels, make_image_dataset
from .options import DataOptions
from .recordings import NPZ_ERRORS
from .split import stratified_split

RECORDING_SUFFIXES = {
    ".npz", ".bin", ".bs2", ".csv", ".txt", ".aedat", ".aedat4", ".raw", ".dat", ".es"
}  # fmt: skip
EXPECTED_FILES = "needs a folder of images or recordings per class, in train/ and test/ or directly"
Samples = list[tuple[Path, int]]  # files and their class indices
Sensor = tuple[int, int]  # width, height


def from_folder(
    path: str | os.PathLike[str],
    *,
    sensor: Sensor | None = None,
    test_fraction: float = 0.2,
    **options: Any,
) -> Dataset:
    """Dataset of images or event recordings in folders, one per class.

    Images (`.png`, `.jpg`, ...) are scaled so that the shorter side has `size` pixels (default 64),
    cropped to the middle square and repeated over time. Recordings are binned from their first
    event to their last: `.bin` and `.bs2` (40 bits per event), `.csv` and `.txt` (lines of
    time, x, y and polarity in the order of a header or of the numbers), `.aedat`, `.aedat4`,
    `.raw`, `.dat`, `.es`, and `.npz` with arrays x, y, t and p.

    Args:
        path: The folder; class names are those of its subfolders, in alphabetical order.
        sensor: Width and height of the recordings' sensor in pixels; by default as many as the
            events of all recordings reach.
        test_fraction: Fraction of the smallest class that is held out of each class to test (at
            least one sample), where the folder has no parts of its own; drawn by `seed`.
        **options: Other fields of `DataOptions`: `timesteps`, `binning`, `values`, `pool`, `size`,
            `value_bits`, `seed`.

    Raises:
        DataError: The folder holds no samples, its parts differ in their classes, or a file cannot
            be read.
        MissingPackage: A package that reads these files is not installed.
    """
    folder = Path(path)
    settings = validate(
        DataOptions, {**options, "name": folder.name, "folder": folder}, str(folder)
    )
    parts, names, split = _list_parts(folder, test_fraction, settings.seed)
    files = [file for samples in parts.values() for file, _ in samples]
    images = {file.suffix.lower() in IMAGE_SUFFIXES for file in files}
    if len(images) > 1:
        raise DataError(f"{folder}: holds images and recordings; needs files of one kind")
    provenance: dict[str, Any] = {"split": split, "class_names": names}
    if images == {True}:
        loaded = {part: _load_images(samples, settings) for part, samples in parts.items()}
        provenance["source"] = "images in folders"
        return make_image_dataset(
            folder.name, loaded["train"], loaded["test"], len(names), settings, provenance,
            loaded.get("validation"),
        )  # fmt: skip
    sets = _load_recordings(parts, sensor, settings)
    provenance["source"] = "event recordings in folders"
    provenance["options"] = settings.model_dump(mode="json", exclude={"folder"})
    digest = compute_digest(sets["train"], sets["test"], settings)
    return Dataset(
        folder.name, sets["train"], sets["test"], len(names), digest, provenance,
        sets.get("validation"),
    )  # fmt: skip


def _list_parts(
    folder: Path, test_fraction: float, seed: int
) -> tuple[dict[str, Samples], list[str], str]:
    """Files of each part, class names, and a description of the split."""
    if not (folder / "train").is_dir():
        names, samples = _list_samples(folder)
        if not 0 < test_fraction < 1:
            raise DataError(f"test_fraction is {test_fraction}, needs a number between 0 and 1")
        labels = np.array([label for _, label in samples], np.int64)
        smallest = int(np.bincount(labels).min())
        per_class = max(1, round(test_fraction * smallest))
        rest, held_out = stratified_split(labels, per_class, seed)
        parts = {"train": [samples[k] for k in rest], "test": [samples[k] for k in held_out]}
        return parts, names, f"{per_class} of each class held out, seed {seed}"
    present = [part for part in ("test", "val") if (folder / part).is_dir()]
    if not present:
        raise DataError(f"{folder}: has train/, but neither test/ nor val/; {EXPECTED_FILES}")
    keys = {"train": "train", "test": present[0]}
    if len(present) > 1:
        keys["validation"] = "val"
    names, parts = [], {}
    for part, subfolder in keys.items():
        listed, parts[part] = _list_samples(folder / subfolder)
        if names and listed != names:
            raise DataError(
                f"{folder / subfolder}: its class folders are {', '.join(listed[:5])}, "
                f"but those of {folder / 'train'} are {', '.join(names[:5])}"
            )
        names = listed
    return parts, names, "as the folders are"


def _list_samples(folder: Path) -> tuple[list[str], Samples]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {EXPECTED_FILES}")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    known = IMAGE_SUFFIXES | RECORDING_SUFFIXES
    samples = [
        (file, label)
        for label, name in enumerate(names)
        for file in sorted((folder / name).iterdir())
        if file.suffix.lower() in known
    ]
    empty = sorted({*range(len(names))} - {label for _, label in samples})
    if not samples or empty:
        where = folder / names[empty[0]] if empty else folder
        raise DataError(f"{where}: has no files of a known kind ({', '.join(sorted(known))})")
    return names, samples


def _load_images(samples: Samples, options: DataOptions) -> tuple[Images, Labels]:
    files = [file for file, _ in samples]
    folder = options.folder or Path()
    labels = np.array([label for _, label in samples], np.int64)
    return load_images(files, folder, options.size or SIDE), labels


def _load_recordings(
    parts: dict[str, Samples], sensor: Sensor | None, options: DataOptions
) -> dict[str, FrameSet]:
    """Recordings of all parts as frames, on the sensor that holds them all."""
    rows = sensor[1] if sensor else None
    events = {
        part: [_read_events(file, rows) for file, _ in samples] for part, samples in parts.items()
    }
    every = [each for part in events.values() for each in part]
    width, height = sensor or (max(e.width for e in every), max(e.height for e in every))
    sets = {}
    for part, samples in parts.items():
        recordings = [
            rescale(_on_sensor(each, width, height, file), options.size)
            for each, (file, _) in zip(events[part], samples, strict=True)
        ]
        labels = np.array([label for _, label in samples], np.int64)
        sets[part] = FrameSet(stack_frames(recordings, options), labels)
    return sets


def _on_sensor(events: Events, width: int, height: int, file: Path) -> Events:
    try:
        return Events(events.x, events.y, events.polarity, events.t, width, height)
    except DataError as error:
        raise DataError(f"{file}: {error}; set sensor=(width, height)") from None


def _read_events(file: Path, sensor_height: int | None) -> Events:
    """Events of a recording in time order, on the smallest sensor that holds them."""
    if file.suffix.lower() == ".npz":
        x, y, polarity, t = _read_npz(file)
    else:
        stats = StreamStats()
        chunks = [
            EventChunk(*np.zeros((4, 0), np.int64)),
            *read_recording(file, stats, sensor_height),
        ]
        columns = zip(*(chunk[:4] for chunk in chunks), strict=True)
        x, y, polarity, t = (np.concatenate(arrays) for arrays in columns)
        if stats.malformed:
            raise DataError(f"{file}: {stats.malformed} events cannot be read; fetch it again")
    if not len(t):
        raise DataError(f"{file}: holds no events")
    order = np.argsort(t, kind="stable")
    x, y, polarity, t = (array[order] for array in (x, y, polarity, t))
    try:
        return Events(x, y, polarity, t - t[0], int(x.max()) + 1, int(y.max()) + 1)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None


def _read_npz(file: Path) -> tuple[Any, ...]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return tuple(arrays[name] for name in ("x", "y", "p", "t"))
    except NPZ_ERRORS as error:
        message = " ".join(str(error).split())
        raise DataError(
            f"{file}: is not a complete .npz of arrays x, y, p and t ({message})"
        ) from error
