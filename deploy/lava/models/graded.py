"""Neurons whose spikes carry a value: Lava's `LIFReset`, with what Loihi 2 can put into a message.

Lava's own graded processes have no voltage that decays and no reset between samples.
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
    """A `LIFReset` whose spikes carry the voltage in weight units, from 1 to `largest`."""

    def __init__(self, *, largest: int, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.proc_params["largest"] = largest


@implements(proc=GradedReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGradedLifModel(PyLifResetModelBitAcc):
    """Lava's bit-accurate neurons; what they send is more than that they fire."""

    implements_process = GradedReset  # Lava's decorator would not replace the one inherited

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.largest: int = proc_params["largest"]

    def spiking_activation(self) -> NDArray[np.int32]:
        """Return what each neuron sends, 0 where it does not fire."""
        sent = np.clip(self.v >> ALIGN_BITS, 1, self.largest)
        return np.where(super().spiking_activation(), sent, 0)

    def reset_voltage(self, spike_vector: NDArray[np.int32]) -> None:
        """Set the voltage of those that fired to 0."""
        super().reset_voltage(spike_vector > 0)
