"""`resnet19`: residual blocks whose shortcut drives the block's last neurons.

A block gives SN(BN(conv(SN(BN(conv(S))))) + shortcut(S)), the shortcut S itself or BN(conv 1x1(S))
where the shape changes; stages of 3, 3 and 2 blocks, a dense layer of spikes before the read-out.
Batch norm scales by sqrt(1/2) of the threshold at first where two such sums meet, else by the
threshold (tdBN, Zheng et al., AAAI 2021, arXiv 2011.05280).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..nn.network import INPUT, NeuronOptions, SpikingNetwork
from ..nn.projections import (
    InputSpec,
    Projection,
    Shape,
    Sources,
)
from .builder import NetworkBuilder

BLOCKS = (3, 3, 2)


class ResNet19Options(BaseModel):
    """`width` is the channels of the first stage, doubled at each; `hidden` the dense layer's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["resnet19"]
    width: int = Field(default=128, ge=1)
    hidden: int = Field(default=256, ge=1)
    neuron: NeuronOptions = NeuronOptions()


def resnet19(
    options: ResNet19Options, input_shape: Shape, classes: int, value_bits: int
) -> SpikingNetwork:
    """Return the network of `options`, its weights drawn from torch's global generator."""
    growing = NetworkBuilder(options.neuron, input_shape, value_bits)
    level = options.neuron.threshold
    last = growing.add_conv("stem", (INPUT,), options.width, gain=level)
    for stage, blocks in enumerate(BLOCKS):
        for block in range(blocks):
            name = f"stage{stage + 1}.block{block + 1}"
            stride = 2 if stage and not block else 1
            last = _add_block(growing, name, last, options.width << stage, stride, level)
    last = growing.add_dense("hidden", last, options.hidden, None)
    return growing.build(last, classes)


def _add_block(
    growing: NetworkBuilder, name: str, sources: Sources, channels: int, stride: int, level: float
) -> Sources:
    inner = growing.add_conv(f"{name}.conv1", sources, channels, 3, stride, gain=level)
    half = level * 0.5**0.5
    if growing.shapes[sources[0]] == growing.shapes[inner[0]]:
        shortcut = Projection(InputSpec(sources))
    else:
        shortcut = growing.make_conv_projection(name, sources, channels, 1, stride, gain=half)
    return growing.add_conv(f"{name}.conv2", inner, channels, shortcut=[shortcut], gain=half)
