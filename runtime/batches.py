"""Inputs of a network, a batch at a time, so that memory is bounded by the batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .events import as_events
from .network import Network

BATCH_SIZE = 128
Track = Callable[[Sequence[int]], Iterable[int]]


def iter_batches(
    network: Network, inputs: Any, batch_size: int = BATCH_SIZE, track: Track = iter
) -> Iterator[tuple[dict[str, NDArray[Any]], int]]:
    """Iterate over batches: events by input population, and the index of the first sample.

    Args:
        network: Network that takes them.
        inputs: What `as_events` takes; or an object with `iter_batches(batch_size)`, or one with
            `batches(batch_size)` such as part of a data set, whose samples are read a batch at a
            time.
        batch_size: Samples per batch.
        track: Wraps the sequence of batch starts, for a progress bar.

    Raises:
        EngineError: The inputs do not fit the network.
    """
    if hasattr(inputs, "iter_batches"):
        starts = track(range(0, inputs.samples, batch_size))
        for events, first in zip(inputs.iter_batches(batch_size), starts, strict=True):
            yield events, first
        return
    if hasattr(inputs, "batches"):
        starts = track(range(0, len(inputs), batch_size))
        for (events, _), first in zip(inputs.batches(batch_size), starts, strict=True):
            yield as_events(network, SimpleNamespace(events=events)), first
        return
    events = as_events(network, inputs)
    samples = int(next(iter(events.values())).shape[1])
    for first in track(range(0, samples, batch_size)):
        batch = slice(first, first + batch_size)
        yield {name: array[:, batch] for name, array in events.items()}, first


def join_batches(batches: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Join the events of consecutive batches along the samples."""
    if len(batches) == 1:
        return batches[0]
    return {name: np.concatenate([each[name] for each in batches], axis=1) for name in batches[0]}
