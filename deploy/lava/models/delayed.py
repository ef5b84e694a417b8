"""Delayed connections, which discard pending messages at the end of a sample.

Lava's own connections take one step, and the reset of a neuron does not clear the messages in
transit to it: the last spikes of a sample would reach the next one.
"""

from collections import deque
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.process import Conv
from lava.proc.dense.models import AbstractPyDenseModelBitAcc
from lava.proc.dense.process import Dense
from lava.proc.sparse.models import AbstractPySparseModelBitAcc
from lava.proc.sparse.process import Sparse
from numpy.typing import NDArray

from pumice.deploy.lava.models.conv import AbstractPySparseConvModel

Arrivals = NDArray[Any]


class Delayed:
    """Parameters of a connection of `lag` steps, for samples of `timesteps` steps.

    `depth` is that of the target. The first `delay` steps of a sample receive nothing.
    """

    proc_params: Any

    def __init__(
        self, *, lag: int, delay: int, depth: int, timesteps: int, **parameters: Any
    ) -> None:
        super().__init__(**parameters)
        times = {"lag": lag, "delay": delay, "depth": depth, "timesteps": timesteps}
        for name, value in times.items():
            self.proc_params[name] = value


class DelayedDense(Delayed, Dense):
    """A `Dense` with delay."""


class DelayedSparse(Delayed, Sparse):
    """A `Sparse` with delay."""


class DelayedConv(Delayed, Conv):
    """A `Conv` with delay, scaled by its `weight_exp`."""


class DelayBuffer:
    """Mixin for the model of a `Delayed` connection: a queue of pending sums."""

    proc_params: Any
    time_step: int
    a_buff: Any  # sums that Lava's model sends at the next step
    a_buf: Any  # the same in `Conv`

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        self.pending: deque[Arrivals] = deque()

    def delay_arrivals(self, arrivals: Arrivals) -> Arrivals:
        """Queue the sums of this step, and take those that arrive at the next, `time_step`."""
        self.pending.append(arrivals)
        parameters = self.proc_params
        step = (self.time_step - parameters["depth"]) % parameters["timesteps"]
        due = self.pending.popleft() if len(self.pending) == parameters["lag"] else None
        return np.zeros_like(arrivals) if step < parameters["delay"] or due is None else due


@implements(proc=DelayedDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDelayedDenseModel(DelayBuffer, AbstractPyDenseModelBitAcc):
    """Lava's bit-accurate sums, delayed."""

    def run_spk(self) -> None:
        """Send the sums that are due, then accumulate those of this step."""
        super().run_spk()
        self.a_buff = self.delay_arrivals(self.a_buff)


@implements(proc=DelayedSparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDelayedSparseModel(DelayBuffer, AbstractPySparseModelBitAcc):
    """Lava's bit-accurate sums, delayed."""

    def run_spk(self) -> None:
        """Send the sums that are due, then accumulate those of this step."""
        super().run_spk()
        self.a_buff = self.delay_arrivals(self.a_buff)


@implements(proc=DelayedConv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDelayedConvModel(DelayBuffer, AbstractPySparseConvModel):
    """The sparse matrix product, delayed."""

    def run_spk(self) -> None:
        """Send the sums that are due, then accumulate those of this step."""
        super().run_spk()
        self.a_buf = self.delay_arrivals(self.a_buf)
