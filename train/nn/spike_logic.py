"""Logic gates on spikes: stateless neurons without weights to learn (max pooling, OR, IAND).

Converted, each is a threshold on a weighted sum; in torch each is computed such that gradients
flow.
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
    """A logic gate on the spikes of one or two populations.

    Args:
        name: Name of the layer, and of its population once converted.
        kind: "max" fires where any spike of its window does (max pooling of binary spikes), "or"
            where either source does, "iand" where the second does and the first does not:
            (1 - first) * second (SEW-ResNet, Fang et al., NeurIPS 2021, with the block's own spikes
            first).
        sources: The populations, one for "max", else two.
        window: Pooling window of "max".
        stride: Stride of the window.
        padding: Zero padding of the window.

    Raises:
        NetworkError: The number of sources does not fit the kind.
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
        expected = len(GATE_WEIGHTS[kind])
        if len(sources) != expected:
            raise NetworkError(
                f"{name}: {kind} takes spikes of {expected} populations, not the sum of "
                f"{len(sources)}; connect by or, or by iand"
            )
        self.name, self.kind, self.sources = name, kind, sources
        self.window, self.stride, self.padding = window, stride, padding
        self.quantized = False  # the forward pass is the same in integers

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """Input of each source."""
        return tuple(InputSpec((source,)) for source in self.sources)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the gate's spikes (timesteps, batch, *shape) from those of its sources."""
        if self.kind == "max":
            (spikes,) = inputs
            merged = functional.max_pool2d(
                spikes.flatten(0, 1), self.window, self.stride, self.padding
            )
            return merged.view(*spikes.shape[:2], *merged.shape[1:])
        first, second = inputs
        return (1 - first) * second if self.kind == "iand" else first + second - first * second

    def output_shape(self, *inputs: Tensor) -> Shape:
        """Shape of the population, for inputs like these."""
        return tuple(self(*inputs).shape[2:])

    def to_float(
        self, shape: Shape, source_shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Export as neurons with full decay and threshold 1/2."""
        bias = np.zeros(shape[:1], np.float32)
        population = FloatPopulation(
            self.name, shape, bias, 0.5, current_decay=1.0, voltage_decay=1.0
        )
        projections = [
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
        return population, projections
