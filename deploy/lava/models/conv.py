"""Convolution as one sparse matrix product per step, with `weight_exp` (Lava's model ignores it).

Lava's own model calls `scipy.signal.convolve2d` for each pair of channels.
"""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.models import AbstractPyConvModel
from lava.proc.conv.process import Conv
from lava.proc.conv.utils import signed_clamp
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


class AbstractPySparseConvModel(AbstractPyConvModel):
    """Integer convolution: the weighted sum times 2^weight_exp, wrapped to 24 bits."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    a_buf: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=24)
    weight: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=8)
    # Lava stores these in eight bits, too few for 128 groups or a stride of 128.
    kernel_size: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32)
    stride: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32)
    padding: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32)
    dilation: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32)
    groups: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.matrix: csr_matrix | None = None

    def run_spk(self) -> None:
        """Send the sums of the previous step, then accumulate those of this step."""
        if self.matrix is None:
            self.matrix = self._build_matrix()
        self.a_out.send(self.a_buf)
        values = self.s_in.recv()
        if self.num_message_bits.item() == 0:
            values = values.astype(bool)
        summed = self.matrix @ values.reshape(-1).astype(np.int32)
        exponent = self.weight_exp.item()
        summed = summed << exponent if exponent >= 0 else summed >> -exponent
        self.a_buf = signed_clamp(summed, bits=24).reshape(self.a_buf.shape)

    def _build_matrix(self) -> csr_matrix:
        """Build the synapse matrix (targets, sources), neurons in C order of (W, H, C)."""
        sources = np.arange(np.prod(self.s_in.shape)).reshape(self.s_in.shape)
        targets = np.arange(np.prod(self.a_out.shape)).reshape(self.a_out.shape)
        groups = self.groups.item()
        outputs, inputs = self.weight.shape[0] // groups, self.weight.shape[3]
        kernels = self.weight.reshape(groups, outputs, *self.weight.shape[1:])[:, :, ::-1, ::-1]
        parts = []
        for tap in np.ndindex(*self.weight.shape[1:3]):
            pairs = [self._tap_pairs(axis, offset) for axis, offset in enumerate(tap)]
            at_targets = targets[np.ix_(pairs[0][0], pairs[1][0])]
            at_sources = sources[np.ix_(pairs[0][1], pairs[1][1])]
            rows = at_targets.reshape(*at_targets.shape[:2], groups, outputs, 1)
            columns = at_sources.reshape(*at_sources.shape[:2], groups, 1, inputs)
            synapses = np.broadcast_arrays(rows, columns, kernels[:, :, tap[0], tap[1], :])
            parts.append([array.reshape(-1) for array in synapses])
        rows, columns, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return csr_matrix((weights, (rows, columns)), (targets.size, sources.size), np.int32)

    def _tap_pairs(self, axis: int, tap: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Targets along `axis` whose kernel tap is inside the source, and the source positions."""
        targets = np.arange(self.a_out.shape[axis])
        sources = targets * self.stride[axis] - self.padding[axis] + tap * self.dilation[axis]
        inside = (sources >= 0) & (sources < self.s_in.shape[axis])
        return targets[inside], sources[inside]


@implements(proc=Conv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySparseConvModel(AbstractPySparseConvModel):
    """The model that replaces Lava's for `Conv`."""
