"""Operations of encoders: the multiplications and additions that a device carries out."""

from collections.abc import Sequence
from dataclasses import dataclass

from .encoder import Encoder
from .log_mel import LogMel
from .spike_codes import LatencyCode, RateCode
from .standardize import Standardize


@dataclass(frozen=True)
class EncoderOps:
    """Multiplications and additions of a timestep, those of rounding included; no comparisons."""

    multiplications: int = 0
    additions: int = 0


def count_encoder_ops(encoders: Sequence[Encoder], values: int) -> EncoderOps:
    """Count the operations of a timestep, as the exported firmware carries them out.

    They do not depend on the input. `values` is the number of values that a spike code encodes.
    """
    multiplications = additions = 0
    for encoder in encoders:
        if isinstance(encoder, LogMel):
            multiplications += encoder.windows * _window_ops(encoder).multiplications
            additions += encoder.windows * _window_ops(encoder).additions
        elif isinstance(encoder, Standardize):
            multiplications += encoder.input_size
            additions += 2 * encoder.input_size
        elif isinstance(encoder, RateCode):
            multiplications += 2 * values
            additions += values
        elif isinstance(encoder, LatencyCode):
            multiplications += values
            additions += values
        else:
            additions += values
    return EncoderOps(multiplications, additions)


def _window_ops(encoder: LogMel) -> EncoderOps:
    """Operations of one window of a filter bank."""
    half, span = encoder.fft_size // 2, len(encoder.window)
    stages = half.bit_length() - 1
    butterflies = half // 2 * stages
    plain = half - 1  # whose factor is 1
    turned = butterflies - plain
    bins, bands = len(encoder.weight), encoder.bands
    return EncoderOps(
        span + 4 * turned + (6 + 1) * bins + bands,
        span + 8 * turned + 4 * plain + (11 + 2) * bins + (2 + 2) * bands,
    )
