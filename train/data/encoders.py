"""Spike codes of datasets: rate, latency and delta coding, see `runtime.encoders`."""

from dataclasses import dataclass, replace

import numpy as np

from ...runtime.arrays import ValueEquality
from ...runtime.encoders import DeltaCode, LatencyCode, RateCode, encoder_to_dict
from ...runtime.errors import DataError
from .dataset import Dataset, FrameSet
from .options import DataOptions
from .sources import EventArray, Indices, SampleShape, SampleSource

SpikeCode = RateCode | LatencyCode | DeltaCode
DELTA_THRESHOLD = 16  # default of `delta_threshold`


@dataclass(frozen=True, eq=False)
class EncodedSource(ValueEquality):
    """Samples of a source, encoded to spikes when they are read."""

    base: SampleSource
    encoder: SpikeCode

    def __len__(self) -> int:
        return len(self.base)

    @property
    def shape(self) -> SampleShape:
        """Shape of a sample; delta coding doubles the channels."""
        timesteps, *frame = self.base.shape
        return timesteps, *self.encoder.encoded_shape((frame[0], frame[1], frame[2]))

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
        return self.encoder.encode(self.base.read(indices))


def encode_dataset(data: Dataset, options: DataOptions) -> Dataset:
    """Encode all parts by `options.encoding`; the provenance lists the encoders.

    Raises `DataError` where a code of static samples is to encode others, or the reverse.
    """
    encoding = options.encoding
    if encoding in (None, "direct"):
        return data
    sample = data.train.source.read(np.arange(1))
    static = sample.strides[0] == 0 or len(sample) == 1
    if static == (encoding == "delta"):
        kind, other = ("static", "rate or latency") if static else ("sequences", "delta")
        raise DataError(f"{data.name}: encoding is {encoding}, but samples are {kind}; use {other}")
    encoder: SpikeCode
    if encoding == "delta":
        encoder = DeltaCode(options.delta_threshold or DELTA_THRESHOLD)
    elif encoding == "rate":
        encoder = RateCode(options.value_bits)
    else:
        encoder = LatencyCode(data.timesteps, options.value_bits)

    def encode(part: FrameSet) -> FrameSet:
        return FrameSet(EncodedSource(part.source, encoder), part.labels)

    encoders = [*data.provenance.get("encoder", []), encoder_to_dict(encoder)]
    return replace(
        data,
        train=encode(data.train),
        test=encode(data.test),
        validation=None if data.validation is None else encode(data.validation),
        provenance={**data.provenance, "encoder": encoders},
    )
