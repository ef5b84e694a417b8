"""A network run live: windows in, answers out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..engines import cpu
from ..errors import DataError
from ..network import Network
from ..trace import logits_over_time
from .chunks import StreamStats
from .windows import TimeBin

StateCarryOver = Literal["nothing", "hidden", "all"]


@dataclass(frozen=True)
class Prediction:
    """What the network says at `end` (microseconds) after `step` windows of `events` in all.

    `step` is counted from the last start. `answer` is the class, the first of equals; `margin` how
    far it leads the second, in the unit of the output (1/64 weights of an integrator, spikes
    otherwise). `milliseconds` is how long the last of these windows took to compute.
    """

    end: int
    step: int
    events: int
    class_index: int
    margin: int
    milliseconds: float


def classify_stream(
    network: Network,
    time_bins: Iterable[TimeBin],
    steps: int,
    stats: StreamStats,
    carry_state: StateCarryOver = "nothing",
    every_step: bool = False,
) -> Iterator[Prediction]:
    """Yield an answer after every `steps` windows, or with `each` after every window.

    After `steps` windows the network starts again; it may `keep` "nothing", so that an answer is
    what `run` says of these windows alone, its "hidden" state, so that only the output begins
    again, or "all" of it, so that answers slide: an integrator then says all it ever summed up,
    a spiking output what it sent since the last answer. A network with an early exit answers when
    it stops, and rests for what is left of the `steps`.

    Raises `DataError` where `steps` is < 1, or an early exit is to keep anything.
    """
    if steps < 1:
        raise DataError(f"an answer after {steps} steps, needs 1 or more")
    if network.early_exit and carry_state != "nothing":
        raise DataError(
            f"an early exit judges answers from silence; it cannot keep {carry_state!r}"
        )
    live = _StreamState(network, carry_state)
    step = events = 0
    for window in time_bins:
        began = perf_counter()
        if window.new_stream:
            live.reset(everything=True)
            step = events = 0
        step, events = step + 1, events + window.events
        resting = live.has_exited
        if not resting:
            values = live.process(window)
            stats.time_bins += 1
        if not resting and (every_step or step == steps or live.has_exited):
            second, first = np.sort(values)[-2:] if len(values) > 1 else (0, values[0])
            took = 1000 * (perf_counter() - began)
            stats.predictions += 1
            margin = int(first - second)
            yield Prediction(window.end, step, events, int(values.argmax()), margin, took)
        if step == steps:
            live.reset()
            step = events = 0


class _StreamState:
    """The states of one network that goes on, and the spikes of its output since the last start."""

    def __init__(self, network: Network, keep: StateCarryOver) -> None:
        self.network, self.carry_state = network, keep
        self.states = cpu.initial_state(network, 1)
        order = (*network.inputs, *network.topological_order)
        names = [population.name for population in order]
        first = sum(p.neurons for p in order[: names.index(network.output)])
        self.output = slice(first, first + network.population(network.output).neurons)
        self.logits = np.zeros(self.output.stop - first, np.int64)
        self.is_spiking = network.population(network.output).kind == "cuba"

    def process(self, window: TimeBin) -> NDArray[np.int64]:
        """Compute one window; return what the output says now, int64 (classes,)."""
        frame = window.frame[None, None]
        trace = cpu.run_from_state(self.network, self.states, frame, "output", threads=1)
        now = logits_over_time(self.network, trace)[0, 0]
        self.logits = self.logits + now if self.is_spiking else now
        return self.logits

    @property
    def has_exited(self) -> bool:
        """Whether it has answered early."""
        return bool(self.states.clock[0, 1])

    def reset(self, everything: bool = False) -> None:
        """Forget what `keep` does not keep, or `everything`."""
        self.logits = np.zeros_like(self.logits)
        if everything or self.carry_state == "nothing":
            for array in self.states:
                array[:] = 0
        elif self.carry_state == "hidden":
            self.states.current[:, self.output] = 0
            self.states.voltage[:, self.output] = 0
