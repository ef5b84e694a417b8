"""`vggsnn` and `vgg9`: chains of 3x3 convolutions with pools between them.

`vggsnn` is 64C3-128C3-P-256C3-256C3-P-512C3-512C3-P-512C3-512C3-P-FC, as ETC and TET train it on
event data (arXiv 2202.11946). `vgg9` is seven convolutions, 64-64-P-128-128-P-256-256-256-P, and
two dense layers.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..nn.network import INPUT, NeuronOptions, SpikingNetwork
from ..nn.projections import Shape, Sources
from .builder import NetworkBuilder

# Channels in units of the width; each group ends in a pool.
CHANNEL_MULTIPLIERS = {
    "vggsnn": ((1, 2), (4, 4), (8, 8), (8, 8)),
    "vgg9": ((1, 1), (2, 2), (4, 4, 4)),
}


class VGGOptions(BaseModel):
    """`width` is the channels of the first convolution; `hidden` the dense layer's of `vgg9`.

    `pool` is "average" or "max", over 2x2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["vggsnn", "vgg9"]
    width: int = Field(default=64, ge=1)
    hidden: int = Field(default=1024, ge=1)
    pool: Literal["average", "max"] = "average"
    neuron: NeuronOptions = NeuronOptions()


def vgg(options: VGGOptions, input_shape: Shape, classes: int, value_bits: int) -> SpikingNetwork:
    """Return the network of `options`, its weights drawn from torch's global generator."""
    growing = NetworkBuilder(options.neuron, input_shape, value_bits)
    last: Sources = (INPUT,)
    window, number = 1, 0
    for group, plan in enumerate(CHANNEL_MULTIPLIERS[options.name]):
        for times in plan:
            number += 1
            last = growing.add_conv(f"conv{number}", last, options.width * times, pool_size=window)
            window = 1
        if options.pool == "max":
            last = growing.add_max_pool(f"pool{group + 1}", last, 2, 2)
        else:
            window = 2
    if options.name == "vggsnn":
        return growing.build(last, classes, window)
    return growing.build(growing.add_dense("hidden", last, options.hidden, window), classes)
