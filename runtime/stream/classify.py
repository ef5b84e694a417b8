"""Classify a stream of time bins."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..encoders.stateful import StatefulEncoder
from ..engines import cpu
from ..errors import DataError
from ..network import Network
from ..population import SPIKING
from ..readout import decide_step
from ..trace import outputs_over_time
from .binning import TimeBin
from .chunks import StreamStats

StateCarryOver = Literal["nothing", "hidden", "all"]


@dataclass(frozen=True)
class Prediction:
    """Prediction of a stream classifier.

    Attributes:
        end: End of the last time bin, microseconds.
        step: Number of time bins since the last reset.
        events: Number of events, or of waveform samples, in them.
        class_index: Class with the largest logit, the first of ties.
        margin: Difference between the two largest logits, in 1/64 of a weight unit where the output
            is an integrator, in spikes otherwise.
        milliseconds: Time that the last time bin took to compute.
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
) -> Generator[Prediction, None, None]:
    """Classify a stream, with a prediction after every `steps` time bins.

    A network with an early exit predicts when it exits, and rests for the remaining `steps`. The
    readout rule of the network decides on the outputs since the last prediction.

    Args:
        network: Network with one input.
        time_bins: Time bins of the stream.
        steps: Number of time bins after which a prediction is made and state is reset.
        stats: Counts, updated in place.
        carry_state: State that is carried over the reset: "nothing", so that a prediction is that
            of `run` on these time bins alone, and encoders are reset too; "hidden", so that only
            the output is reset; or "all", so that an integrator accumulates over the entire stream,
            and a spiking output counts its spikes since the last prediction.
        every_step: Whether to predict after every time bin.

    Raises:
        DataError: `steps` is below 1, state is to be carried over with an early exit, or the
            network estimates numbers.
    """
    _check_stream(network, steps, carry_state)
    state = _StreamState(network, carry_state)
    step = events = counted = 0
    for time_bin in time_bins:
        start = perf_counter()
        if time_bin.new_stream:
            state.reset(everything=True)
            step = events = counted = 0
        step, events = step + 1, events + time_bin.events
        resting = state.has_exited
        if not resting:
            logits = state.process(time_bin)
            stats.time_bins += 1
        if not resting and (every_step or step == steps or state.has_exited):
            second, first = np.sort(logits)[-2:] if len(logits) > 1 else (0, logits[0])
            milliseconds = 1000 * (perf_counter() - start)
            stats.predictions += 1
            stats.predicted_events += events - counted
            counted = events
            margin, predicted = int(first - second), int(logits.argmax())
            yield Prediction(time_bin.end, step, events, predicted, margin, milliseconds)
        if step == steps:
            state.reset()
            step = events = counted = 0


def _check_stream(network: Network, steps: int, carry_state: StateCarryOver) -> None:
    if steps < 1:
        raise DataError(f"a prediction after {steps} time bins, needs 1 or more")
    if network.early_exit and carry_state != "nothing":
        raise DataError(
            f"carry_state={carry_state!r}: an early exit needs zero state, use 'nothing'"
        )
    if network.readout.task == "regression":
        raise DataError(
            "the network estimates numbers, but a stream predicts classes; run it on recordings"
        )


class _StreamState:
    """State of one network between time bins, and its outputs and logits since the last reset."""

    def __init__(self, network: Network, carry_state: StateCarryOver) -> None:
        self.network, self.carry_state = network, carry_state
        self.states = cpu.initial_state(network, 1)
        self.encoder = StatefulEncoder(network.encoders) if network.encoders else None
        self.outputs = np.zeros(network.population(network.output).neurons, np.int64)
        self.logits: NDArray[np.int64] | None = None
        self.is_spiking = network.population(network.output).kind in SPIKING

    def process(self, time_bin: TimeBin) -> NDArray[np.int64]:
        """Run one timestep on a time bin; returns the logits, int64 (classes,)."""
        frame = time_bin.frame
        if self.encoder:
            frame = self.encoder.encode(frame).reshape(self.network.inputs[0].shape)
        frame = frame[None, None]
        trace = cpu.run_from_state(self.network, self.states, frame, "output", threads=1)
        now = outputs_over_time(self.network, trace)[0, 0]
        self.outputs = self.outputs + now if self.is_spiking else now
        decided = decide_step(self.logits, self.outputs, self.network.readout, bool(frame.any()))
        self.logits = decided
        return decided

    @property
    def has_exited(self) -> bool:
        """Early exit taken since the last reset."""
        return bool(self.states.clock[0, 1])

    def reset(self, everything: bool = False) -> None:
        """Reset the state that is not carried over, or `everything`."""
        self.outputs, self.logits = np.zeros_like(self.outputs), None
        if everything or self.carry_state == "nothing":
            for array in vars(self.states).values():
                array[:] = 0
            if self.encoder:
                self.encoder.reset()
        elif self.carry_state == "hidden":
            cpu.silence(self.network, self.states, self.network.output)
