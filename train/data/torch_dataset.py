"""Datasets from map-style torch datasets, whose samples are read when asked for."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import as_readonly
from ...runtime.errors import DataError
from .dataset import Dataset, FrameSet, Labels
from .options import DataOptions
from .progress import track
from .reading import map_items
from .sources import DecodedSource, SampleShape

LARGEST = 255  # of an 8-bit value


class SizedDataset(Protocol):
    """A map-style dataset, as torch has it: a length, and `(sample, label)` by index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> tuple[Any, Any]: ...


@dataclass(frozen=True)
class SampleFacts:
    """Label, shape, range and SHA-256 of a sample; `fractional` where values are no integers."""

    label: int
    shape: tuple[int, ...]
    low: float
    high: float
    fractional: bool
    digest: str


@dataclass(frozen=True)
class PartFacts:
    """Facts of all samples of a part."""

    labels: Labels
    shape: tuple[int, ...]
    high: float
    fractional: bool
    digest: str


@dataclass(frozen=True)
class TorchFrames:
    """Decoder of a sample of a torch dataset to uint8 frames of `shape`."""

    dataset: SizedDataset
    shape: tuple[int, ...]
    fractional: bool

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Frames of a sample; raises `DataError` where its shape or values are others."""
        array, who = _read_sample(self.dataset, index)[0], f"dataset: sample {index}"
        if self.fractional:
            _check_fractions(float(array.min()), float(array.max()), who)
            array = np.rint(array * LARGEST)
        pixels: NDArray[np.uint8] = as_readonly(array, np.uint8, who, DataError)
        return pixels.reshape(self.shape) if pixels.size == np.prod(self.shape) else pixels


def from_torch(
    train_dataset: SizedDataset,
    test_dataset: SizedDataset,
    *,
    validation: SizedDataset | None = None,
    timesteps: int | None = None,
    classes: int | None = None,
    max_value: int | None = None,
    name: str = "torch",
) -> Dataset:
    """Dataset of map-style torch datasets that give `(sample, label)`, read when asked for.

    Without `timesteps` a sample is an event sequence (timesteps, channels, height, width) or
    (timesteps, features), as tonic's `ToFrame` gives it; with `timesteps` it is static. Real
    numbers from 0 to 1 are scaled to 0..255. All samples are read once in advance, by several
    processes, to check them; with `max_value` and datasets that have `targets` only one of each.

    Args:
        train_dataset: Training samples.
        test_dataset: Test samples.
        validation: Validation samples, where there are any.
        timesteps: Number of timesteps that static samples are shown for.
        classes: Number of classes; by default the largest label plus 1.
        max_value: Largest value of a sample as an integer: 1 of binary events, 255 of images.
        name: Name of the dataset.

    Raises:
        DataError: A sample has another shape or holds other values.
    """
    datasets = {"train": train_dataset, "test": test_dataset}
    if validation is not None:
        datasets["validation"] = validation
    facts = {part: _examine(each, max_value) for part, each in datasets.items()}
    fractional = any(each.fractional for each in facts.values())
    parts = {}
    for part, each in datasets.items():
        shape = _frame_shape(facts[part].shape, timesteps, part)
        high = facts[part].high * (LARGEST if fractional else 1)
        static = timesteps is not None
        source = DecodedSource(
            range(len(each)),
            TorchFrames(each, shape[1:] if static else shape, fractional),
            shape,
            static,
            round(high) if max_value is None else max_value,
        )
        parts[part] = FrameSet(source, facts[part].labels)
    return _make_dataset(name, parts, facts, classes)


def _make_dataset(
    name: str, parts: dict[str, FrameSet], facts: dict[str, PartFacts], classes: int | None
) -> Dataset:
    options = DataOptions(name=name, timesteps=parts["train"].timesteps)
    provenance = {
        "source": "torch datasets",
        "split": "as given",
        "options": options.model_dump(mode="json", exclude={"folder"}, exclude_none=True),
    }
    digest = hashlib.sha256(options.digest_json(exclude_none=True).encode())
    for part in ("train", "test"):
        digest.update(facts[part].digest.encode() + facts[part].labels.tobytes())
    largest = max(int(part.labels.max()) for part in parts.values())
    return Dataset(
        name, parts["train"], parts["test"], classes or largest + 1, digest.hexdigest(),
        provenance, parts.get("validation"),
    )  # fmt: skip


def _examine(dataset: SizedDataset, max_value: int | None) -> PartFacts:
    """Facts of all samples of a dataset, or of the first where the others are known."""
    if not len(dataset):
        raise DataError("dataset: has no samples, needs 1 or more")
    labels = _given_labels(dataset)
    if max_value is not None and labels is not None:
        first = _facts(dataset, 0)
        return PartFacts(labels, first.shape, first.high, first.fractional, first.digest)
    found = map_items(_Facts(dataset), range(len(dataset)))
    facts = list(_raise_errors(track(found, len(dataset), "reading")))
    shapes = sorted({each.shape for each in facts})
    if len(shapes) > 1:
        raise DataError(
            f"dataset: samples have shapes {', '.join(map(str, shapes[:3]))}; "
            "needs one shape: pad, crop or bin them"
        )
    fractional = any(each.fractional for each in facts)
    low, high = min(each.low for each in facts), max(each.high for each in facts)
    if fractional:
        _check_fractions(low, high, "dataset")
    digest = hashlib.sha256("".join(each.digest for each in facts).encode()).hexdigest()
    numbers = np.array([each.label for each in facts], np.int64)
    return PartFacts(numbers, shapes[0], high, fractional, digest)


def _raise_errors(results: Iterable[Any]) -> Iterable[SampleFacts]:
    for each in results:
        if isinstance(each, Exception):
            raise each
        yield each


@dataclass(frozen=True)
class _Facts:
    dataset: SizedDataset

    def __call__(self, index: int) -> SampleFacts:
        return _facts(self.dataset, index)


def _facts(dataset: SizedDataset, index: int) -> SampleFacts:
    array, label = _read_sample(dataset, index)
    if not array.size:
        raise DataError(f"dataset: sample {index} is empty, of shape {array.shape}")
    fractional = array.dtype.kind == "f" and bool((array != np.rint(array)).any())
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return SampleFacts(
        label, array.shape, float(array.min()), float(array.max()), fractional, digest
    )


def _read_sample(dataset: SizedDataset, index: int) -> tuple[NDArray[Any], int]:
    try:
        sample, label = dataset[index]
        return _to_array(sample), int(label)
    except (TypeError, ValueError, RuntimeError) as error:
        message = " ".join(str(error).split())
        raise DataError(
            f"dataset: sample {index} is not a pair of array and label ({message})"
        ) from error


def _to_array(sample: Any) -> NDArray[Any]:
    array = np.asarray(sample)
    if hasattr(sample, "getbands") and array.ndim == 3:  # a PIL image: channels last
        return np.moveaxis(array, -1, 0)
    return array


def _given_labels(dataset: Any) -> Labels | None:
    """Labels that a dataset has as `targets`, or a `TensorDataset` as its last tensor."""
    tensors = getattr(dataset, "tensors", None)
    targets = getattr(dataset, "targets", tensors[-1] if tensors else None)
    if targets is None or len(targets) != len(dataset):
        return None
    labels = np.asarray(targets)
    return labels.astype(np.int64) if labels.dtype.kind in "iu" and labels.ndim == 1 else None


def _check_fractions(low: float, high: float, who: str) -> None:
    if not (np.isfinite([low, high]).all() and low >= 0 and high <= 1):
        raise DataError(
            f"{who}: holds {low:g}..{high:g}, "
            "needs integers from 0 to 255 or real numbers from 0 to 1"
        )


def _frame_shape(shape: tuple[int, ...], timesteps: int | None, part: str) -> SampleShape:
    """Shape (timesteps, channels, height, width) of a sample of `shape`; raises `DataError`."""
    if timesteps is None:
        shapes = {2: (*shape, 1, 1), 4: shape}
        expected = "(timesteps, features) or (timesteps, channels, height, width)"
        remedy = "; static samples need timesteps=NUMBER"
    else:
        shapes = {1: (*shape, 1, 1), 2: (1, *shape), 3: shape}
        shapes = {rank: (timesteps, *each) for rank, each in shapes.items()}
        expected, remedy = "([channels,] height, width) or (features,)", ""
    if len(shape) not in shapes:
        raise DataError(f"{part}: samples have shape {shape}, needs {expected}{remedy}")
    steps, channels, height, width = shapes[len(shape)]
    return steps, channels, height, width
