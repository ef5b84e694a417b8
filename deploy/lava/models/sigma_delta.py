"""Sigma-delta neurons: Lava's own fixed-point models, with a reset between samples, recorded.

Lava keeps sums in 32 bits; here they are taken modulo 2^24, as the registers of the chip are. The
states of Lava's `Delta` and `SigmaDelta` are `act` and `residue`; their difference, the activation
as of the last message, is recorded as voltage, and `sigma` (of a `Delta` the activation) as
current.
"""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from numpy.typing import NDArray

SPIKE_EXP = STATE_EXP = 6
HALF = 1 << 23
Shape = tuple[int, ...]
States = NDArray[np.int32]


class SigmaDeltaReset(SigmaDelta):
    """Lava's `SigmaDelta`, whose states are set to zero every `reset_interval` steps.

    `vth` and `bias` are in units of the states.
    """

    def __init__(self, *, shape: Shape, vth: Any, bias: Any, **parameters: Any) -> None:
        super().__init__(shape=shape, vth=0, bias=0, spike_exp=SPIKE_EXP, state_exp=STATE_EXP)
        self.vth, self.bias = _make_variable(shape, vth), _make_variable(shape, bias)
        _add_parameters(self, **parameters)


class DeltaReset(Delta):
    """Lava's `Delta`, whose states are set to zero every `reset_interval` steps."""

    def __init__(self, *, shape: Shape, vth: Any, **parameters: Any) -> None:
        super().__init__(shape=shape, vth=0, spike_exp=SPIKE_EXP, state_exp=STATE_EXP)
        self.vth = _make_variable(shape, vth)
        _add_parameters(self, **parameters)


class SigmaReset(Sigma):
    """Lava's `Sigma` with a bias, set to zero every `reset_interval` steps."""

    def __init__(self, *, shape: Shape, bias: Any, **parameters: Any) -> None:
        super().__init__(shape=shape)
        _add_parameters(self, bias=bias, **parameters)


def _make_variable(shape: Shape, values: Any) -> Var:
    return Var(shape=shape, init=np.broadcast_to(values, shape).copy())


def _add_parameters(process: Any, name: str, **parameters: Any) -> None:
    process.name = name
    for key, value in parameters.items():
        process.proc_params[key] = value


def wrap_sum(total: States) -> States:
    """Take `total` modulo 2^24, in [-2^23, 2^23)."""
    wrapped: States = ((total + HALF) & (2 * HALF - 1)) - HALF
    return wrapped


class ResettingMixin:
    """Mixin for Lava's models of sigma-delta neurons: resets between samples, and recording."""

    proc_params: Any
    time_step: int
    sent: States
    state_exp: States

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        self.recording: Any = proc_params["recording"]

    def run_spk(self) -> None:
        """Reset at the start of a sample, run one step, then record it."""
        parameters = self.proc_params
        if (
            self.time_step % parameters["reset_interval"]
            == parameters["reset_offset"] % (parameters["reset_interval"])
        ):
            for state in ("sigma", "act", "residue"):
                if hasattr(self, state):
                    setattr(self, state, np.zeros_like(getattr(self, state)))
        super().run_spk()  # type: ignore[misc]
        self.recording.record(self.time_step, *self.observe())

    def delta_dynamics(self, act_data: States) -> States:
        """Encode the change of the activation, and store the messages."""
        scaled: States = super().delta_dynamics(act_data)  # type: ignore[misc]
        self.sent = scaled >> self.state_exp
        return scaled

    def observe(self) -> tuple[Any, Any, Any]:
        """The messages, voltages and currents of this step."""
        raise NotImplementedError


@implements(proc=SigmaDeltaReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySigmaDeltaResetModel(ResettingMixin, PySigmaDeltaModelFixed):
    """Lava's fixed-point `SigmaDelta`."""

    implements_process = SigmaDeltaReset  # Lava's decorator would not replace the one inherited

    def sigma_dynamics(self, a_in_data: States) -> States:
        """Add up messages modulo 2^24."""
        return wrap_sum(super().sigma_dynamics(a_in_data))

    def observe(self) -> tuple[Any, Any, Any]:
        """The messages, activations as of the last message, and sums."""
        return self.sent, self.act - self.residue, self.sigma


@implements(proc=DeltaReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDeltaResetModel(ResettingMixin, PyDeltaModelFixed):
    """Lava's fixed-point `Delta`."""

    implements_process = DeltaReset

    def observe(self) -> tuple[Any, Any, Any]:
        """The messages, activations as of the last message, and activations."""
        return self.sent, self.act - self.residue, self.act


@implements(proc=SigmaReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySigmaResetModel(ResettingMixin, PySigmaModelFixed):
    """Lava's fixed-point `Sigma`, which saturates at 24 bits and adds a bias."""

    implements_process = SigmaReset

    def sigma_dynamics(self, a_in_data: States) -> States:
        """Add what arrived, modulo 2^24, and the bias."""
        arrived = wrap_sum(a_in_data)
        self.arrived = np.where(arrived == -HALF, HALF, arrived)
        total = self.sigma.astype(np.int64) + self.arrived + self.proc_params["bias"]
        clipped: States = np.clip(total, 1 - HALF, HALF - 1).astype(np.int32)
        return clipped

    def observe(self) -> tuple[Any, Any, Any]:
        """No messages, the sums, and what arrived."""
        return None, self.sigma, self.arrived
