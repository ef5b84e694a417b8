"""Standardization of time series in integers: positive and negative parts of each feature.

A device gives rows of features as int16: x = round(value 2^`exponent`), clipped. A timestep holds
`rows` consecutive rows, and each value is standardized on its own (`>>` rounds down):

    v = ((x - mean) * scale + 2^15) >> 16, clipped to -m and m, where m = 2^`value_bits` - 1

Channel f of a timestep, of shape (1, rows), holds max(v, 0) of feature f, channel f + features
max(-v, 0). Series that end earlier go on with the mean, whose parts are 0.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import ValueEquality, as_int, as_readonly
from ..errors import EngineError, NetworkError

SHIFT = 16
MAX_ROWS = 1 << 16
MAX_EXPONENT = 64
INT16 = np.iinfo(np.int16)
Rows = NDArray[np.int16]  # (samples, rows, features)


@dataclass(frozen=True, eq=False)
class Standardize(ValueEquality):
    """Standardization of rows of features, int16; the steps are in the module.

    Attributes:
        rows: Rows of a timestep.
        exponent: Of each feature: a value is an integer times 2^-exponent, (features,).
        mean: Mean of each feature, an integer of 16 bits, (features,).
        scale: Factor of each feature, 1 to 2^31 - 1, (features,).
        value_bits: Bits of a value, 1 to 8.

    Raises:
        NetworkError: A field has another shape or range.
    """

    kind: ClassVar[str] = "standardize"

    rows: int
    exponent: NDArray[np.int32]
    mean: NDArray[np.int32]
    scale: NDArray[np.int32]
    value_bits: int = 8

    def __post_init__(self) -> None:
        limits = {
            "exponent": (-MAX_EXPONENT, MAX_EXPONENT),
            "mean": (INT16.min, INT16.max),
            "scale": (1, 2**31 - 1),
        }
        for name, (low, high) in limits.items():
            array = as_readonly(getattr(self, name), np.int32, f"{self.kind}: {name}")
            object.__setattr__(self, name, array)
            if array.ndim != 1 or not array.size or array.shape != np.shape(self.mean):
                raise NetworkError(f"{self.kind}: {name} is {array.shape}, needs (features,)")
            if array.min() < low or array.max() > high:
                raise NetworkError(
                    f"{self.kind}: {name} holds {array.min()}..{array.max()}, needs {low}..{high}"
                )
        for name, high in (("rows", MAX_ROWS), ("value_bits", 8)):
            if not 1 <= as_int(getattr(self, name), f"{self.kind}: {name}") <= high:
                value = getattr(self, name)
                raise NetworkError(f"{self.kind}: {name} is {value}, needs 1 to {high}")

    @property
    def features(self) -> int:
        """Number of features."""
        return len(self.mean)

    @property
    def input_size(self) -> int:
        """Integers of a timestep: rows times features, row by row."""
        return self.rows * self.features

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Shape of a timestep: (2 * features, 1, rows)."""
        return 2 * self.features, 1, self.rows

    @property
    def max_value(self) -> int:
        """Largest value."""
        return (1 << self.value_bits) - 1


def to_device_rows(encoder: Standardize, raw: NDArray[Any]) -> Rows:
    """Rows as a device gives them, int16 (samples, rows, features).

    `raw` is (samples, rows, features) or (rows, features): int16 of a device, or numbers in the
    units of the training files. Raises `EngineError` where it has another shape or is not finite.
    """
    raw = np.asarray(raw)
    if raw.ndim == 2:
        raw = raw[None]
    if raw.ndim != 3 or raw.shape[2] != encoder.features or 0 in raw.shape:
        raise EngineError(
            f"the input is {raw.dtype} {raw.shape}, needs rows (samples, rows, {encoder.features})"
        )
    if raw.dtype == np.int16:
        return raw
    if raw.dtype.kind not in "iuf" or not np.isfinite(raw).all():
        raise EngineError(f"the input is {raw.dtype}, needs finite numbers")
    scaled = np.rint(np.ldexp(raw.astype(np.float64), encoder.exponent))
    rows: Rows = scaled.clip(INT16.min, INT16.max).astype(np.int16)
    return rows


def pad_rows(encoder: Standardize, rows: Rows, timesteps: int) -> Rows:
    """Rows of `timesteps`: longer series are cut, shorter ones go on with the mean."""
    needed = timesteps * encoder.rows
    padded = np.empty((len(rows), needed, encoder.features), np.int16)
    padded[:] = encoder.mean
    padded[:, : rows.shape[1]] = rows[:, :needed]
    return padded


def encode_rows(encoder: Standardize, rows: Rows, timesteps: int) -> NDArray[np.uint8]:
    """Values of rows, uint8 (timesteps, samples, 2 * features, 1, rows of a timestep)."""
    padded = pad_rows(encoder, rows, timesteps).astype(np.int64)
    products = (padded - encoder.mean) * encoder.scale.astype(np.int64)
    values = ((products + (1 << (SHIFT - 1))) >> SHIFT).clip(-encoder.max_value, encoder.max_value)
    parts = np.concatenate([values, -values], axis=2).clip(min=0)
    steps = parts.reshape(len(rows), timesteps, encoder.rows, -1)
    return np.ascontiguousarray(steps.transpose(1, 0, 3, 2)[:, :, :, None].astype(np.uint8))
