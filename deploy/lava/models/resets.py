"""Resets, refractory periods and several spikes in a step: `LIFReset` with what Lava's lacks.

Lava has no fixed-point neuron with a soft reset, and a refractory one in floats only
(`LIFRefractory`), whose period this follows. `runtime/arithmetic.py` has the equations.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset
from numpy.typing import NDArray

ALIGN_BITS = 6
DECAY_BITS = 12


@dataclass(frozen=True)
class ResetRule:
    """Reset of a population; arrays broadcast to its shape in Lava's order.

    Attributes:
        reset: "zero", "value", "subtract", "delayed_subtract" or "adaptive".
        amount: Voltage after a spike, or what it subtracts, in 1/64 of a weight unit.
        lowest: Lower bound of the voltage, likewise.
        refractory: Steps after a spike in which the voltage is held.
        several: Whether a neuron spikes as often as it passes its threshold.
        max_value: Largest value of a message.
        adaptation: Raise of an adaptive threshold by a spike, in 1/64 of a weight unit, and the
            factors, in 1/4096, that it and the refractory value keep per step.
    """

    reset: str
    amount: NDArray[np.int64]
    lowest: NDArray[np.int64]
    refractory: int
    several: bool
    max_value: int
    adaptation: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class RuledReset(LIFReset):
    """A `LIFReset` whose spikes follow a `ResetRule`."""

    def __init__(self, *, rule: ResetRule, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.proc_params["rule"] = rule


@implements(proc=RuledReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRuledLifModel(PyLifResetModelBitAcc):
    """Lava's bit-accurate neurons up to the spike, and what a rule makes of it."""

    implements_process = RuledReset  # Lava's decorator would not replace the one inherited
    effective_bias: NDArray[np.int32]

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rule: ResetRule = proc_params["rule"]
        self.countdown = np.zeros(proc_params["shape"], np.int32)
        self.adapted = np.zeros(proc_params["shape"], np.int64)
        self.refractory = np.zeros(proc_params["shape"], np.int64)

    def subthr_dynamics(self, activation_in: NDArray[np.int32]) -> None:
        """Update current and voltage; hold the voltage of refractory neurons."""
        if self.time_step % self.reset_interval == self.reset_offset:
            self.countdown[:] = 0
            self.adapted[:] = self.refractory[:] = 0
        before = self.v.copy()
        if self.rule.reset == "delayed_subtract":
            late = np.where(before > self.effective_vth, self.rule.amount, 0)
            self.effective_bias = self.effective_bias - late.astype(np.int32)
        super().subthr_dynamics(activation_in)
        waiting = self.countdown > 0
        self.v[:] = np.where(waiting, before, np.maximum(self.v, self.rule.lowest))

    def spiking_activation(self) -> NDArray[np.int32]:
        """Compute the value that each neuron sends, 0 if it does not fire."""
        if self.rule.reset == "adaptive":
            return self._adapt()
        spikes = super().spiking_activation() & (self.countdown == 0)
        if self.rule.several:
            values = 1 + (self.v.astype(np.int64) - self.effective_vth - 1) // self.rule.amount
        else:
            values = self.v >> ALIGN_BITS
        sent: NDArray[np.int32] = np.where(spikes, np.clip(values, 1, self.rule.max_value), 0)
        return sent.astype(np.int32)

    def _adapt(self) -> NDArray[np.int32]:
        """Update adaptive thresholds and refractory values; return the spikes."""
        step, kept, kept_refractory = self.rule.adaptation
        # neither is negative, so that a shift rounds towards zero
        self.adapted = self.adapted * kept >> DECAY_BITS
        self.refractory = self.refractory * kept_refractory >> DECAY_BITS
        level = self.effective_vth + self.adapted
        spikes = self.v >= level + self.refractory
        self.adapted = self.adapted + np.where(spikes, step, 0)
        self.refractory = self.refractory + np.where(spikes, 2 * level, 0)
        sent: NDArray[np.int32] = spikes.astype(np.int32)
        return sent

    def reset_voltage(self, spike_vector: NDArray[np.int32]) -> None:
        """Reset the neurons that fired, and count refractory periods down."""
        spikes, rule = spike_vector > 0, self.rule
        self.countdown[:] = np.where(spikes, rule.refractory, np.maximum(self.countdown - 1, 0))
        if rule.reset in ("delayed_subtract", "adaptive"):
            return
        times = spike_vector if rule.several else 1
        after = self.v - times * rule.amount if rule.reset == "subtract" else rule.amount
        self.v[:] = np.where(spikes, after, self.v)
