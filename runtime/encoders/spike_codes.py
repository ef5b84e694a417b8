"""Encoders of values to spikes in integer arithmetic: rate, latency and delta coding.

Values v are 0 to 2^bits - 1; `levels` = 2^bits. Without an encoder values enter as they are at
every step (direct coding).

- rate: a spike at step t where floor(v (t + 1) / levels) > floor(v t / levels), so that the number
  of spikes in T steps is floor(v T / levels), evenly spaced.
- latency: one spike at step floor((levels - 1 - v) T / levels), the earlier the larger the value;
  none where v = 0.
- delta (send on change): a reference starts at the first value and follows it; a value that is at
  least `threshold` above the reference is a spike of the first channels and becomes the reference,
  one that is as much below a spike of the channels after them.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_int
from ..errors import NetworkError

Values = NDArray[np.uint8]
EventArray = NDArray[np.uint8]  # (timesteps, samples, channels, height, width)
MAX_TIMESTEPS = 1 << 16
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class RateCode:
    """Rate code of static values of `value_bits` bits; raises `NetworkError` out of 1 to 8."""

    kind: ClassVar[str] = "rate"

    value_bits: int = 8

    def __post_init__(self) -> None:
        _check_field(self.kind, "value_bits", self.value_bits, 8)

    def encoded_shape(self, shape: Shape) -> Shape:
        """Shape of the spikes of values of `shape`, the same."""
        return shape

    def encode(self, values: EventArray) -> EventArray:
        """Spikes of values (timesteps, samples, ...), of which the first timestep counts."""
        return encode_rate(values[0], len(values), 1 << self.value_bits)


@dataclass(frozen=True)
class LatencyCode:
    """Latency code of static values of `value_bits` bits in `timesteps`; raises `NetworkError`."""

    kind: ClassVar[str] = "latency"

    timesteps: int
    value_bits: int = 8

    def __post_init__(self) -> None:
        _check_field(self.kind, "value_bits", self.value_bits, 8)
        _check_field(self.kind, "timesteps", self.timesteps, MAX_TIMESTEPS)

    def encoded_shape(self, shape: Shape) -> Shape:
        """Shape of the spikes of values of `shape`, the same."""
        return shape

    def encode(self, values: EventArray) -> EventArray:
        """Spikes of values (timesteps, samples, ...), of which the first timestep counts."""
        spikes = encode_latency(values[0], self.timesteps, 1 << self.value_bits)
        missing = max(0, len(values) - self.timesteps)
        padding = [(0, missing), *(((0, 0),) * (spikes.ndim - 1))]
        return np.pad(spikes, padding)[: len(values)]


@dataclass(frozen=True)
class DeltaCode:
    """Delta code of sequences: changes of at least `threshold`; raises `NetworkError`."""

    kind: ClassVar[str] = "delta"

    threshold: int

    def __post_init__(self) -> None:
        _check_field(self.kind, "threshold", self.threshold, 255)

    def encoded_shape(self, shape: Shape) -> Shape:
        """Shape of the spikes of values of `shape`: twice the channels."""
        return 2 * shape[0], *shape[1:]

    def encode(self, values: EventArray) -> EventArray:
        """Spikes of sequences (timesteps, samples, channels, ...)."""
        return encode_delta(values, self.threshold)


def _check_field(kind: str, name: str, value: object, high: int) -> None:
    if not 1 <= as_int(value, f"{kind}: {name}") <= high:
        raise NetworkError(f"{kind}: {name} is {value}, needs 1 to {high}")


def encode_rate(values: Values, timesteps: int, levels: int = 256) -> EventArray:
    """Rate code of values (samples, ...), uint8 (timesteps, samples, ...) of 0 and 1."""
    steps = np.arange(timesteps + 1).reshape(-1, *(1 for _ in values.shape))
    totals = values.astype(np.int64) * steps // levels
    spikes: EventArray = (np.diff(totals, axis=0) > 0).astype(np.uint8)
    return spikes


def encode_latency(values: Values, timesteps: int, levels: int = 256) -> EventArray:
    """Latency code of values (samples, ...), uint8 (timesteps, samples, ...) of 0 and 1."""
    steps = np.arange(timesteps).reshape(-1, *(1 for _ in values.shape))
    moments = (levels - 1 - values.astype(np.int64)) * timesteps // levels
    spikes: EventArray = ((moments == steps) & (values > 0)).astype(np.uint8)
    return spikes


def encode_delta(frames: EventArray, threshold: int) -> EventArray:
    """Delta code of sequences (timesteps, samples, channels, ...): twice the channels, 0 and 1."""
    reference = frames[0].astype(np.int64)
    encoded = []
    for frame in frames.astype(np.int64):
        above, below = frame - reference >= threshold, reference - frame >= threshold
        reference = np.where(above | below, frame, reference)
        encoded.append(np.concatenate([above, below], axis=1))
    return np.stack(encoded).astype(np.uint8)
