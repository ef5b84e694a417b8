"""Graded spikes: Lava's `LIFReset` with a value in each message, as Loihi 2 supports it.

Lava's own graded processes have neither voltage decay nor a reset between samples.
"""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset
from numpy.typing import NDArray

ALIGN_BITS = 6


class GradedReset(LIFReset):
    """A `LIFReset` whose spikes carry the voltage in weight units, from 1 to `max_value`."""

    def __init__(self, *, max_value: int, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.proc_params["max_value"] = max_value


@implements(proc=GradedReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGradedLifModel(PyLifResetModelBitAcc):
    """Lava's bit-accurate neurons, which send a value with each spike."""

    implements_process = GradedReset  # Lava's decorator would not replace the one inherited

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.max_value: int = proc_params["max_value"]

    def spiking_activation(self) -> NDArray[np.int32]:
        """Compute the value that each neuron sends, 0 if it does not fire."""
        sent = np.clip(self.v >> ALIGN_BITS, 1, self.max_value)
        return np.where(super().spiking_activation(), sent, 0)

    def reset_voltage(self, spike_vector: NDArray[np.int32]) -> None:
        """Set the voltage of the neurons that fired to 0."""
        super().reset_voltage(spike_vector > 0)
