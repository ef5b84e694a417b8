"""Datasets from files of arrays: `.npz`, or a folder of `.npy`, which are mapped into memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.encoders import encoder_to_dict
from ...runtime.errors import DataError
from ...runtime.input_file import open_input
from .dataset import Dataset, FrameSet, Labels, as_labels, compute_digest
from .images import quantize_images
from .in_memory import count_outputs, scale_to_bytes, split_signed, to_source
from .options import DataOptions
from .partition import Parts, divide
from .readers.series import (
    AugmentedSeries,
    SeriesFrames,
    encode_series,
    fit_standardization,
    make_encoder,
)
from .readers.vary_series import check_features
from .recordings import NPZ_ERRORS
from .sources import ArraySource, SampleSource
from .split_options import SplitOptions

PARTS = ("train", "test", "validation")
EXPECTED = "needs arrays x_train, y_train, x_test and y_test, or x and y, and perhaps groups"
Arrays = dict[str, NDArray[Any]]


def load_array_file(options: DataOptions) -> Dataset:
    """Load samples from `options.folder`, an `.npz` file or a folder of `.npy` files.

    Arrays `x_train`, `y_train`, `x_test`, `y_test` (and `x_validation`, `y_validation`), or `x` and
    `y`, which are divided by `options.split`, with the groups in `groups`. Labels are integers from
    0, or real numbers (samples, outputs), the targets of a regression. Samples are static,
    (samples, channels, height, width), (samples, height, width) or (samples, features), integers 0
    to 255 or real numbers 0 to 1; or event sequences, (timesteps, samples, channels, height,
    width). With `options.signed` values may be negative. With `format = "series"` samples are
    (samples, rows, features) or (samples, rows), real numbers, see `readers.series`.

    Raises:
        DataError: An array is missing or has another shape, type or range.
    """
    path = options.folder
    assert path is not None
    arrays = _read_arrays(path)
    samples, labels, parts, how = _divide_arrays(path, arrays, options)
    encoder: dict[str, Any] = {}
    copies = 0
    if options.format == "series":
        source, encoder = _encode_series(path, samples, parts["train"], options)
        copies = options.series.copies if options.series else 0
        added = np.repeat(parts["train"], copies)  # their frames are behind all others
        parts["train"] = np.concatenate([parts["train"], len(labels) + np.arange(len(added))])
        labels = np.concatenate([labels, labels[added]])
    else:
        source = _make_source(path, samples, options)
    whole = FrameSet(source, labels)
    sets = {name: whole[part] for name, part in parts.items()}
    provenance = {
        "source": "arrays in a file",
        "split": how,
        "options": options.model_dump(mode="json", exclude={"folder"}, exclude_none=True),
        **({"encoder": [encoder]} if encoder else {}),
    }
    digest = compute_digest(sets["train"], sets["test"], options)
    return Dataset(
        path.stem, sets["train"], sets["test"], count_outputs({"all": whole}), digest, provenance,
        sets.get("validation"), augmented=copies > 0,
    )  # fmt: skip


def _read_arrays(path: Path) -> Arrays:
    known = {f"{axis}_{part}" for axis in "xy" for part in PARTS} | {"x", "y", "groups"}
    try:
        if path.is_dir():
            files = {file.stem: file for file in sorted(path.glob("*.npy")) if file.stem in known}
            return {
                name: np.load(file, mmap_mode="r", allow_pickle=False)
                for name, file in files.items()
            }
        with open_input(path) as opened, np.load(opened, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in known}
    except DataError:
        raise
    except NPZ_ERRORS as error:
        message = " ".join(str(error).split())
        raise DataError(f"{path}: is not a complete .npz file ({message}); {EXPECTED}") from error


def _divide_arrays(
    path: Path, arrays: Arrays, options: DataOptions
) -> tuple[dict[str, NDArray[Any]], Labels, Parts, str]:
    """Samples by name of their array, all labels, and the indices of each part."""
    named = [part for part in PARTS if f"x_{part}" in arrays]
    names = [f"_{part}" for part in named] if "x" not in arrays else [""]
    missing = [
        f"{axis}{name}"
        for name in (names if "" in names else {*names, "_train", "_test"})
        for axis in "xy"
        if f"{axis}{name}" not in arrays
    ]
    if missing:
        raise DataError(f"{path}: holds no {', '.join(sorted(missing))}; {EXPECTED}")
    samples = {f"x{name}": arrays[f"x{name}"] for name in names}
    labels = [as_labels(arrays[f"y{name}"], f"{path}: y{name}") for name in names]
    ends = np.cumsum([len(part) for part in labels])
    given = dict(zip(named, np.split(np.arange(ends[-1]), ends[:-1]), strict=True)) if (
        "x" not in arrays) else None  # fmt: skip
    groups = [str(each) for each in arrays["groups"].tolist()] if "groups" in arrays else None
    every = np.concatenate(labels)
    if groups is not None and len(groups) != len(every):
        raise DataError(f"{path}: has {len(groups)} groups, but {len(every)} samples")
    classes = every if every.dtype == np.int64 else np.zeros(len(every), np.int64)
    parts, how = divide(classes, options.split or SplitOptions(), options.seed, given, groups)
    return samples, every, parts, how


def _make_source(
    path: Path, samples: dict[str, NDArray[Any]], options: DataOptions
) -> SampleSource:
    """One source of the samples of all arrays."""
    sequences = next(iter(samples.values())).ndim == 5
    timesteps = None if sequences else options.timesteps
    if options.signed:
        samples = split_signed(samples, not sequences)
    if not sequences:
        samples = scale_to_bytes(samples)
    sources = [to_source(x, timesteps, f"{path}: {name}") for name, x in samples.items()]
    steps = sources[0].shape[0]
    if steps != options.timesteps:
        raise DataError(f"{path}: sequences have {steps} timesteps; set timesteps = {steps}")
    unchanged = options.pool == 1 and options.value_bits == 8
    if len(sources) == 1 and (sequences or unchanged):
        return sources[0]
    if sequences:
        return ArraySource(_as_readonly(np.concatenate([_read_all(s) for s in sources], axis=1)))
    images = np.concatenate([quantize_images(_read_all(s)[0], options) for s in sources])
    return ArraySource(np.broadcast_to(images, (options.timesteps, *images.shape)))


def _read_all(source: SampleSource) -> NDArray[np.uint8]:
    return source.read(np.arange(len(source)))


def _as_readonly(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    array.flags.writeable = False
    return array


def _encode_series(
    path: Path, samples: dict[str, NDArray[Any]], training: NDArray[np.int64], options: DataOptions
) -> tuple[SampleSource, dict[str, Any]]:
    """Encode series by the standardization of the training samples, and behind them the copies."""
    rows = np.concatenate([np.asarray(x) for x in samples.values()])
    rows = rows[..., None] if rows.ndim == 2 else rows
    if rows.ndim != 3 or 0 in rows.shape or rows.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: x is {rows.dtype} {rows.shape}, needs numbers (samples, rows, features)"
        )
    finite = np.isfinite(rows).all(axis=(1, 2))
    if not finite.all():
        raise DataError(f"{path}: sample {int(np.argmin(finite))} holds NaN or infinite values")
    numbers = rows.astype(np.float64)
    statistics = fit_standardization((numbers[k] for k in training), os.fspath(path))
    encoder = make_encoder(rows.shape[1], statistics, options)
    frames = [encode_series(encoder, numbers, options.timesteps)]
    series = options.series
    if series and series.copies:
        check_features(series, encoder.features)
        decoder = SeriesFrames(encoder, options.timesteps)
        augmented = AugmentedSeries(decoder, series, statistics.std, options.seed)
        for number, index in enumerate(training.tolist()):
            copies = [augmented.vary(numbers[index], number, k) for k in range(series.copies)]
            frames.append(encode_series(encoder, np.stack(copies), options.timesteps))
    return ArraySource(_as_readonly(np.concatenate(frames, axis=1))), encoder_to_dict(encoder)
