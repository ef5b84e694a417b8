"""Encoders of values to spikes in integer arithmetic: rate, latency and delta coding.

A device applies the same integers: values v are 0 to 255, or to 2^bits - 1 with `value_bits`, of
which `levels` = 2^bits. Without an encoder values enter as they are at every step (direct coding).

- rate: a spike at step t where floor(v (t + 1) / levels) > floor(v t / levels), so that the number
  of spikes in T steps is floor(v T / levels), evenly spaced.
- latency: one spike at step floor((levels - 1 - v) T / levels), the earlier the larger the value;
  none where v = 0.
- delta (send on change): a reference starts at the first value and follows it; a value that is at
  least `threshold` above the reference is a spike of the first channels and becomes the reference,
  one that is as much below a spike of the channels after them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import ValueEquality
from ...runtime.errors import DataError
from .dataset import Dataset, FrameSet
from .options import DataOptions
from .sources import EventArray, Indices, SampleShape, SampleSource

Values = NDArray[np.uint8]


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


STATIC_CODES: Mapping[str, Callable[[Values, int, int], EventArray]] = {
    "rate": encode_rate,
    "latency": encode_latency,
}


@dataclass(frozen=True, eq=False)
class EncodedSource(ValueEquality):
    """Samples of a source, encoded to spikes when they are read."""

    base: SampleSource
    encoding: str
    levels: int
    threshold: int

    def __len__(self) -> int:
        return len(self.base)

    @property
    def shape(self) -> SampleShape:
        """Shape of a sample; delta coding doubles the channels."""
        timesteps, channels, height, width = self.base.shape
        return timesteps, channels * (2 if self.encoding == "delta" else 1), height, width

    @property
    def max_value(self) -> int:
        """1."""
        return 1

    @property
    def decodes(self) -> bool:
        """That of the source."""
        return self.base.decodes

    def read(self, indices: Indices) -> EventArray:
        """Read and encode the samples at `indices`."""
        frames = self.base.read(indices)
        if self.encoding == "delta":
            return encode_delta(frames, self.threshold)
        return STATIC_CODES[self.encoding](frames[0], len(frames), self.levels)


def encode_dataset(data: Dataset, options: DataOptions) -> Dataset:
    """Encode all parts by `options.encoding`; the provenance describes the encoder.

    Raises `DataError` where a code of static samples is to encode others, or the reverse.
    """
    encoding = options.encoding
    if encoding in (None, "direct"):
        return data
    assert encoding is not None
    sample = data.train.source.read(np.arange(1))
    static = sample.strides[0] == 0 or len(sample) == 1
    if static == (encoding == "delta"):
        kind, other = ("static", "rate or latency") if static else ("sequences", "delta")
        raise DataError(f"{data.name}: encoding is {encoding}, but samples are {kind}; use {other}")
    levels, threshold = 1 << options.value_bits, options.delta_threshold or 16

    def encode(part: FrameSet) -> FrameSet:
        return FrameSet(EncodedSource(part.source, encoding, levels, threshold), part.labels)

    described: dict[str, Any] = {"kind": encoding, "levels": levels}
    if encoding == "delta":
        described["threshold"] = threshold
    earlier = data.provenance.get("encoder")
    encoders = [dict(earlier), described] if earlier else described
    return replace(
        data,
        train=encode(data.train),
        test=encode(data.test),
        validation=None if data.validation is None else encode(data.validation),
        provenance={**data.provenance, "encoder": encoders},
    )
