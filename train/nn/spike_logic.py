"""Gates: neurons without a state or a weight to learn, that combine spikes and answer in spikes.

Each is a threshold on a sum, which is how it lowers; torch computes it such that a gradient flows.
"""

from typing import Literal

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from ...convert.quantize.float_network import FloatPopulation, FloatProjection
from ...runtime.errors import NetworkError
from .projections import InputSpec, Pair, Shape

GateKind = Literal["max", "or", "iand"]
GATE_WEIGHTS = {"max": (1.0,), "or": (1.0, 1.0), "iand": (-1.0, 1.0)}


class Gate(nn.Module):
    """Spikes called `name`, of `sources` that are populations of spikes each.

    `max` fires where any spike of its window does, `or` where either source does, `iand` where the
    second does and the first does not: (1 - first) * second (SEW-ResNet, Fang et al., NeurIPS 2021,
    with the block's own spikes first).
    """

    def __init__(
        self,
        name: str,
        kind: GateKind,
        sources: tuple[str, ...],
        window: Pair = (1, 1),
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
    ):
        super().__init__()
        if len(sources) != len(GATE_WEIGHTS[kind]):
            raise NetworkError(
                f"{name}: {kind} takes spikes of {len(GATE_WEIGHTS[kind])} populations, not the sum of "
                f"{len(sources)}; connect by or, or by iand"
            )
        self.name, self.kind, self.sources = name, kind, sources
        self.window, self.stride, self.padding = window, stride, padding
        self.quantized = False  # it computes the same either way

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What it reads, one after the other."""
        return tuple(InputSpec((source,)) for source in self.sources)

    def forward(self, *values: Tensor) -> Tensor:
        if self.kind == "max":
            (spikes,) = values
            merged = functional.max_pool2d(
                spikes.flatten(0, 1), self.window, self.stride, self.padding
            )
            return merged.view(*spikes.shape[:2], *merged.shape[1:])
        first, second = values
        return (1 - first) * second if self.kind == "iand" else first + second - first * second

    def output_shape(self, *values: Tensor) -> Shape:
        """Return the shape of its neurons, where it reads `values`."""
        return tuple(self(*values).shape[2:])

    def to_float(
        self, shape: Shape, shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Return it as neurons that forget at once and fire above one half."""
        bias = np.zeros(shape[:1], np.float32)
        neurons = FloatPopulation(self.name, shape, bias, 0.5, current_decay=1.0, voltage_decay=1.0)
        synapses = [
            FloatProjection(
                f"{source}-{self.name}",
                source,
                self.name,
                "sum_pool",
                np.array([weight], np.float32),
                self.stride,
                self.padding,
                kernel=self.window,
            )
            for source, weight in zip(self.sources, GATE_WEIGHTS[self.kind], strict=True)
        ]
        return neurons, synapses
