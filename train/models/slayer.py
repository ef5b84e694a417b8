"""SlayerNet (`slayer`): blocks of lava-dl's SLAYER, trained by its own rules.

Their weights are quantized and their neurons compute in integers from the first epoch on, so there
is nothing to quantize: the trained blocks are read integer for integer
(`convert.importers.slayer`). An integrating read-out of pumice's own follows them. This is the only
module that imports SLAYER.
"""

import sys
import types
import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ...convert.importers.slayer import from_slayer
from ...convert.quantize.quantize import quantize_population
from ...runtime.config import validate
from ...runtime.errors import MissingPackage, NetworkError
from ...runtime.lava_compat import patch_lava
from ...runtime.network import Network
from ..nn.layers import SpikingLayer
from ..nn.network import SpikingNetwork
from ..nn.projections import InputSpec, Projection, Shape
from .builder import READOUT, check_sizes
from .options import SlayerNeuronOptions, SlayerOptions, per_layer

LAST_BLOCK = "last"  # the name by which the read-out reads the last block


class SlayerNet(SpikingNetwork):
    """SLAYER blocks, which always compute in integers, and an integrating read-out."""

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        channels: Sequence[int] = (8, 16),
        hidden: Sequence[int] = (64,),
        kernels: int | Sequence[int] = 3,
        strides: int | Sequence[int] = 2,
        weight_scale: float = 2.0,
        neuron: SlayerNeuronOptions = SlayerNeuronOptions(),  # noqa: B008 (frozen)
    ):
        """Create the blocks; weights are drawn from torch's global generator.

        Args:
            input_shape: (channels, height, width).
            classes: Number of read-out neurons.
            channels: Output channels of each convolution.
            hidden: Neurons of each dense layer.
            kernels: Kernel size of all convolutions, or of each; padding is half of it.
            strides: Stride of all convolutions, or of each.
            weight_scale: Factor on the initial weights.
            neuron: SLAYER's CUBA parameters.

        Raises:
            MissingPackage: lava-dl is not installed.
            NetworkError: There is no block.
            RecipeError: An option has a wrong type or is out of range.
        """
        settings = {
            "channels": channels,
            "hidden": hidden,
            "kernels": kernels,
            "strides": strides,
            "weight_scale": weight_scale,
            "neuron": neuron,
        }
        options = validate(SlayerOptions, settings, type(self).__name__)
        shape = check_sizes(type(self).__name__, input_shape, classes)
        blocks, width = _blocks(options, shape)
        projection = Projection(InputSpec((LAST_BLOCK,)), nn.Linear(width, classes))
        readout = SpikingLayer("output", [projection], READOUT)
        super().__init__([readout], shape, options=options)
        self.blocks = nn.ModuleList(blocks)

    def features(self, events: Tensor) -> Tensor:
        """Compute the spikes of the last block, (timesteps, batch, *shape)."""
        values = torch.movedim(events, 0, -1)  # SLAYER has time last
        for block in self.blocks:
            values = block(values)
        return torch.movedim(values, -1, 0)

    def layer_shapes(self) -> list[Shape]:
        """Shape of the read-out."""
        return [(self.readout_layer.linear.weight.shape[0],)]

    @torch.no_grad()
    def to_network(self) -> Network:
        """Read the integer network that it computes, block by block; raises `NetworkError`."""
        self.features(torch.zeros(1, 1, *self.input_shape))  # a block knows its shape once it ran
        before, _ = from_slayer(list(self.blocks), self.input_shape, self.value_bits)
        last = before.population(before.output)
        float_population, float_projections = self.readout_layer.to_float(
            self.layer_shapes()[0], {LAST_BLOCK: last.shape}
        )
        incoming = [
            replace(each, source=last.name, name=f"{last.name}-output")
            for each in float_projections
        ]
        population, projections, _ = quantize_population(float_population, incoming)
        return Network(
            (*before.populations, population), (*before.projections, *projections), "output"
        )


def _blocks(options: SlayerOptions, input_shape: Shape) -> tuple[list[nn.Module], int]:
    """Create the SLAYER blocks, and the number of values that the last one sends."""
    block = import_slayer().block.cuba
    settings = {"weight_scale": options.weight_scale, "delay_shift": False}
    neuron = options.neuron.model_dump()
    blocks: list[nn.Module] = []
    shape = input_shape
    kernels = per_layer("kernels", options.kernels, options.channels)
    strides = per_layer("strides", options.strides, options.channels)
    for channels, kernel, stride in zip(options.channels, kernels, strides, strict=True):
        padding = kernel // 2
        blocks.append(block.Conv(neuron, shape[0], channels, kernel, stride, padding, **settings))
        height, width = ((size + 2 * padding - kernel) // stride + 1 for size in shape[1:])
        shape = (channels, height, width)
    neurons = int(torch.Size(shape).numel())
    if options.hidden:
        blocks.append(block.Flatten())
        for before, after in pairwise((neurons, *options.hidden)):
            blocks.append(block.Dense(neuron, before, after, **settings))
        neurons = options.hidden[-1]
    if not blocks:
        raise NetworkError("slayer: has no channels and no hidden layer, needs one block or more")
    return blocks, neurons


def import_slayer() -> Any:
    """Import SLAYER without its object detection, which needs cv2 and is not used.

    Raises:
        MissingPackage: lava-dl is not installed.
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
