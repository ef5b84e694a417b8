"""Time series as frames: a timestep holds a few consecutive rows, signed values in two channels.

Features are standardized by their mean and standard deviation over the training samples, and
clipped to 3 standard deviations. The positive parts are the first channels, the negative parts the
others, as integers of `value_bits` bits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import DataError
from ..cache import cached_values
from ..file_frames import FileList, Reader
from ..options import DataOptions
from ..reading import map_items
from ..recordings import NPZ_ERRORS
from ..sources import DecodedSource

SERIES_SUFFIXES = {".csv", ".txt", ".npz", ".npy"}
CLIP = 3.0  # standard deviations
MAX_FITTED = 1024  # training files that the standardization is fitted to
Rows = NDArray[np.float64]  # (rows, features), in order of time


@dataclass(frozen=True)
class SeriesEncoder:
    """Standardization of rows, (rows, features), and their division into timesteps of `width`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    timesteps: int
    width: int
    value_bits: int

    def __call__(self, rows: Rows) -> NDArray[np.uint8]:
        """Integers, uint8 (timesteps, 2 * features, 1, width).

        Longer series are cut at the end; shorter ones are padded with the mean, which is 0.
        """
        needed = self.timesteps * self.width
        scores = (rows[:needed] - self.mean) / self.std
        scores = np.pad(scores, ((0, needed - len(scores)), (0, 0)))
        largest = 255 >> (8 - self.value_bits)
        signed = np.concatenate([scores, -scores], axis=1)
        levels = np.rint(signed.clip(0, CLIP) * largest / CLIP)
        steps = levels.reshape(self.timesteps, self.width, -1)
        return steps.swapaxes(1, 2)[:, :, None].astype(np.uint8)

    def describe(self) -> dict[str, object]:
        """The encoder as plain values."""
        return {
            "kind": "standardized, positive and negative parts",
            "clip": CLIP, "mean": list(self.mean), "std": list(self.std), "rows": self.width,
        }  # fmt: skip


@dataclass(frozen=True)
class SeriesFrames:
    """Decoder of a file of a time series by an encoder."""

    encoder: SeriesEncoder

    def __call__(self, file: Path) -> NDArray[np.uint8]:
        """Frames of the series; raises `DataError`."""
        rows = read_series(file)
        if rows.shape[1] != len(self.encoder.mean):
            raise DataError(
                f"{file}: has {rows.shape[1]} features, but others have {len(self.encoder.mean)}"
            )
        return self.encoder(rows)


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
    mean, std = cached_values(
        "series",
        {"files": chosen.signature(), "features": features},
        lambda: fit_standardization(
            (r for r in map_items(read_series, chosen)
             if isinstance(r, Exception) or r.shape[1] == features),
            str(files.folder),
        ),
    )  # fmt: skip
    encoder = make_encoder(longest, mean, std, options)
    limit = 255 >> (8 - options.value_bits)
    shape = (encoder.timesteps, 2 * features, 1, encoder.width)
    source = DecodedSource(files, SeriesFrames(encoder), shape, max_value=limit)
    return Reader(source, encoder.describe())


def make_encoder(
    rows: int, mean: list[float], std: list[float], options: DataOptions
) -> SeriesEncoder:
    """Make the encoder of series of `rows` rows; raises `DataError` where there are too few."""
    width = rows // options.timesteps
    if not width:
        raise DataError(
            f"timesteps is {options.timesteps}, but series have {rows} rows; needs no more"
        )
    return SeriesEncoder(tuple(mean), tuple(std), options.timesteps, width, options.value_bits)


def fit_standardization(parts: Any, who: str) -> list[list[float]]:
    """Mean and standard deviation of the columns of all arrays (rows, columns), in two lists.

    Errors among `parts` are left out; a deviation of 0 becomes 1. Raises `DataError` where nothing
    is left.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for part in parts:
        if isinstance(part, DataError):
            continue  # counted where its frames are decoded
        if isinstance(part, Exception):
            raise part
        count += len(part)
        total = total + part.sum(axis=0)
        squares = squares + np.square(part).sum(axis=0)
    if not count:
        raise DataError(f"{who}: no training file can be read")
    mean = total / count
    std = np.sqrt((squares / count - mean**2).clip(min=0))
    return [mean.tolist(), np.where(std < 1e-6, 1.0, std).tolist()]


def read_series(file: Path) -> Rows:
    """Rows of a series, float64 (rows, features), from CSV (a header is skipped), .npy or .npz.

    An .npz holds one array, or several, of which `x` is taken. Raises `DataError` where the file
    holds no finite numbers in rows of one length.
    """
    try:
        if file.suffix.lower() in (".csv", ".txt"):
            values: NDArray[Any] = _read_csv(file)
        else:
            with file.open("rb") as opened:
                loaded = np.load(opened, allow_pickle=False)
                values = loaded if isinstance(loaded, np.ndarray) else _only_array(loaded)
        rows = np.asarray(values, np.float64)
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
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
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
