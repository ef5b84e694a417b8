"""Classify a live or recorded event source: open it, bin its events, run the network."""

import itertools
import sys
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..encoders import LogMel, read_waveform
from ..errors import DataError
from ..network import Network
from .binning import TimeBin, bin_events, infer_sensor
from .chunks import NO_EVENTS, EventChunk, StreamStats
from .classify import Prediction, StateCarryOver, classify_stream
from .drop_queue import drop_oldest
from .formats import Format, make_decoder
from .recordings import read_recording
from .sources import iter_chunks, iter_socket, open_listener, replay_in_real_time
from .waveforms import read_pcm_bins, read_wave_bins

DEFAULT_TIMESTEPS = 10  # per prediction, for a network without a recipe in its provenance


@dataclass(frozen=True)
class StreamOptions:
    """Settings of `classify_source`.

    Attributes:
        bin_ms: Width of a time bin, which is one timestep, in ms.
        timesteps: Timesteps per prediction; None for those of the training recipe, or 10.
        carry_state: Neuron state kept between predictions.
        every_step: Emit a prediction after every timestep.
        format: Event format of standard input and sockets.
        downsample: Side of the square of pixels that is merged into one; None for that of the
            training recipe, or 1.
        sensor_size: Width and height in pixels; None infers them from the input shape.
        real_time: Replay recordings at the speed of their timestamps.
        repeat: Number of times that a recording is replayed; 0 repeats it without end.
        queue_size: Maximum number of pending bins; the oldest are dropped.
        exit_on_disconnect: End when the first TCP client disconnects.
    """

    bin_ms: float = 10.0
    timesteps: int | None = None
    carry_state: StateCarryOver = "nothing"
    every_step: bool = False
    format: Format = "five-byte"
    downsample: int | None = None
    sensor_size: tuple[int, int] | None = None
    real_time: bool = True
    repeat: int = 1
    queue_size: int = 100
    exit_on_disconnect: bool = False


@dataclass
class LiveStream:
    """An open source; iterate over it for predictions, and read `stats` at any time."""

    network: Network
    source: str
    options: StreamOptions
    stats: StreamStats = field(default_factory=StreamStats)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Generator[Prediction, None, None]:
        """Yield predictions until the source ends; close the iterator for final `stats`."""
        options, recipe = self.options, _recipe_data(self.network)
        timesteps = options.timesteps or recipe.get("timesteps", DEFAULT_TIMESTEPS)
        if self.network.encoders:
            bins, is_recording = self._open_waveform(), self.source != "-"
        else:
            bins, is_recording = self._bin_events(recipe)
        if options.real_time or not is_recording:
            bins = drop_oldest(bins, options.queue_size, self.stats, self._stop)
        return classify_stream(
            self.network, bins, timesteps, self.stats, options.carry_state, options.every_step
        )

    def _bin_events(self, recipe: dict[str, Any]) -> tuple[Iterator[TimeBin], bool]:
        """Open the time bins of an event source, and say whether it is a recording."""
        options = self.options
        sensor = infer_sensor(
            self.network,
            options.downsample or recipe.get("downsample", recipe.get("pool", 1)),
            round(1000 * options.bin_ms),
            options.sensor_size,
        )
        is_recording = "://" not in self.source and self.source != "-"
        chunks = self._open_chunks(sensor.height)
        return bin_events(self.network, sensor, chunks, self.stats), is_recording

    def _open_waveform(self) -> Iterator[TimeBin]:
        """Open the timesteps of a waveform, a recording `repeat` times."""
        encoder, options = self.network.encoders[0], self.options
        if not isinstance(encoder, LogMel):
            raise DataError(
                f"{self.source}: the network takes values by its encoder, {encoder.kind}; a stream "
                "holds events or a waveform"
            )
        if "://" in self.source:
            raise DataError(
                f"{self.source}: the network takes a waveform; give a .wav file, or - and raw "
                "int16 samples on standard input"
            )
        if self.source == "-":
            return read_pcm_bins(sys.stdin.buffer, encoder, self.stats)
        read_waveform(self.source, encoder.sample_rate)  # raises at once if it cannot be read
        numbers = range(options.repeat) if options.repeat else itertools.count()
        return (
            time_bin
            for _ in numbers
            for time_bin in read_wave_bins(self.source, encoder, self.stats, options.real_time)
        )

    def close(self) -> None:
        """Stop the reader thread."""
        self._stop.set()

    def _open_chunks(self, sensor_height: int) -> Iterator[EventChunk]:
        options = self.options
        if self.source == "-":
            # Unbuffered: a thread that waits in a buffered read holds the buffer's lock, without
            # which the interpreter cannot end.
            source = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
            return iter_chunks(source, make_decoder(options.format, self.stats, sensor_height))
        if "://" in self.source:
            listener, tcp = open_listener(self.source)
            decoder = make_decoder(options.format, self.stats, sensor_height)
            return iter_socket(
                listener, tcp, decoder, self.stats, self._stop, options.exit_on_disconnect
            )
        read_recording(Path(self.source), self.stats)  # raises at once if the file cannot be read
        chunks = self._repeat_recording(sensor_height)
        return replay_in_real_time(chunks) if options.real_time else chunks

    def _repeat_recording(self, sensor_height: int) -> Iterator[EventChunk]:
        """Yield the recording `repeat` times, each time as a new stream."""
        played = 0
        while not self.options.repeat or played < self.options.repeat:
            yield NO_EVENTS._replace(new_stream=True)
            yield from read_recording(Path(self.source), self.stats, sensor_height)
            played += 1


def classify_source(
    network: Network, source: str, options: StreamOptions | None = None
) -> LiveStream:
    """Classify the events, or the waveform, of a source as they arrive.

    Args:
        network: Network with one input population.
        source: Path of a recording, `-` for standard input, or `tcp://HOST:PORT` or
            `udp://HOST:PORT` of this host to listen at. For a network with a filter bank, the path
            of a `.wav` file, or `-` for raw samples, int16 with the low byte first.
        options: Settings; None for the defaults.

    Returns:
        An iterable of predictions. Call `close` when done.

    Raises:
        DataError: The source cannot be opened or does not fit the input (when iterated).
    """
    return LiveStream(network, source, options or StreamOptions())


def _recipe_data(network: Network) -> dict[str, Any]:
    """Counts in the table `[data]` of the recipe that trained `network`."""
    recipe = network.provenance.get("recipe")
    data = recipe.get("data") if isinstance(recipe, dict) else None
    items = data.items() if isinstance(data, dict) else ()
    return {key: value for key, value in items if type(value) is int and 0 < value < 1 << 31}
