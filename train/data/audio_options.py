"""Options of audio: table `[data.audio]` of a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from ...runtime.config import Options


class AudioOptions(Options):
    """Filter bank of audio, and augmented copies of its training recordings.

    - `window_ms`, `hop_ms`: length of a window, and time from one to the next, milliseconds.
    - `reference`: what levels are relative to: "none", or a running "peak" of all bands, which
      makes them independent of the gain of the microphone.
    - `peak_decay`: decay of the running peak, in octaves of energy (3 dB) per second.
    - `copies`: augmented copies of each training recording, beside itself; each is varied by what
      follows.
    - `speed`: play up to so large a fraction faster or slower, which moves the pitch too.
    - `shift_ms`: begin up to so many milliseconds later, or half as many earlier.
    - `gain_db`: louder or softer by up to so many decibels.
    - `tilt`: emphasize high or low frequencies: each sample gets the one before it, times up to so
      much, added or taken away.
    - `noise_db`: smallest signal-to-noise ratio of white noise, which half of the copies have from
      their start to the end of the last timestep; the largest is 30 dB above it.
    """

    window_ms: int = Field(default=25, ge=1)
    hop_ms: int = Field(default=10, ge=1)
    reference: Literal["none", "peak"] = "none"
    peak_decay: float = Field(default=1.0, ge=0, le=60)
    copies: int = Field(default=0, ge=0, le=1000)
    speed: float = Field(default=0.0, ge=0, lt=1)
    shift_ms: float = Field(default=0.0, ge=0)
    gain_db: float = Field(default=0.0, ge=0)
    tilt: float = Field(default=0.0, ge=0, lt=1)
    noise_db: float | None = None

    @model_validator(mode="after")
    def _check_window(self) -> "AudioOptions":
        if self.window_ms < self.hop_ms:
            raise ValueError(f"window_ms is {self.window_ms}, needs hop_ms = {self.hop_ms} or more")
        return self
