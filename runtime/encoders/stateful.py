"""Encoding a timestep at a time, with the state that a device keeps between timesteps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoder import Encoder, as_waveforms
from .log_mel import LogMel, quantize_levels, references, window_levels
from .spike_codes import DeltaCode, LatencyCode, RateCode
from .standardize import Standardize, encode_rows

Frame = NDArray[np.uint8]  # (channels, height, width)


class StatefulEncoder:
    """Encoders of a network with their state: the events of each timestep from its raw input.

    Timesteps encoded one by one are those that `apply_encoders` encodes together.
    """

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        self.encoders = tuple(encoders)
        self.reset()

    def reset(self) -> None:
        """Return to the initial state, as `pumice_reset` of the firmware does."""
        first = self.encoders[0]
        self.step = 0
        if isinstance(first, LogMel):
            self.history = np.zeros((1, first.history), np.int16)
            self.peak = first.peak_floor
        self.reference: Frame | None = None

    def encode(self, raw: NDArray[Any]) -> Frame:
        """Events of the next timestep, uint8 (channels, height, width).

        `raw` is int16 (entries of a timestep,) of a waveform or a series, else uint8 (channels,
        height, width).
        """
        values = np.asarray(raw)
        for encoder in self.encoders:
            if isinstance(encoder, LogMel):
                values = self._encode_waveform(encoder, values)
            elif isinstance(encoder, Standardize):
                rows = values.reshape(1, encoder.rows, encoder.features)
                values = encode_rows(encoder, rows, 1)[0, 0]
            else:
                values = self._encode_values(encoder, values)
        self.step += 1
        return values

    def _encode_waveform(self, encoder: LogMel, samples: NDArray[np.int16]) -> Frame:
        padded = np.concatenate([self.history, as_waveforms(samples)], axis=1)
        levels = window_levels(encoder, padded)
        peaks = references(encoder, levels, self.peak)
        self.peak = int(peaks[0, -1])
        self.history = padded[:, padded.shape[1] - encoder.history :]
        frame: Frame = quantize_levels(encoder, levels - peaks[..., None])[0].T[None]
        return frame

    def _encode_values(self, encoder: RateCode | LatencyCode | DeltaCode, values: Frame) -> Frame:
        if not isinstance(encoder, DeltaCode):
            steps = np.broadcast_to(values[None, None], (self.step + 1, 1, *values.shape))
            now: Frame = encoder.encode(steps)[-1, 0]
            return now
        before = values if self.reference is None else self.reference
        events: Frame = encoder.encode(np.stack([before, values])[:, None])[1, 0]
        sent = events[: len(values)] | events[len(values) :]
        self.reference = np.where(sent > 0, values, before)
        return events
