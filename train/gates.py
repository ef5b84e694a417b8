"""Gates: neurons without a state or a weight to learn, that combine spikes and answer in spikes.

Each is a threshold on a sum, which is how it lowers; torch computes it such that a gradient flows.
"""

from typing import Literal

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from ..convert.graph import Neurons, Synapses
from ..runtime.errors import NetworkError
from .projections import Pair, Reads, Shape

Kind = Literal["max", "or", "iand"]
WEIGHTS = {"max": (1.0,), "or": (1.0, 1.0), "iand": (-1.0, 1.0)}


class Gate(nn.Module):
    """Spikes called `name`, of `sources` that are populations of spikes each.

    `max` fires where any spike of its window does, `or` where either source does, `iand` where the
    second does and the first does not: (1 - first) * second (SEW-ResNet, Fang et al., NeurIPS 2021,
    with the block's own spikes first).
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        sources: tuple[str, ...],
        window: Pair = (1, 1),
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
    ):
        super().__init__()
        if len(sources) != len(WEIGHTS[kind]):
            raise NetworkError(
                f"{name}: {kind} takes spikes of {len(WEIGHTS[kind])} populations, not the sum of "
                f"{len(sources)}; connect by or, or by iand"
            )
        self.name, self.kind, self.sources = name, kind, sources
        self.window, self.stride, self.padding = window, stride, padding
        self.quantised = False  # it computes the same either way

    @property
    def reads(self) -> tuple[Reads, ...]:
        """What it reads, one after the other."""
        return tuple(Reads((source,)) for source in self.sources)

    def forward(self, *values: Tensor) -> Tensor:
        if self.kind == "max":
            (spikes,) = values
            merged = functional.max_pool2d(
                spikes.flatten(0, 1), self.window, self.stride, self.padding
            )
            return merged.view(*spikes.shape[:2], *merged.shape[1:])
        first, second = values
        return (1 - first) * second if self.kind == "iand" else first + second - first * second

    def shape(self, *values: Tensor) -> Shape:
        """Return the shape of its neurons, where it reads `values`."""
        return tuple(self(*values).shape[2:])

    def lowered(self, shape: Shape, shapes: dict[str, Shape]) -> tuple[Neurons, list[Synapses]]:
        """Return it as neurons that forget at once and fire above one half."""
        bias = np.zeros(shape[:1], np.float32)
        neurons = Neurons(self.name, shape, bias, 0.5, current_decay=1.0, voltage_decay=1.0)
        synapses = [
            Synapses(
                f"{source}-{self.name}",
                source,
                self.name,
                "sum_pool",
                np.array([weight], np.float32),
                self.stride,
                self.padding,
                kernel=self.window,
            )
            for source, weight in zip(self.sources, WEIGHTS[self.kind], strict=True)
        ]
        return neurons, synapses
