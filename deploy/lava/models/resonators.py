"""Resonate-and-fire neurons: Lava's own fixed-point models, reset between samples, recorded.

Lava's `RF` and `RF_IZ` take a period and a decay, and truncate what they make of them; here the
integers of the network are their variables. The real part of the state is recorded as current, the
imaginary part as voltage.
"""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.rf.models import PyRFModelFixed
from lava.proc.rf.process import RF
from lava.proc.rf_iz.models import PyRF_IZModelFixed
from lava.proc.rf_iz.process import RF_IZ

STATE_EXP, DECAY_BITS = 6, 12
Shape = tuple[int, ...]


def _set_integers(
    process: Any, shape: Shape, integers: dict[str, Any], name: str, reset: dict[str, int]
) -> None:
    """Replace variables by integers of one value or one for each neuron."""
    for key, values in integers.items():
        setattr(process, key, Var(shape=shape, init=np.broadcast_to(values, shape).copy()))
    process.name = name
    for key, number in reset.items():
        process.proc_params[key] = number


class RFReset(RF):
    """Lava's `RF`, whose states are set to zero every `reset_interval` steps.

    `vth` is in units of the states, `sin_decay` and `cos_decay` in 1/4096.
    """

    def __init__(self, *, shape: Shape, integers: dict[str, Any], name: str, **reset: int) -> None:
        super().__init__(shape=shape, period=4, alpha=0, state_exp=STATE_EXP, decay_bits=DECAY_BITS)
        _set_integers(self, shape, integers, name, reset)


class RFIzhikevichReset(RF_IZ):
    """Lava's `RF_IZ`, whose states are set to zero every `reset_interval` steps; see `RFReset`."""

    def __init__(self, *, shape: Shape, integers: dict[str, Any], name: str, **reset: int) -> None:
        super().__init__(shape=shape, period=4, alpha=0, state_exp=STATE_EXP, decay_bits=DECAY_BITS)
        _set_integers(self, shape, integers, name, reset)


class _SentPort:
    """Port of a model that keeps what is sent."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self.sent: Any = None

    def send(self, spikes: Any) -> None:
        """Send `spikes`, and keep them."""
        self.sent = spikes
        self.port.send(spikes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


class ResonatorMixin:
    """Mixin for Lava's models of resonate-and-fire neurons: resets between samples, recording."""

    proc_params: Any
    time_step: int
    real: Any
    imag: Any
    s_out: Any

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        self.recording: Any = proc_params["recording"]

    def run_spk(self) -> None:
        """Reset at the start of a sample, run one step, then record it."""
        parameters, interval = self.proc_params, self.proc_params["reset_interval"]
        if self.time_step % interval == parameters["reset_offset"] % interval:
            self.real[:] = self.imag[:] = 0
        port = self.s_out
        self.s_out = kept = _SentPort(port)
        super().run_spk()  # type: ignore[misc]
        self.s_out = port
        self.recording.record(self.time_step, kept.sent, self.imag, self.real)


@implements(proc=RFReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRFResetModel(ResonatorMixin, PyRFModelFixed):
    """Lava's fixed-point `RF`."""

    implements_process = RFReset  # Lava's decorator would not replace the one inherited


@implements(proc=RFIzhikevichReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRFIzhikevichResetModel(ResonatorMixin, PyRF_IZModelFixed):
    """Lava's fixed-point `RF_IZ`."""

    implements_process = RFIzhikevichReset


RESONATOR_MODELS: dict[type, type] = {
    RFReset: PyRFResetModel,
    RFIzhikevichReset: PyRFIzhikevichResetModel,
}
