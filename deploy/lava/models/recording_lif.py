"""Lava's neurons with a probe: they write down what they do while they run.

A sink of its own for each population would cost a process, a channel and a copy each step, and
Lava reads a variable back one value at a time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.proc.lif.models import PyLifResetModelBitAcc
from numpy.typing import NDArray

from pumice.deploy.lava.models.graded import PyGradedLifModel


@dataclass(frozen=True)
class Recording:
    """Where the neurons of a population write, and when they live through which sample.

    Arrays shared with the process that reads them, axes in the network's order: `spikes` uint8 and
    `voltages` int32 (samples * timesteps, *shape), `counts` int32 (samples, *shape); None where it
    is not asked for.
    """

    depth: int
    timesteps: int
    samples: int
    spikes: NDArray[np.uint8] | None = None
    counts: NDArray[np.int32] | None = None
    voltages: NDArray[np.int32] | None = None


class RecordingMixin:
    """What a model of neurons does beside its work: it writes it down after each step."""

    sent: NDArray[Any]
    time_step: int
    v: NDArray[np.int32]

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        self.recording: Recording = proc_params["recording"]

    def spiking_activation(self) -> NDArray[Any]:
        """Return what the neurons send, and remember it."""
        self.sent = super().spiking_activation()  # type: ignore[misc]
        return self.sent

    def run_spk(self) -> None:
        """Do what Lava's model does, then write it down."""
        super().run_spk()  # type: ignore[misc]
        recording = self.recording
        now = self.time_step - 1 - recording.depth
        if not 0 <= now < recording.samples * recording.timesteps:
            return
        if recording.spikes is not None:
            recording.spikes[now] = self.sent.T
        if recording.counts is not None:
            recording.counts[now // recording.timesteps] += self.sent.T > 0
        if recording.voltages is not None:
            recording.voltages[now] = self.v.T


class PyRecordingLifModel(RecordingMixin, PyLifResetModelBitAcc):
    """Lava's bit-accurate `LIFReset`, unchanged."""


class PyRecordingGradedModel(RecordingMixin, PyGradedLifModel):
    """The same, of neurons whose spikes carry a value."""
