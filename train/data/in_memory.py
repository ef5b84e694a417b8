"""Datasets from arrays or map-style torch datasets in memory."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...runtime.arrays import as_readonly
from ...runtime.errors import DataError
from .dataset import Dataset, EventArray, FrameSet, Labels, compute_digest
from .options import DataOptions

LARGEST = 255  # of an 8-bit value
Pair = tuple[ArrayLike, ArrayLike]  # samples and labels


class SizedDataset(Protocol):
    """A map-style dataset, as torch has it: a length, and `(sample, label)` by index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> tuple[Any, Any]: ...


def from_arrays(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    y_test: ArrayLike,
    *,
    validation: Pair | None = None,
    timesteps: int | None = None,
    classes: int | None = None,
    name: str = "arrays",
) -> Dataset:
    """Dataset of arrays in memory.

    Without `timesteps` the arrays are event sequences, integers 0 to 255: (timesteps, samples,
    channels, height, width), or (timesteps, samples, features), which become channels of one
    pixel. With `timesteps` they are static samples, repeated over time (direct coding): (samples,
    channels, height, width), (samples, height, width) or (samples, features); real numbers from 0
    to 1 are scaled to 0..255.

    Args:
        x_train: Training samples.
        y_train: Their labels, integers (samples,).
        x_test: Test samples.
        y_test: Their labels.
        validation: Validation samples and their labels, where there are any.
        timesteps: Number of timesteps that static samples are shown for.
        classes: Number of classes; by default the largest label plus 1.
        name: Name of the dataset.

    Raises:
        DataError: An array has another shape or holds other values.
    """
    pairs = {"train": (x_train, y_train), "test": (x_test, y_test)}
    if validation is not None:
        pairs["validation"] = validation
    samples = {part: np.asarray(x) for part, (x, _) in pairs.items()}
    if timesteps is not None:
        samples = _scale_to_bytes(samples)
    parts = {
        part: FrameSet(
            _to_events(samples[part], timesteps, f"x_{part}"),
            as_readonly(labels, np.int64, f"y_{part}", DataError),
        )
        for part, (_, labels) in pairs.items()
    }
    largest = max(int(part.labels.max()) for part in parts.values())
    return _make_dataset(name, parts, classes or largest + 1)


def from_torch(
    train_dataset: SizedDataset,
    test_dataset: SizedDataset,
    *,
    validation: SizedDataset | None = None,
    timesteps: int | None = None,
    classes: int | None = None,
    name: str = "torch",
) -> Dataset:
    """Dataset of map-style torch datasets that give `(sample, label)`, read into memory.

    Without `timesteps` a sample is an event sequence (timesteps, channels, height, width) or
    (timesteps, features), as tonic's `ToFrame` gives it; with `timesteps` it is static. Values,
    arguments and errors are those of `from_arrays`.
    """
    axis = 1 if timesteps is None else 0
    train, test = (_read_dataset(each, axis) for each in (train_dataset, test_dataset))
    return from_arrays(
        *train,
        *test,
        validation=None if validation is None else _read_dataset(validation, axis),
        timesteps=timesteps,
        classes=classes,
        name=name,
    )


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


def _read_dataset(dataset: SizedDataset, axis: int) -> tuple[NDArray[Any], Labels]:
    samples, labels = [], []
    for k in range(len(dataset)):
        try:
            sample, label = dataset[k]
            samples.append(_to_array(sample))
            labels.append(int(label))
        except (TypeError, ValueError, RuntimeError) as error:
            message = " ".join(str(error).split())
            raise DataError(
                f"dataset: sample {k} is not a pair of array and label ({message})"
            ) from error
    if not samples:
        raise DataError("dataset: has no samples, needs 1 or more")
    shapes = sorted({sample.shape for sample in samples})
    if len(shapes) > 1:
        raise DataError(
            f"dataset: samples have shapes {', '.join(map(str, shapes[:3]))}; "
            "needs one shape: pad, crop or bin them"
        )
    return np.stack(samples, axis=axis), np.array(labels, np.int64)


def _to_array(sample: Any) -> NDArray[Any]:
    array = np.asarray(sample)
    if hasattr(sample, "getbands") and array.ndim == 3:  # a PIL image: channels last
        return np.moveaxis(array, -1, 0)
    return array


def _scale_to_bytes(samples: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
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


def _to_events(samples: NDArray[Any], timesteps: int | None, who: str) -> EventArray:
    """Samples as uint8 (timesteps, samples, channels, height, width), read-only."""
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
    pixels: EventArray = as_readonly(samples, np.uint8, who, DataError)
    pixels = pixels.reshape(shapes[samples.ndim])
    if timesteps is not None:
        pixels = np.broadcast_to(pixels, (timesteps, *pixels.shape))
    pixels.flags.writeable = False
    return pixels
