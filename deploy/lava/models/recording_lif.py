"""Recording LIF models: Lava's neurons, which record their spikes and states while they run.

A sink process for each population would cost a process, a channel and a copy each step, and Lava
reads a variable back one value at a time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.proc.lif.models import PyLifResetModelBitAcc
from numpy.typing import NDArray

from pumice.deploy.lava.models.graded import PyGradedLifModel
from pumice.deploy.lava.models.resets import PyRuledLifModel


@dataclass(frozen=True)
class Recording:
    """Arrays that a population records to, and the schedule of its samples.

    The arrays are shared with the process that reads them, axes in the network's order; None if not
    recorded.

    Attributes:
        depth: Depth of the population, in steps.
        timesteps: Number of timesteps of a sample.
        samples: Number of samples.
        spikes: uint8 (samples * timesteps, *shape), int32 where messages have a sign.
        counts: int32 (samples, *shape).
        voltages: int32 (samples * timesteps, *shape).
        currents: int32 (samples * timesteps, *shape).
    """

    depth: int
    timesteps: int
    samples: int
    spikes: NDArray[Any] | None = None
    counts: NDArray[np.int32] | None = None
    voltages: NDArray[np.int32] | None = None
    currents: NDArray[np.int32] | None = None

    def record(self, time_step: int, sent: Any, voltages: Any, currents: Any) -> None:
        """Record what a population sent in `time_step`, counted from 1, and its states."""
        now = time_step - 1 - self.depth
        if not 0 <= now < self.samples * self.timesteps:
            return
        if self.spikes is not None:
            self.spikes[now] = sent.T
        if self.counts is not None:
            self.counts[now // self.timesteps] += sent.T != 0
        if self.voltages is not None:
            self.voltages[now] = voltages.T
        if self.currents is not None:
            self.currents[now] = currents.T


class RecordingMixin:
    """Mixin for a model of neurons that records after each step."""

    sent: NDArray[Any]
    time_step: int
    u: NDArray[np.int32]
    v: NDArray[np.int32]

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        self.recording: Recording = proc_params["recording"]

    def spiking_activation(self) -> NDArray[Any]:
        """Compute the values that the neurons send, and store them."""
        self.sent = super().spiking_activation()  # type: ignore[misc]
        return self.sent

    def run_spk(self) -> None:
        """Run one step, then record it."""
        super().run_spk()  # type: ignore[misc]
        self.recording.record(self.time_step, self.sent, self.v, self.u)


class PyRecordingLifModel(RecordingMixin, PyLifResetModelBitAcc):
    """Lava's bit-accurate `LIFReset`, recorded."""


class PyRecordingGradedModel(RecordingMixin, PyGradedLifModel):
    """Neurons with graded spikes, recorded."""


class PyRecordingRuledModel(RecordingMixin, PyRuledLifModel):
    """Neurons with another reset or a refractory period, recorded."""
