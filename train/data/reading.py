"""Read batches of samples ahead, in worker processes of torch's `DataLoader`."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...runtime.errors import PumiceError
from .sources import EventArray, Indices, SampleSource, repeat

MAX_WORKERS = 8
MAPPED_TOGETHER = 32


def default_workers(source: SampleSource) -> int:
    """Number of worker processes that read `source` best: none where nothing is decoded."""
    return min(available_cores(), MAX_WORKERS) if source.decodes else 0


def available_cores() -> int:
    """Number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def read_ahead(
    source: SampleSource, batches: Sequence[Indices], workers: int = 0
) -> Iterator[EventArray]:
    """Read the samples of each of `batches` in order; `workers` processes read ahead.

    A worker sends images that are repeated over time once. Errors are those of the source.
    """
    if not workers:
        for indices in batches:
            yield source.read(indices)
        return
    for events, timesteps in load_ahead(_BatchReader(source, batches), workers):
        yield events if timesteps is None else repeat(events, timesteps)


def load_ahead(dataset: Any, workers: int) -> Iterator[Any]:
    """Items of a map-style dataset in order, each loaded by one of `workers` processes.

    An item that is a `PumiceError` is raised, so that its message stays one line.
    """
    import torch
    from torch.utils.data import DataLoader

    with as_many_workers_as_asked():
        loader: DataLoader[Any] = DataLoader(
            dataset,
            None,
            num_workers=workers,
            collate_fn=_identity,
            generator=torch.Generator(),  # nothing is drawn from the global one
        )
        items = iter(loader)
    for item in items:
        if isinstance(item, PumiceError):
            raise item
        yield item


@contextmanager
def as_many_workers_as_asked() -> Iterator[None]:
    """Silence torch's advice on more worker processes than cores."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")
        yield


class _BatchReader:
    """Batches as a map-style dataset; an error is an item, raised by the process that asked."""

    def __init__(self, source: SampleSource, batches: Sequence[Indices]) -> None:
        self.source, self.batches = source, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> "tuple[EventArray, int | None] | PumiceError":
        try:
            events = self.source.read(self.batches[number])
        except PumiceError as error:
            return error
        repeated = events.strides[0] == 0
        return (events[0], len(events)) if repeated else (events, None)


def _identity(item: Any) -> Any:
    return item


def map_items(
    function: Callable[[Any], Any], items: Sequence[Any], workers: int | None = None
) -> Iterator[Any]:
    """Results of `function` for `items`, in order, computed by `workers` processes.

    A `PumiceError` is passed on as the result of its item. Without `workers`, there are none for
    a few items and one per core for many.
    """
    if workers is None:
        workers = 0 if len(items) <= MAPPED_TOGETHER else min(available_cores(), MAX_WORKERS)
    for results in load_ahead(_Mapped(function, items), workers):
        yield from results


class _Mapped:
    """Results for a few items at a time, as a map-style dataset."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self.function, self.items = function, items

    def __len__(self) -> int:
        return -(-len(self.items) // MAPPED_TOGETHER)

    def __getitem__(self, number: int) -> list[Any]:
        first = number * MAPPED_TOGETHER
        return [self._call(k) for k in range(first, min(first + MAPPED_TOGETHER, len(self.items)))]

    def _call(self, index: int) -> Any:
        try:
            return self.function(self.items[index])
        except PumiceError as error:
            return error
