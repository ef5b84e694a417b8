"""Recording of a run of the C core: its arrays, and the trace that they make.

The plan of a network is made once for each kind of recording: a run of ten timesteps of a small
network takes not much longer than working it out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import Network
from ...population import Population
from ...trace import Record, Trace, zero_after_exit
from .planes import Plane, join_values, split_values

Arrays = tuple[NDArray[Any] | None, ...]  # one of each plane, or None
States = dict[str, NDArray[np.int32]]


@dataclass
class Recording:
    """Arrays of one run.

    `given`, `sent`, `voltages` and `currents` by plane; `counts` int32 (batch, neurons) and `steps`
    int64 (batch,).
    """

    given: Arrays
    sent: Arrays
    voltages: Arrays
    currents: Arrays
    counts: NDArray[np.int32]
    steps: NDArray[np.int64]


class RecordingPlan:
    """Planes of a network that a run records, and their places."""

    def __init__(self, network: Network, planes: Sequence[Plane], record: Record) -> None:
        every, states = record != "output", record not in ("all", "output")
        listed = [(place, plane, plane.population) for place, plane in enumerate(planes)]
        self.planes = planes
        self.every, self.states = every, states
        self.inputs = {i: p.name for i, _, p in listed if p.kind == "input"}
        self.sent = {
            i: p.shape
            for i, _, p in listed
            if p.kind not in ("input", "integrator") and (every or p.name == network.output)
        }
        first = [(i, plane, p) for i, plane, p in listed if plane.is_first]
        self.state_names = {
            i: (p.name, p.shape)
            for i, _, p in first
            if p.kind != "input" and (states or p.kind == "integrator")
        }
        parts = {p.name: sum(q is p for _, _, q in listed) for _, _, p in first}
        wide = {p.name for _, plane, p in first if plane.sent is not p}
        self.joined = [
            (p.name, slice(i, i + parts[p.name]), p.name in wide)
            for i, _, p in first
            if i in self.sent
        ]
        self.wide_inputs = [p.name for _, _, p in first if p.kind == "input" and p.name in wide]
        ends = np.cumsum([0, *(p.neurons for _, _, p in listed)]).tolist()
        self.neurons: int = ends[-1]
        self.counts = [
            (p.name, slice(ends[i], ends[i + 1]), _rows_of(p))
            for i, _, p in first
            if p.kind != "integrator"
        ]

    def allocate(self, events: Mapping[str, NDArray[Any]], lead: tuple[int, int]) -> Recording:
        """Allocate the arrays of a run on `events`; `lead`: its timesteps and samples."""
        places = range(len(self.planes))
        given: list[Any] = [None] * len(places)
        sent, voltages, currents = given.copy(), given.copy(), given.copy()
        for i, name in self.inputs.items():
            given[i] = split_values(self.planes[i], events[name])
        for i, shape in self.sent.items():
            sent[i] = np.zeros(lead + shape, np.uint8)
        for i, (_, shape) in self.state_names.items():
            voltages[i] = np.empty(lead + shape, np.int32)
            if self.states:
                currents[i] = np.empty(lead + shape, np.int32)
        counts = np.zeros((lead[1], self.neurons), np.int32)
        steps = np.full(lead[1], lead[0], np.int64)
        return Recording(tuple(given), tuple(sent), tuple(voltages), tuple(currents), counts, steps)

    def to_trace(
        self, recording: Recording, events: Mapping[str, NDArray[Any]], lead: tuple[int, int]
    ) -> Trace:
        """Bring what was recorded into a trace."""
        steps = recording.steps
        spikes: dict[str, NDArray[Any]] = {}
        if self.every:
            spikes = {name: zero_after_exit(array, steps) for name, array in events.items()}
        for name, places, wide in self.joined:
            parts: Any = recording.sent[places]
            spikes[name] = join_values(self.planes[places], parts) if wide else parts[0]
        counts = {
            name: _split_counts(recording.counts, part, shape) for name, part, shape in self.counts
        }
        for name in self.wide_inputs:
            sent = zero_after_exit(events[name], steps)
            counts[name] = (sent != 0).sum(axis=0, dtype=np.int32)
        voltages, currents = map(self._name, (recording.voltages, recording.currents))
        return Trace(*lead, spikes, counts, voltages, steps, currents)

    def _name(self, arrays: Arrays) -> States:
        """Name states by population."""
        named = ((name, arrays[i]) for i, (name, _) in self.state_names.items())
        return {name: array for name, array in named if array is not None}


def _rows_of(population: Population) -> tuple[int, ...] | None:
    """Shape of the counts of a population of maps as the core has them; None of a flat one."""
    if len(population.shape) < 3:
        return None
    channels, height, width = population.shape
    return -1, height, width, channels


def _split_counts(
    counts: NDArray[np.int32], part: slice, rows: tuple[int, ...] | None
) -> NDArray[np.int32]:
    """Take the counts of a population, (batch, *shape), from those of all."""
    found = counts[:, part]
    return found if rows is None else found.reshape(rows).transpose(0, 3, 1, 2)
