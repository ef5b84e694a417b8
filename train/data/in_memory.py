"""Datasets from arrays in memory, or mapped into it from a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...runtime.arrays import as_readonly
from ...runtime.errors import DataError
from .dataset import Dataset, FrameSet, as_labels, compute_digest
from .options import DataOptions
from .sources import ArraySource, FileSource, SampleSource

LARGEST = 255  # of an 8-bit value
CHUNK = 1024  # samples of a mapped file that are looked at together
Pair = tuple[ArrayLike, ArrayLike]  # samples and labels


def from_arrays(  # noqa: PLR0913 (keywords of one call)
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    y_test: ArrayLike,
    *,
    validation: Pair | None = None,
    timesteps: int | None = None,
    classes: int | None = None,
    signed: bool = False,
    name: str = "arrays",
) -> Dataset:
    """Dataset of arrays in memory.

    Without `timesteps` the arrays are event sequences, integers 0 to 255: (timesteps, samples,
    channels, height, width), or (timesteps, samples, features), which become channels of one
    pixel. With `timesteps` they are static samples, repeated over time (direct coding): (samples,
    channels, height, width), (samples, height, width) or (samples, features); real numbers from 0
    to 1 are scaled to 0..255. Static samples of type uint8 in a mapped file (`np.load(file,
    mmap_mode="r")`) are read when asked for; other arrays are copied.

    Labels that are real numbers, (samples,) or (samples, outputs), are targets of a regression.

    Args:
        x_train: Training samples.
        y_train: Their labels, integers (samples,), or targets.
        x_test: Test samples.
        y_test: Their labels.
        validation: Validation samples and their labels, where there are any.
        timesteps: Number of timesteps that static samples are shown for.
        classes: Number of classes; by default the largest label plus 1.
        signed: Values may be negative, from -255 to 255 or from -1 to 1: positive and negative
            parts become channels of their own, twice as many.
        name: Name of the dataset.

    Raises:
        DataError: An array has another shape or holds other values.
    """
    pairs = {"train": (x_train, y_train), "test": (x_test, y_test)}
    if validation is not None:
        pairs["validation"] = validation
    samples = {part: np.asanyarray(x) for part, (x, _) in pairs.items()}
    if signed:
        samples = split_signed(samples, timesteps is not None)
    if timesteps is not None:
        samples = scale_to_bytes(samples)
    parts = {
        part: FrameSet(
            to_source(samples[part], timesteps, f"x_{part}"),
            as_labels(labels, f"y_{part}"),
        )
        for part, (_, labels) in pairs.items()
    }
    return _make_dataset(name, parts, classes or count_outputs(parts))


def count_outputs(parts: Mapping[str, FrameSet]) -> int:
    """Number of classes, the largest label plus 1, or of targets of a regression."""
    first = next(iter(parts.values())).labels
    if first.dtype.kind == "f":
        return int(first.shape[1])
    return max(int(part.labels.max()) for part in parts.values()) + 1


def split_signed(samples: dict[str, NDArray[Any]], static: bool) -> dict[str, NDArray[Any]]:
    """Split signed values into their positive and negative parts, in twice as many channels.

    The positive parts are the first channels, the negative parts the others. `static` samples are
    (samples, features), (samples, height, width) or (samples, channels, height, width), sequences
    (timesteps, samples, features or channels, ...).
    """
    split = {}
    for part, array in samples.items():
        values = array[:, None] if static and array.ndim == 3 else array
        axis = 1 if static else 2
        if values.ndim <= axis:
            raise DataError(f"x_{part}: shape {array.shape} has no channels to split by sign")
        split[part] = np.concatenate([values.clip(min=0), (-values).clip(min=0)], axis=axis)
    return split


def _make_dataset(name: str, parts: dict[str, FrameSet], classes: int) -> Dataset:
    train, test = parts["train"], parts["test"]
    options = DataOptions(name=name, timesteps=train.timesteps)
    provenance = {
        "source": "arrays in memory",
        "split": "as given",
        "options": options.model_dump(mode="json", exclude={"folder"}),
    }
    digest = compute_digest(train, test, options)
    return Dataset(name, train, test, classes, digest, provenance, parts.get("validation"))


def scale_to_bytes(samples: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Scale fractions from 0 to 1 to 0..255, in all parts if in one."""
    fractional = any(
        array.dtype.kind == "f" and bool((array != np.rint(array)).any())
        for array in samples.values()
    )
    if not fractional:
        return samples
    for part, array in samples.items():
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise DataError(
                f"x_{part}: holds {array.min():g}..{array.max():g}, "
                "needs integers from 0 to 255 or real numbers from 0 to 1"
            )
    return {part: np.rint(array * LARGEST) for part, array in samples.items()}


def to_source(samples: NDArray[Any], timesteps: int | None, who: str) -> SampleSource:
    """Source of samples, which are uint8 (timesteps, samples, channels, height, width) then.

    Raises `DataError` where the array has another rank or holds values outside 0..255.
    """
    shape = samples.shape
    if timesteps is None:
        shapes: dict[int, Sequence[int]] = {3: (*shape, 1, 1), 5: shape}
        expected = "(timesteps, samples, features) or (timesteps, samples, channels, height, width)"
        remedy = "; static samples need timesteps=NUMBER"
    else:
        shapes = {2: (*shape, 1, 1), 3: (*shape[:1], 1, *shape[1:]), 4: shape}
        expected = "(samples[, channels], height, width) or (samples, features)"
        remedy = "; event sequences need no timesteps="
    if samples.ndim not in shapes or 0 in shape:
        raise DataError(f"{who}: shape {shape}, needs {expected}{remedy}")
    if isinstance(samples, np.memmap) and timesteps is not None and samples.dtype == np.uint8:
        mapped = _map_samples(samples, timesteps, shapes[samples.ndim])
        if mapped is not None:
            return mapped
    if samples.dtype == np.uint8 and not samples.flags.writeable:
        pixels = np.asarray(samples)
    else:
        pixels = as_readonly(samples, np.uint8, who, DataError)
    pixels = pixels.reshape(shapes[samples.ndim])
    if timesteps is not None:
        pixels = np.broadcast_to(pixels, (timesteps, *pixels.shape))
    pixels.flags.writeable = False
    return ArraySource(pixels)


def _map_samples(
    samples: np.memmap[Any, Any], timesteps: int, shape: Sequence[int]
) -> FileSource | None:
    """Source that maps the samples from their file at each read; None of a part of a file."""
    whole = samples.base is not None and not isinstance(samples.base, np.ndarray)
    if not (whole and samples.flags.c_contiguous and samples.filename):
        return None
    channels, height, width = shape[1:]
    largest = max(int(samples[k : k + CHUNK].max()) for k in range(0, len(samples), CHUNK))
    return FileSource(
        Path(samples.filename), len(samples), (timesteps, channels, height, width), True,
        largest, int(samples.offset),
    )  # fmt: skip
