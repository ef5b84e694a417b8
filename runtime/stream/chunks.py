"""Chunks of an event stream, and statistics of the stream."""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class EventChunk(NamedTuple):
    """Consecutive events of a stream, any number of them; unchecked until they are binned.

    Attributes:
        x: Columns, int64 (events,).
        y: Rows, int64 (events,).
        polarity: 0 darker, 1 brighter, int64 (events,).
        t: Timestamps in microseconds, int64 (events,).
        new_stream: Whether another recording begins here, with a clock of its own.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    polarity: NDArray[np.int64]
    t: NDArray[np.int64]
    new_stream: bool = False


NO_EVENTS = EventChunk(*np.zeros((4, 0), np.int64))


@dataclass
class StreamStats:
    """Running counts of a stream, updated in place.

    Attributes:
        events: Events that were binned.
        off_sensor: Events left out since they are outside the sensor or have no valid polarity.
        out_of_order: Events left out since they are earlier than one before them.
        malformed: Lines or partial events that could not be decoded.
        time_jumps: Jumps of the clock at which the state was reset.
        connections: Connections that ended.
        dropped_datagrams: UDP datagrams that the kernel dropped since its buffer was full.
        dropped_events: Events in dropped time bins.
        dropped_bins: Time bins dropped, oldest first, when input was faster than inference.
        time_bins: Time bins that the network computed.
        predictions: Predictions made.
        predicted_events: Events in the time bins of predictions.
    """

    events: int = 0
    off_sensor: int = 0
    out_of_order: int = 0
    malformed: int = 0
    time_jumps: int = 0
    connections: int = 0
    dropped_datagrams: int = 0
    dropped_events: int = 0
    dropped_bins: int = 0
    time_bins: int = 0
    predictions: int = 0
    predicted_events: int = 0

    @property
    def events_without_prediction(self) -> int:
        """Binned events that no prediction covers yet, and were not dropped."""
        return self.events - self.dropped_events - self.predicted_events

    def as_dict(self) -> dict[str, int]:
        """Convert to a dictionary of counts by name."""
        return asdict(self) | {"events_without_prediction": self.events_without_prediction}
