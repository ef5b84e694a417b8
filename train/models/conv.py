"""`conv`: a small chain of strided convolutions and dense layers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..nn.network import INPUT, NeuronOptions, SpikingNetwork
from ..nn.projections import Shape, Sources
from .builder import NetworkBuilder


class ConvOptions(BaseModel):
    """A small convolutional network: strided convolutions, dense layers, a read-out that sums up.

    `channels`, `kernels` and `strides` have one entry a convolution, padded by half its kernel;
    `hidden` one a dense layer. Where `recurrent`, the neurons of these also reach each other, a
    step later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["conv"] = "conv"
    channels: tuple[int, ...] = (16, 32)
    kernels: tuple[int, ...] = (3, 3)
    strides: tuple[int, ...] = (2, 2)
    hidden: tuple[int, ...] = (128,)
    recurrent: bool = False
    neuron: NeuronOptions = NeuronOptions()


def conv_net(
    options: ConvOptions, input_shape: Shape, classes: int, value_bits: int
) -> SpikingNetwork:
    """Return the network of `options`, its weights drawn from torch's global generator."""
    growing = NetworkBuilder(options.neuron, input_shape, value_bits)
    last: Sources = (INPUT,)
    settings = zip(options.channels, options.kernels, options.strides, strict=True)
    for channels, kernel, stride in settings:
        last = growing.add_conv(f"conv{len(growing.layers) + 1}", last, channels, kernel, stride)
    for neurons in options.hidden:
        name = f"dense{len(growing.layers) + 1}"
        last = growing.add_dense(name, last, neurons, recurrent=options.recurrent)
    return growing.build(last, classes)
