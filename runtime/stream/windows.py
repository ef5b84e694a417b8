"""Events into frames, one a window of time, as a network takes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..network import Network
from .chunks import EventChunk, StreamStats

MAX_GAP_US = 10_000_000  # microseconds without an event after which a stream begins anew


@dataclass(frozen=True)
class Sensor:
    """A sensor of `width` x `height` pixels, whose squares of `pool` x `pool` become one.

    The first event's time starts the first window; each is `window` microseconds long. Raises
    `DataError` where a number is below 1 or `pool` does not divide the sides.
    """

    width: int
    height: int
    downsample: int = 1
    bin_us: int = 10_000

    def __post_init__(self) -> None:
        for name in ("width", "height", "downsample", "bin_us"):
            if getattr(self, name) < 1:
                raise DataError(f"sensor: {name} is {getattr(self, name)}, needs 1 or more")
        if self.width % self.downsample or self.height % self.downsample:
            raise DataError(
                f"sensor of {self.width} x {self.height}: cannot be pooled by {self.downsample}; "
                "needs a number that divides both"
            )


class TimeBin(NamedTuple):
    """One closed window: `end` in microseconds, its `events` and their frame, (*input shape).

    `fresh` where the stream begins (anew) with it: what was computed before is over.
    """

    end: int
    events: int
    frame: NDArray[np.uint8]
    new_stream: bool


def infer_sensor(
    network: Network, downsample: int, bin_us: int, size: tuple[int, int] | None
) -> Sensor:
    """Return the sensor whose frames `network` takes; `size` (width, height) if it is flat.

    Raises `DataError` where the network has several inputs or another size.
    """
    if len(network.inputs) > 1:
        names = ", ".join(p.name for p in network.inputs)
        raise DataError(f"a stream feeds one input, but the network has {names}")
    shape = network.inputs[0].shape
    if size is None and len(shape) != 3:
        raise DataError(f"{network.inputs[0].name}: is flat, {shape}; name the sensor's size")
    width, height = size or (shape[2] * downsample, shape[1] * downsample)
    sensor = Sensor(width, height, downsample, bin_us)
    pixels = width // downsample * (height // downsample)
    neurons = network.inputs[0].neurons
    if neurons not in (pixels, 2 * pixels) or (
        len(shape) == 3 and shape[1:] != (height // downsample, width // downsample)
    ):
        raise DataError(
            f"{network.inputs[0].name}: has shape {shape}, but a sensor of {width} x {height} "
            f"pooled by {downsample} gives (1 or 2, {height // downsample}, {width // downsample})"
        )
    return sensor


def bin_events(
    network: Network, sensor: Sensor, chunks: Iterable[EventChunk], stats: StreamStats
) -> Iterator[TimeBin]:
    """Yield each window of the stream `pieces` once it is over, empty ones as well.

    A window is over when a later event arrives, or the stream ends. A value is the number of
    events, cut at what the input carries (1 where it carries spikes). Of a network with one
    channel both polarities meet in it. Events off the sensor and those earlier than one before
    them are left out and counted; where time leaps by more than 10 seconds, ahead or back, the
    stream begins anew.
    """
    frames = _EventBinner(network, sensor, stats)
    for piece in chunks:
        if piece.new_stream:
            yield from frames.finish()
        kept = _drop_off_sensor(piece, sensor, stats)
        leaps = np.flatnonzero(np.abs(np.diff(kept.t)) > MAX_GAP_US) + 1
        for part in zip(*(np.split(array, leaps) for array in kept[:4]), strict=True):
            yield from frames.add(EventChunk(*part))
    yield from frames.finish()


class _EventBinner:
    """The window that is open, and what was seen last."""

    def __init__(self, network: Network, sensor: Sensor, tally: StreamStats) -> None:
        population = network.inputs[0]
        self.shape, self.max_value = population.shape, population.max_value
        self.sensor, self.stats = sensor, tally
        self.columns = sensor.width // sensor.downsample
        self.pixels = self.columns * (sensor.height // sensor.downsample)
        self.counts = np.zeros(population.neurons, np.int64)
        self.start = self.events = 0
        self.latest: int | None = None
        self.fresh = True

    def close_bin(self) -> TimeBin:
        """Close the open window and open the one behind it."""
        frame = np.minimum(self.counts, self.max_value).astype(np.uint8).reshape(self.shape)
        self.counts[:] = 0
        window = TimeBin(self.start + self.sensor.bin_us, self.events, frame, self.fresh)
        self.start, self.events, self.fresh = window.end, 0, False
        return window

    def finish(self) -> Iterator[TimeBin]:
        """Yield the window that is open, if there is one; what comes next begins anew."""
        if self.latest is not None:
            yield self.close_bin()
        self.latest, self.fresh = None, True

    def add(self, piece: EventChunk) -> Iterator[TimeBin]:
        """Take events without a leap between them; yield the windows they close."""
        if not len(piece.t):
            return
        if self.latest is not None and abs(int(piece.t[0]) - self.latest) > MAX_GAP_US:
            yield from self.finish()
            self.stats.time_jumps += 1
        if self.latest is None:
            self.start = self.latest = int(piece.t[0])
        highest = np.maximum.accumulate(np.maximum(piece.t, self.latest))
        kept = piece.t == highest
        self.stats.out_of_order += int(np.count_nonzero(~kept))
        self.stats.events += int(np.count_nonzero(kept))
        t, self.latest = piece.t[kept], int(highest[-1])
        place = (
            piece.y[kept] // self.sensor.downsample * self.columns
            + piece.x[kept] // self.sensor.downsample
        )
        if len(self.counts) > self.pixels:
            place = place + piece.polarity[kept] * self.pixels
        first = 0
        while first < len(t):
            end = int(np.searchsorted(t, self.start + self.sensor.bin_us))
            self.counts += np.bincount(place[first:end], minlength=len(self.counts))
            self.events += end - first
            first = end
            if end < len(t):
                yield self.close_bin()


def _drop_off_sensor(piece: EventChunk, sensor: Sensor, tally: StreamStats) -> EventChunk:
    x, y, polarity, t, fresh = piece
    there = (x >= 0) & (x < sensor.width) & (y >= 0) & (y < sensor.height)
    there &= (polarity == 0) | (polarity == 1)
    if there.all():
        return piece
    tally.off_sensor += int(np.count_nonzero(~there))
    return EventChunk(x[there], y[there], polarity[there], t[there], fresh)
