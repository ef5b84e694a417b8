"""Encode raw input for a network: waveforms, time series or values to its events."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from ..network import Network
from .encoder import apply_encoders, as_waveforms, frame_shape, value_shape
from .log_mel import LogMel
from .op_counts import EncoderOps, count_encoder_ops
from .spike_codes import DeltaCode, LatencyCode
from .standardize import Standardize, pad_rows, to_device_rows
from .waveform import read_waveform

DEFAULT_TIMESTEPS = 8  # of a rate code, for a network without a recipe in its provenance


@dataclass(frozen=True)
class EncodedInputs:
    """Events of a network, and the raw input that they were encoded from.

    Attributes:
        events: Events of its input population, uint8 (timesteps, samples, *shape), by its name.
        raw: What a device gets at each timestep: int16 (timesteps, samples, entries) of waveforms
            or of rows of a series, or uint8 (timesteps, samples, channels, height, width).
    """

    events: Mapping[str, NDArray[np.uint8]]
    raw: NDArray[Any]


def encode(network: Network, raw: Any, timesteps: int | None = None) -> EncodedInputs:
    """Encode raw input by the encoders of a network, in the integers that its firmware computes.

        pumice.run(net, pumice.encode(net, "seven.wav"))

    Args:
        network: Network with encoders.
        raw: Waveforms: the path of a `.wav` file or a list of paths, an array of int16 (length,) or
            (samples, length), or a list of arrays of any length. For a standardization series
            (samples, rows, features) or (rows, features): int16 of the device, else numbers in the
            units of the training files. For a rate or latency code static
            values, integers (samples, *shape); for a delta code sequences (timesteps, samples,
            *shape).
        timesteps: Number of timesteps; by default that of the training recipe, and without one as
            many as hold the input.

    Raises:
        DataError: A file cannot be read or has another sample rate.
        EngineError: The network has no encoders, or the input has another shape, type or range.
    """
    if not network.encoders:
        raise EngineError("encode: the network has no encoders; give its events to run")
    (population,) = network.inputs
    first = network.encoders[0]
    if isinstance(first, LogMel):
        array: NDArray[Any] = _stack_waveforms(raw, first.sample_rate)
    elif isinstance(first, Standardize):
        array = to_device_rows(first, raw)
    else:
        array = _with_frames(np.asarray(raw), network, isinstance(first, DeltaCode))
    steps = timesteps or _default_timesteps(network, array)
    events = apply_encoders(network.encoders, array, steps)
    shaped = events.reshape(*events.shape[:2], *population.shape)
    return EncodedInputs({population.name: shaped}, raw_by_timestep(network, array, len(events)))


def random_raw_inputs(network: Network, timesteps: int, samples: int = 1) -> EncodedInputs:
    """Encode random raw input, the same each time: noise of standard deviation 3000, or values.

    Series have the mean and the deviation of the training samples.

    Raises `EngineError` where the network has no encoders.
    """
    generator = np.random.default_rng(0)
    first = network.encoders[0] if network.encoders else None
    if isinstance(first, LogMel):
        noise = generator.normal(0, 3000, (samples, timesteps * first.input_size))
        return encode(network, noise.clip(-32768, 32767).astype(np.int16), timesteps)
    if isinstance(first, Standardize):
        deviation = (1 << 16) * first.max_value / 3 / first.scale
        size = samples, timesteps * first.rows, first.features
        rows = generator.normal(first.mean, deviation, size)
        return encode(network, rows.clip(-32768, 32767).astype(np.int16), timesteps)
    shape = value_shape(network.encoders, frame_shape(network.inputs[0].shape)) if first else ()
    leading = (timesteps, samples) if isinstance(first, DeltaCode) else (samples,)
    high = 1 << getattr(first, "value_bits", 8)
    return encode(network, generator.integers(0, high, (*leading, *shape)), timesteps)


def count_network_encoder_ops(network: Network) -> EncoderOps:
    """Count the operations of the encoders of `network` per timestep; zeros without encoders."""
    if not network.encoders:
        return EncoderOps()
    shape = value_shape(network.encoders, frame_shape(network.inputs[0].shape))
    return count_encoder_ops(network.encoders, int(np.prod(shape)))


def raw_by_timestep(network: Network, raw: NDArray[Any], timesteps: int) -> NDArray[Any]:
    """Divide raw input, as `apply_encoders` takes it, into what a device gets at each timestep."""
    first = network.encoders[0]
    if isinstance(first, DeltaCode):
        return raw[:timesteps].astype(np.uint8)
    if isinstance(first, Standardize):
        rows = pad_rows(first, raw, timesteps).reshape(len(raw), timesteps, -1)
        return np.ascontiguousarray(rows.swapaxes(0, 1))
    if not isinstance(first, LogMel):
        return np.broadcast_to(raw.astype(np.uint8), (timesteps, *raw.shape))
    length = timesteps * first.input_size
    padded = np.pad(raw[:, :length], ((0, 0), (0, max(0, length - raw.shape[1]))))
    return np.ascontiguousarray(padded.reshape(len(raw), timesteps, -1).swapaxes(0, 1))


def _stack_waveforms(raw: Any, sample_rate: int) -> NDArray[np.int16]:
    """Waveforms of files or arrays, int16 (samples, length), shorter ones padded with zeros."""
    if isinstance(raw, np.ndarray):
        return as_waveforms(raw)
    items = [raw] if isinstance(raw, str | os.PathLike) else raw
    if not isinstance(items, Iterable):
        raise EngineError(f"encode: {type(raw).__name__} is no waveform; give int16 or a .wav file")
    waveforms = [
        read_waveform(item, sample_rate)
        if isinstance(item, str | os.PathLike)
        else as_waveforms(np.asarray(item))[0]
        for item in items
    ]
    if not waveforms:
        raise EngineError("encode: no waveforms, needs 1 or more")
    stacked = np.zeros((len(waveforms), max(map(len, waveforms))), np.int16)
    for row, waveform in zip(stacked, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return stacked


def _with_frames(raw: NDArray[Any], network: Network, sequences: bool) -> NDArray[Any]:
    """Values with the axes of frames, where samples are flat or lack channels."""
    shape = value_shape(network.encoders, frame_shape(network.inputs[0].shape))
    leading = raw.shape[: 1 + sequences]
    if raw.size != np.prod(leading, dtype=np.int64) * np.prod(shape):
        axes = "(timesteps, samples, " if sequences else "(samples, "
        raise EngineError(f"encode: input of {raw.shape}, needs {axes}{str(shape)[1:]}")
    return raw.reshape(*leading, *shape)


def _default_timesteps(network: Network, raw: NDArray[Any]) -> int:
    first = network.encoders[0]
    recipe = network.provenance.get("recipe")
    data = recipe.get("data", {}) if isinstance(recipe, Mapping) else {}
    given = data.get("timesteps")
    if isinstance(first, LatencyCode):
        return first.timesteps
    if isinstance(first, DeltaCode):
        return len(raw)
    if isinstance(given, int):
        return given
    if isinstance(first, Standardize):
        return -(-int(raw.shape[1]) // first.rows)
    return -(-raw.shape[1] // first.input_size) if isinstance(first, LogMel) else DEFAULT_TIMESTEPS
