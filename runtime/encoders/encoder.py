"""Encoders of a network: what turns raw input into its events, as plain values and applied.

A network's encoders are applied one after another. The first takes what a sensor gives: a waveform
or rows of a time series, int16, where it is a filter bank or a standardization, else values of one
byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, NetworkError
from .log_mel import LogMel, encode_waveforms
from .spike_codes import DeltaCode, LatencyCode, RateCode
from .standardize import Standardize, encode_rows, to_device_rows

Encoder = LogMel | Standardize | RateCode | LatencyCode | DeltaCode
SensorEncoder = LogMel | Standardize  # takes int16 of a sensor
ENCODERS: dict[str, type[Encoder]] = {
    cls.kind: cls for cls in (LogMel, Standardize, RateCode, LatencyCode, DeltaCode)
}
Shape = tuple[int, int, int]


def encoder_to_dict(encoder: Encoder) -> dict[str, Any]:
    """Convert an encoder to JSON values, its kind under "kind"."""
    values = {field.name: getattr(encoder, field.name) for field in fields(encoder)}
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}
    return {"kind": encoder.kind, **plain}


def encoder_from_dict(values: Mapping[str, Any]) -> Encoder:
    """Make an encoder from the JSON values of `encoder_to_dict`; raises `NetworkError`."""
    parameters = dict(values)
    kind = parameters.pop("kind", None)
    if kind not in ENCODERS:
        raise NetworkError(f"encoder: kind {kind!r} is none of {', '.join(ENCODERS)}")
    try:
        return ENCODERS[kind](**parameters)
    except TypeError as error:
        raise NetworkError(f"{kind}: {error}") from error


def encoded_shape(encoders: Sequence[Encoder], shape: Shape) -> Shape:
    """Shape of a timestep's events, of values of `shape` (what a first encoder of int16 gives).

    Raises `NetworkError` where an encoder of int16 is not the first, or spikes are encoded again.
    """
    for place, encoder in enumerate(encoders):
        if isinstance(encoder, SensorEncoder):
            if place:
                raise NetworkError(f"{encoder.kind}: takes int16 samples, so it must come first")
            shape = encoder.output_shape
            continue
        if place and not isinstance(encoders[place - 1], SensorEncoder):
            raise NetworkError(f"{encoder.kind}: takes values, not the spikes of another code")
        if place and not isinstance(encoder, DeltaCode):
            raise NetworkError(
                f"{encoder.kind}: takes static values, but sequences change; use delta"
            )
        shape = encoder.encoded_shape(shape)
    return shape


def frame_shape(shape: Sequence[int]) -> Shape:
    """Shape of a frame with all three axes, of a population of `shape`: (neurons, 1, 1) if flat."""
    return (shape[0], 1, 1) if len(shape) == 1 else (shape[0], shape[1], shape[2])


def value_shape(encoders: Sequence[Encoder], shape: Shape) -> Shape:
    """Shape of a timestep's values before spike codes, where events have `shape`."""
    delta = isinstance(encoders[-1], DeltaCode)
    return (shape[0] // 2, *shape[1:]) if delta else shape


def apply_encoders(
    encoders: Sequence[Encoder], raw: NDArray[Any], timesteps: int
) -> NDArray[np.uint8]:
    """Encode raw input to events, uint8 (timesteps, samples, channels, height, width).

    Args:
        encoders: At least one.
        raw: int16 waveforms (samples, length) of a filter bank; rows (samples, rows, features) of a
            standardization, see `standardize.to_device_rows`; else integers 0 to 255, static
            (samples, channels, height, width) of a rate or latency code, or sequences (timesteps,
            samples, channels, height, width) of a delta code.
        timesteps: Number of timesteps; longer input is cut. Shorter waveforms are padded with
            zeros, shorter series with the mean.

    Raises:
        EngineError: The input has another shape, type or range.
    """
    first, *others = encoders
    if isinstance(first, LogMel):
        values = encode_waveforms(first, as_waveforms(raw), timesteps)
    elif isinstance(first, Standardize):
        values = encode_rows(first, to_device_rows(first, raw), timesteps)
    else:
        values = _as_values(first, raw, timesteps)
        others = list(encoders)
    for encoder in others:
        assert not isinstance(encoder, SensorEncoder)
        values = encoder.encode(values)
    return values


def as_waveforms(raw: NDArray[Any]) -> NDArray[np.int16]:
    """Waveforms (samples, length) of one or several, int16; raises `EngineError`."""
    raw = np.asarray(raw)
    if raw.dtype != np.int16 or raw.ndim not in (1, 2) or 0 in raw.shape:
        raise EngineError(
            f"the input is {raw.dtype} {raw.shape}, needs waveforms of int16 (samples, length)"
        )
    return raw.reshape(-1, raw.shape[-1])


def _as_values(encoder: Encoder, raw: NDArray[Any], timesteps: int) -> NDArray[np.uint8]:
    """Values of each timestep, static ones as a view; raises `EngineError`."""
    raw = np.asarray(raw)
    static = not isinstance(encoder, DeltaCode)
    needed = "(samples, channels, height, width)"
    if not static:
        needed = f"(timesteps, {needed[1:]}"
    if raw.dtype.kind not in "iub" or raw.ndim != 5 - static or 0 in raw.shape:
        raise EngineError(f"the input is {raw.dtype} {raw.shape}, needs integers {needed}")
    high = 255 if isinstance(encoder, DeltaCode) else (1 << encoder.value_bits) - 1
    if raw.min() < 0 or raw.max() > high:
        raise EngineError(f"the input holds {raw.min()}..{raw.max()}, needs 0..{high}")
    values = raw.astype(np.uint8)
    if static:
        return np.broadcast_to(values, (timesteps, *values.shape))
    return values[:timesteps]
