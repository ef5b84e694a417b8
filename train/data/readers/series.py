"""Time series as frames: a timestep holds a few consecutive rows, signed values in two channels.

The encoder is `runtime.encoders.Standardize`, so that a network is trained on the integers that its
firmware computes. Features are standardized by their mean and standard deviation over the training
samples, and clipped to 3 standard deviations. The positive parts are the first channels, the
negative parts the others, as integers of `value_bits` bits.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.encoders import Standardize, encoder_to_dict
from ....runtime.encoders.standardize import MAX_EXPONENT, SHIFT, encode_rows, to_device_rows
from ....runtime.errors import DataError
from ....runtime.input_file import open_input
from ..cache import cached_values
from ..file_frames import Copies, FileList, Reader
from ..options import DataOptions
from ..reading import map_items
from ..recordings import NPZ_ERRORS
from ..series_options import SeriesOptions
from ..sources import DecodedSource
from .vary_series import check_features, vary_series

SERIES_SUFFIXES = {".csv", ".txt", ".npz", ".npy"}
CLIP = 3.0  # standard deviations
MAX_FITTED = 1024  # training files that the standardization is fitted to
HALF_RANGE, TINY = 16_383, 1e-30  # twice the first fits 16 bits
RELATIVE_ERROR = 1e-7  # of a deviation that is rounding alone
Rows = NDArray[np.float64]  # (rows, features), in order of time


@dataclass(frozen=True)
class Statistics:
    """Statistics of each feature over the training samples.

    Attributes:
        mean: Mean.
        std: Standard deviation; 1 where it is 0.
        largest: Largest absolute value.
        integral: Whether all values are integers.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    largest: tuple[float, ...]
    integral: tuple[bool, ...]


@dataclass(frozen=True)
class SeriesFrames:
    """Decoder of a file of a time series by an encoder."""

    encoder: Standardize
    timesteps: int

    def __call__(self, file: Path) -> NDArray[np.uint8]:
        """Frames of the series; raises `DataError`."""
        return encode_series(self.encoder, self.read(file)[None], self.timesteps)[:, 0]

    def read(self, file: Path) -> Rows:
        """Rows of the series; raises `DataError`."""
        rows = read_series(file)
        if rows.shape[1] != self.encoder.features:
            raise DataError(
                f"{file}: has {rows.shape[1]} features, but others have {self.encoder.features}"
            )
        return rows


@dataclass(frozen=True)
class AugmentedSeries:
    """Decoder of an augmented copy: item (file, its number, number of the copy)."""

    frames: SeriesFrames
    options: SeriesOptions
    deviations: tuple[float, ...]
    seed: int

    def __call__(self, item: tuple[Path, int, int]) -> NDArray[np.uint8]:
        """Frames of the copy, the same each time; raises `DataError`."""
        file, number, copy = item
        varied = self.vary(self.frames.read(file), number, copy)
        return encode_series(self.frames.encoder, varied[None], self.frames.timesteps)[:, 0]

    def vary(self, rows: Rows, number: int, copy: int) -> Rows:
        """Rows of a copy of the training sample `number`."""
        generator = np.random.default_rng((self.seed, number, copy))
        return vary_series(rows, self.deviations, self.options, generator)


def make_series_reader(
    files: FileList, training: NDArray[np.int64], options: DataOptions
) -> Reader:
    """Make a reader of time series, one a file; each is cut or padded to the longest.

    Raises `DataError` where they have fewer rows than there are timesteps.
    """

    def measure() -> list[list[int]]:
        shapes = [s for s in map_items(_shape, files) if not isinstance(s, DataError)]
        if not shapes:
            raise DataError(f"{files[0]}: cannot be read, nor any other file")
        return [[max(rows for rows, _ in shapes), shapes[0][1]]]

    ((longest, features),) = cached_values("series-shape", {"files": files.signature()}, measure)
    spaced = np.linspace(0, len(training) - 1, min(len(training), MAX_FITTED)).astype(np.int64)
    chosen = FileList(files.folder, [files[k] for k in training[spaced].tolist()])
    fitted = cached_values(
        "series",
        {"files": chosen.signature(), "features": features},
        lambda: [asdict(fit_standardization(
            (r for r in map_items(read_series, chosen)
             if isinstance(r, Exception) or r.shape[1] == features),
            str(files.folder),
        ))],
    )  # fmt: skip
    statistics = Statistics(**{name: tuple(values) for name, values in fitted[0].items()})
    encoder = make_encoder(longest, statistics, options)
    shape = options.timesteps, *encoder.output_shape
    frames = SeriesFrames(encoder, options.timesteps)
    source = DecodedSource(files, frames, shape, max_value=encoder.max_value)
    augmented, series = None, options.series
    if series and series.copies:
        check_features(series, features)
        chosen = FileList(files.folder, [files[k] for k in training.tolist()])
        vary = AugmentedSeries(frames, series, statistics.std, options.seed)
        augmented = DecodedSource(
            Copies(chosen, series.copies), vary, shape, max_value=encoder.max_value
        )
    return Reader(source, encoder_to_dict(encoder), augmented)


def make_encoder(rows: int, statistics: Statistics, options: DataOptions) -> Standardize:
    """Make the encoder of series of `rows` rows; raises `DataError` where there are too few.

    Values are rounded to 16 bits: integers that fit stay, others are scaled by a power of two, so
    that twice the largest training value still fits.
    """
    width = rows // options.timesteps
    if not width:
        raise DataError(
            f"timesteps is {options.timesteps}, but series have {rows} rows; needs no more"
        )
    largest = np.array(statistics.largest)
    room = np.floor(np.log2(HALF_RANGE / np.maximum(largest, TINY))).clip(-MAX_EXPONENT, None)
    exponent = np.where(np.array(statistics.integral) & (room >= 0), 0, room.clip(max=MAX_EXPONENT))
    mean, std = (np.ldexp(values, exponent.astype(int)) for values in
                 (np.array(statistics.mean), np.array(statistics.std)))  # fmt: skip
    top = 255 >> (8 - options.value_bits)
    scale = np.rint(top / CLIP / std * (1 << SHIFT)).clip(1, 2**31 - 1)
    return Standardize(
        width, exponent.astype(np.int32), np.rint(mean).astype(np.int32), scale.astype(np.int32),
        options.value_bits,
    )  # fmt: skip


def encode_series(encoder: Standardize, rows: Rows, timesteps: int) -> NDArray[np.uint8]:
    """Values of series (samples, rows, features), uint8 (timesteps, samples, *output_shape)."""
    return encode_rows(encoder, to_device_rows(encoder, rows), timesteps)


def fit_standardization(parts: Any, who: str) -> Statistics:
    """Statistics of the columns of all arrays (rows, columns).

    Errors among `parts` are left out; a deviation of 0 becomes 1. Raises `DataError` where nothing
    is left.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    largest, integral = np.zeros(1), np.ones(1, bool)
    for part in parts:
        if isinstance(part, DataError):
            continue  # counted where its frames are decoded
        if isinstance(part, Exception):
            raise part
        count += len(part)
        total = total + part.sum(axis=0)
        squares = squares + np.square(part).sum(axis=0)
        largest = np.maximum(largest, np.abs(part).max(axis=0))
        integral = integral & (part == np.rint(part)).all(axis=0)
    if not count:
        raise DataError(f"{who}: no training file can be read")
    mean = total / count
    std = np.sqrt((squares / count - mean**2).clip(min=0))
    std = np.where(std <= RELATIVE_ERROR * largest, 1.0, std)
    return Statistics(*(tuple(each.tolist()) for each in (mean, std, largest, integral)))


def read_series(file: Path) -> Rows:
    """Rows of a series, float64 (rows, features), from CSV (a header is skipped), .npy or .npz.

    An .npz holds one array, or several, of which `x` is taken. Raises `DataError` where the file
    holds no finite numbers in rows of one length.
    """
    try:
        if file.suffix.lower() in (".csv", ".txt"):
            values: NDArray[Any] = _read_csv(file)
        else:
            with open_input(file) as opened:
                loaded = np.load(opened, allow_pickle=False)
                values = loaded if isinstance(loaded, np.ndarray) else _only_array(loaded)
        rows = np.asarray(values, np.float64)
    except DataError:
        raise
    except NPZ_ERRORS as error:
        message = " ".join(str(error).split())
        raise DataError(f"{file}: cannot be read as a time series ({message})") from error
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or 0 in rows.shape or not np.isfinite(rows).all():
        raise DataError(f"{file}: holds {rows.shape}, needs finite numbers (rows, features)")
    return rows


def _only_array(archive: np.lib.npyio.NpzFile) -> NDArray[np.generic]:
    name = "x" if "x" in archive.files else archive.files[0]
    array: NDArray[np.generic] = archive[name]
    return array


def _read_csv(file: Path) -> Rows:
    with open_input(file) as opened:
        text = opened.read().decode("utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    separator = next((each for each in ",;\t" if lines and each in lines[0]), None)
    cells = [line.split(separator) for line in lines]
    try:
        [float(cell) for cell in cells[0]]
    except ValueError:
        cells = cells[1:]
    return np.array([[float(cell) for cell in row] for row in cells], np.float64)


def _shape(file: Path) -> tuple[int, int]:
    rows, features = read_series(file).shape
    return rows, features
