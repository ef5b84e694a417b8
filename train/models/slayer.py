"""`slayer`: blocks of lava-dl's SLAYER, trained by its own rules, on the same road to the chip.

Their weights are rounded and their neurons compute in integers from the first epoch on, so there
are no real numbers to convert: what was trained is read, integer for integer (`convert.slayer`). A
read-out of pumice's own follows them. This is the only module that imports SLAYER.
"""

import sys
import types
import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ...convert.importers.slayer import from_slayer
from ...convert.quantize.quantize import quantize_population
from ...runtime.errors import MissingPackage, NetworkError
from ...runtime.lava_compat import patch_lava
from ...runtime.network import Network
from ..nn.layers import SpikingLayer
from ..nn.network import SpikingNetwork
from ..nn.projections import InputSpec, Projection, Shape
from .builder import READOUT

LAST_BLOCK = "last"  # what the read-out calls the last block


class SlayerNeuronOptions(BaseModel):
    """SLAYER's CUBA neurons; `scale_grad` and `tau_grad` shape the surrogate derivative."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(default=1.25, gt=0, lt=64)
    current_decay: float = Field(default=0.25, ge=0, le=1)
    voltage_decay: float = Field(default=0.03, ge=0, le=1)
    tau_grad: float = Field(default=0.1, gt=0)
    scale_grad: float = Field(default=1.0, gt=0)


class SlayerOptions(BaseModel):
    """A chain of SLAYER's convolutions and dense layers, and a read-out that sums up.

    `channels`, `kernels` and `strides` have one entry a convolution, padded by half its kernel;
    `hidden` one a dense layer. Weights begin `weight_scale` times as large as torch draws them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["slayer"]
    channels: tuple[int, ...] = (8, 16)
    kernels: tuple[int, ...] = (3, 3)
    strides: tuple[int, ...] = (2, 2)
    hidden: tuple[int, ...] = (64,)
    weight_scale: float = Field(default=2.0, gt=0)
    neuron: SlayerNeuronOptions = SlayerNeuronOptions()


class SlayerNet(SpikingNetwork):
    """SLAYER's `blocks`, which compute in integers always, then a read-out as in every network."""

    def __init__(
        self, blocks: list[nn.Module], readout: SpikingLayer, shape: Shape, value_bits: int
    ):
        super().__init__([readout], shape, value_bits)
        self.blocks = nn.ModuleList(blocks)

    def features(self, events: Tensor) -> Tensor:
        """Return the spikes of the last block, (timesteps, batch, *shape)."""
        values = torch.movedim(events, 0, -1)  # SLAYER has time last
        for block in self.blocks:
            values = block(values)
        return torch.movedim(values, -1, 0)

    def layer_shapes(self) -> list[Shape]:
        """Return the shape of the read-out."""
        return [(self.readout_layer.linear.weight.shape[0],)]

    @property
    def readout_layer(self) -> SpikingLayer:
        """The last layer."""
        layer = self.layers[-1]
        assert isinstance(layer, SpikingLayer)
        return layer

    @torch.no_grad()
    def to_network(self) -> Network:
        """Return the network it computes, read block by block; raises `NetworkError`."""
        self.features(torch.zeros(1, 1, *self.input_shape))  # a block knows its shape once it ran
        before, _ = from_slayer(list(self.blocks), self.input_shape, self.value_bits)
        last = before.population(before.output)
        neurons, synapses = self.readout_layer.to_float(
            self.layer_shapes()[0], {LAST_BLOCK: last.shape}
        )
        joined = [replace(s, source=last.name, name=f"{last.name}-output") for s in synapses]
        population, projections, _ = quantize_population(neurons, joined)
        return Network(
            (*before.populations, population), (*before.projections, *projections), "output"
        )


def slayer_net(
    options: SlayerOptions, input_shape: Shape, classes: int, value_bits: int
) -> SlayerNet:
    """Return the network of `options`, its weights from torch's global generator.

    Raises `MissingPackage` where lava-dl is not installed, `NetworkError` where there is no block.
    """
    block = import_slayer().block.cuba
    settings = {"weight_scale": options.weight_scale, "delay_shift": False}
    neuron = options.neuron.model_dump()
    blocks: list[nn.Module] = []
    shape = input_shape
    sizes = zip(options.channels, options.kernels, options.strides, strict=True)
    for channels, kernel, stride in sizes:
        padded = kernel // 2
        blocks.append(block.Conv(neuron, shape[0], channels, kernel, stride, padded, **settings))
        rows, columns = ((size + 2 * padded - kernel) // stride + 1 for size in shape[1:])
        shape = (channels, rows, columns)
    flat = int(torch.Size(shape).numel())
    if options.hidden:
        blocks.append(block.Flatten())
        for before, after in pairwise((flat, *options.hidden)):
            blocks.append(block.Dense(neuron, before, after, **settings))
        flat = options.hidden[-1]
    if not blocks:
        raise NetworkError("slayer: has no channels and no hidden layer, needs one block or more")
    readout = Projection(InputSpec((LAST_BLOCK,)), nn.Linear(flat, classes))
    return SlayerNet(blocks, SpikingLayer("output", [readout], READOUT), input_shape, value_bits)


def import_slayer() -> Any:
    """Return SLAYER; its object detection, which wants cv2 and is not used, stays out.

    Raises `MissingPackage`.
    """
    name = "lava.lib.dl.slayer.object_detection"
    patch_lava()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.modules.setdefault(name, types.ModuleType(name))
        try:
            import lava.lib.dl.slayer as library
        except ImportError as error:
            raise MissingPackage(
                f"lava-dl is not installed ({error}); pumice doctor --fix installs it"
            ) from None
    return library
