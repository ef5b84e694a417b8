"""Bin events into frames, one per time bin, as a network takes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..network import Network
from .chunks import EventChunk, StreamStats

MAX_SIDE = (1 << 31) - 1  # pixels, or microseconds
MAX_GAP_US = 10_000_000  # microseconds between events after which the stream is reset


@dataclass(frozen=True)
class Sensor:
    """Event sensor, and the binning of its events.

    Attributes:
        width: Pixels along x.
        height: Pixels along y.
        downsample: Squares of `downsample` x `downsample` pixels become one.
        bin_us: Width of a time bin, microseconds; the first event starts the first one.

    Raises:
        DataError: A number is below 1 or above 2^31 - 1, or `downsample` does not divide the sides.
    """

    width: int
    height: int
    downsample: int = 1
    bin_us: int = 10_000

    def __post_init__(self) -> None:
        for name in ("width", "height", "downsample", "bin_us"):
            if not 1 <= getattr(self, name) <= MAX_SIDE:
                raise DataError(f"sensor: {name} is {getattr(self, name)}, needs 1 to {MAX_SIDE}")
        if self.width % self.downsample or self.height % self.downsample:
            raise DataError(
                f"sensor of {self.width} x {self.height}: cannot be downsampled by "
                f"{self.downsample}; needs a number that divides both"
            )


class TimeBin(NamedTuple):
    """Closed time bin.

    Attributes:
        end: End, microseconds.
        events: Number of events, or of waveform samples.
        frame: uint8 (*input shape), int32 if the input has more than 8 bits; for a network
            with encoders what they take, such as the waveform samples of a timestep,
            int16 (samples,).
        new_stream: Whether the stream starts here, or was reset.
    """

    end: int
    events: int
    frame: NDArray[Any]
    new_stream: bool


def infer_sensor(
    network: Network, downsample: int, bin_us: int, size: tuple[int, int] | None
) -> Sensor:
    """Infer the sensor from the input shape of `network`, or from its `size` where that is flat.

    Args:
        network: Network that takes the frames.
        downsample: Downsampling factor.
        bin_us: Width of a time bin, microseconds.
        size: Width and height of the sensor, if given.

    Raises:
        DataError: The network has several inputs, or takes frames of another size.
    """
    if len(network.inputs) > 1:
        names = ", ".join(p.name for p in network.inputs)
        raise DataError(f"a stream feeds one input, but the network has {names}")
    shape = network.inputs[0].shape
    if size is None and len(shape) != 3:
        raise DataError(f"{network.inputs[0].name}: is flat, {shape}; give the sensor's size")
    width, height = size or (shape[2] * downsample, shape[1] * downsample)
    sensor = Sensor(width, height, downsample, bin_us)
    pixels = width // downsample * (height // downsample)
    neurons = network.inputs[0].neurons
    if neurons not in (pixels, 2 * pixels) or (
        len(shape) == 3 and shape[1:] != (height // downsample, width // downsample)
    ):
        raise DataError(
            f"{network.inputs[0].name}: has shape {shape}, but a sensor of {width} x {height} "
            f"downsampled by {downsample} gives "
            f"(1 or 2, {height // downsample}, {width // downsample})"
        )
    return sensor


def bin_events(
    network: Network, sensor: Sensor, chunks: Iterable[EventChunk], stats: StreamStats
) -> Iterator[TimeBin]:
    """Bin a stream of events, empty time bins included.

    A time bin is closed when a later event arrives, or the stream ends. A value of its frame is the
    number of events, clipped to the largest that the input carries (1 where it carries spikes);
    both polarities add up where the network has one channel. Events off the sensor and those
    earlier than one before them are left out and counted; where time jumps by more than 10 seconds,
    ahead or back, the stream is reset.

    Args:
        network: Network with one input.
        sensor: Sensor and binning.
        chunks: Events.
        stats: Counts, updated in place.
    """
    binner = _EventBinner(network, sensor, stats)
    for chunk in chunks:
        if chunk.new_stream:
            yield from binner.finish()
        valid = _drop_off_sensor(chunk, sensor, stats)
        jumps = np.flatnonzero(np.abs(np.diff(valid.t)) > MAX_GAP_US) + 1
        for part in zip(*(np.split(array, jumps) for array in valid[:4]), strict=True):
            yield from binner.add(EventChunk(*part))
    yield from binner.finish()


class _EventBinner:
    """The open time bin, and the latest timestamp."""

    def __init__(self, network: Network, sensor: Sensor, stats: StreamStats) -> None:
        population = network.inputs[0]
        self.shape, self.max_value = population.shape, population.max_value
        self.value_type = population.value_type
        self.sensor, self.stats = sensor, stats
        self.columns = sensor.width // sensor.downsample
        self.pixels = self.columns * (sensor.height // sensor.downsample)
        self.counts = np.zeros(population.neurons, np.int64)
        self.start = self.events = 0
        self.latest: int | None = None
        self.new_stream = True

    def close_bin(self) -> TimeBin:
        """Close the open time bin and open the next."""
        frame = np.minimum(self.counts, self.max_value).astype(self.value_type).reshape(self.shape)
        self.counts[:] = 0
        time_bin = TimeBin(self.start + self.sensor.bin_us, self.events, frame, self.new_stream)
        self.start, self.events, self.new_stream = time_bin.end, 0, False
        return time_bin

    def finish(self) -> Iterator[TimeBin]:
        """Close the open time bin, if there is one; the next event starts a new stream."""
        if self.latest is not None:
            yield self.close_bin()
        self.latest, self.new_stream = None, True

    def add(self, chunk: EventChunk) -> Iterator[TimeBin]:
        """Add events without a jump between them; yields the time bins they close."""
        if not len(chunk.t):
            return
        if self.latest is not None and abs(int(chunk.t[0]) - self.latest) > MAX_GAP_US:
            yield from self.finish()
            self.stats.time_jumps += 1
        if self.latest is None:
            self.start = self.latest = int(chunk.t[0])
        highest = np.maximum.accumulate(np.maximum(chunk.t, self.latest))
        ordered = chunk.t == highest
        self.stats.out_of_order += int(np.count_nonzero(~ordered))
        self.stats.events += int(np.count_nonzero(ordered))
        t, self.latest = chunk.t[ordered], int(highest[-1])
        factor = self.sensor.downsample
        index = chunk.y[ordered] // factor * self.columns + chunk.x[ordered] // factor
        if len(self.counts) > self.pixels:
            index = index + chunk.polarity[ordered] * self.pixels
        first = 0
        while first < len(t):
            end = int(np.searchsorted(t, self.start + self.sensor.bin_us))
            self.counts += np.bincount(index[first:end], minlength=len(self.counts))
            self.events += end - first
            first = end
            if end < len(t):
                yield self.close_bin()


def _drop_off_sensor(chunk: EventChunk, sensor: Sensor, stats: StreamStats) -> EventChunk:
    x, y, polarity, t, new_stream = chunk
    valid = (x >= 0) & (x < sensor.width) & (y >= 0) & (y < sensor.height)
    valid &= (polarity == 0) | (polarity == 1)
    if valid.all():
        return chunk
    stats.off_sensor += int(np.count_nonzero(~valid))
    return EventChunk(x[valid], y[valid], polarity[valid], t[valid], new_stream)
