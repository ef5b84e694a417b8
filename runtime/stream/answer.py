"""A network run live: windows in, answers out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..engines import fast
from ..errors import DataError
from ..network import Network
from ..trace import answers
from .events import Tally
from .windows import Window

Keep = Literal["nothing", "hidden", "all"]


@dataclass(frozen=True)
class Answer:
    """What the network says at `end` (microseconds) after `step` windows of `events` in all.

    `step` is counted from the last start. `answer` is the class, the first of equals; `margin` how
    far it leads the second, in the unit of the output (1/64 weights of an integrator, spikes
    otherwise). `milliseconds` is how long the last of these windows took to compute.
    """

    end: int
    step: int
    events: int
    answer: int
    margin: int
    milliseconds: float


def answered(
    network: Network,
    windows: Iterable[Window],
    steps: int,
    tally: Tally,
    keep: Keep = "nothing",
    each: bool = False,
) -> Iterator[Answer]:
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
    if network.early_exit and keep != "nothing":
        raise DataError(f"an early exit judges answers from silence; it cannot keep {keep!r}")
    live = _Live(network, keep)
    step = events = 0
    for window in windows:
        began = perf_counter()
        if window.fresh:
            live.restart(everything=True)
            step = events = 0
        step, events = step + 1, events + window.events
        resting = live.stopped
        if not resting:
            values = live.advanced(window)
            tally.windows += 1
        if not resting and (each or step == steps or live.stopped):
            second, first = np.sort(values)[-2:] if len(values) > 1 else (0, values[0])
            took = 1000 * (perf_counter() - began)
            tally.answers += 1
            margin = int(first - second)
            yield Answer(window.end, step, events, int(values.argmax()), margin, took)
        if step == steps:
            live.restart()
            step = events = 0


class _Live:
    """The states of one network that goes on, and the spikes of its output since the last start."""

    def __init__(self, network: Network, keep: Keep) -> None:
        self.network, self.keep = network, keep
        self.states = fast.silent(network, 1)
        order = (*network.inputs, *network.order)
        names = [population.name for population in order]
        first = sum(p.neurons for p in order[: names.index(network.output)])
        self.output = slice(first, first + network.population(network.output).neurons)
        self.said = np.zeros(self.output.stop - first, np.int64)
        self.counts = network.population(network.output).kind == "cuba"

    def advanced(self, window: Window) -> NDArray[np.int64]:
        """Compute one window; return what the output says now, int64 (classes,)."""
        frame = window.frame[None, None]
        trace = fast.resume(self.network, self.states, frame, "output", threads=1)
        now = answers(self.network, trace)[0, 0]
        self.said = self.said + now if self.counts else now
        return self.said

    @property
    def stopped(self) -> bool:
        """Whether it has answered early."""
        return bool(self.states.clock[0, 1])

    def restart(self, everything: bool = False) -> None:
        """Forget what `keep` does not keep, or `everything`."""
        self.said = np.zeros_like(self.said)
        if everything or self.keep == "nothing":
            for array in self.states:
                array[:] = 0
        elif self.keep == "hidden":
            self.states.current[:, self.output] = 0
            self.states.voltage[:, self.output] = 0
