"""`sew_resnet18`, `sew_resnet34`: residual networks whose shortcuts carry spikes.

A block computes A = SN(BN(conv(SN(BN(conv(S)))))) and gives g(A, S): `add` A + S, `iand`
(1 - A) * S, `or` A + S - A * S. Where the shape changes the shortcut is SN(BN(conv 1x1(S))).
Fang et al., "Deep residual learning in spiking neural networks", NeurIPS 2021 (arXiv 2102.04159);
`or` after SynA-ResNet (arXiv 2311.06570).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..nn.network import INPUT, NeuronOptions, SpikingNetwork
from ..nn.projections import Shape, Sources
from .builder import NetworkBuilder

BLOCKS = {"sew_resnet18": (2, 2, 2, 2), "sew_resnet34": (3, 4, 6, 3)}


class SEWResNetOptions(BaseModel):
    """`width` is the channels of the first stage, doubled at each of `stages`.

    `stem` is "small" (3x3, stride 1, no pool: images of 32 pixels) or "large" (7x7, stride 2, then
    a `pool`: "max" over 3x3, "average" over 2x2, or "none").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["sew_resnet18", "sew_resnet34"]
    width: int = Field(default=64, ge=1)
    stages: int = Field(default=4, ge=1, le=4)
    connect: Literal["add", "iand", "or"] = "add"
    stem: Literal["small", "large"] = "small"
    pool: Literal["max", "average", "none"] = "max"
    neuron: NeuronOptions = NeuronOptions()


class MSResNetOptions(BaseModel):
    """MS-ResNet (Hu et al., TNNLS 2024), which cannot be carried over: refused with the reason."""

    name: Literal["ms_resnet18", "ms_resnet34"]

    @model_validator(mode="after")
    def _raise_unsupported(self) -> "MSResNetOptions":
        raise ValueError(
            "its shortcuts carry membrane currents, and where the shape changes a convolution "
            "takes these real numbers, which are no messages of a chip; take sew_resnet18"
        )


def sew_resnet(
    options: SEWResNetOptions, input_shape: Shape, classes: int, value_bits: int
) -> SpikingNetwork:
    """Return the network of `options`, its weights drawn from torch's global generator."""
    growing = NetworkBuilder(options.neuron, input_shape, value_bits)
    large = options.stem == "large"
    kernel, stride = (7, 2) if large else (3, 1)
    last = growing.add_conv("stem", (INPUT,), options.width, kernel, stride)
    window = 2 if large and options.pool == "average" else 1
    if large and options.pool == "max":
        last = growing.add_max_pool("pool", last, 3, 2)
    for stage, blocks in enumerate(BLOCKS[options.name][: options.stages]):
        for block in range(blocks):
            name = f"stage{stage + 1}.block{block + 1}"
            stride = 2 if stage and not block else 1
            last = _add_block(growing, options, name, last, stage, stride, window)
            window = 1
    return growing.build(last, classes, None)


def _add_block(
    growing: NetworkBuilder,
    options: SEWResNetOptions,
    name: str,
    sources: Sources,
    stage: int,
    stride: int,
    window: int,
) -> Sources:
    channels = options.width << stage
    inner = growing.add_conv(f"{name}.conv1", sources, channels, 3, stride, window)
    outer = growing.add_conv(f"{name}.conv2", inner, channels)
    shortcut = sources
    if growing.shapes[sources[0]] != growing.shapes[outer[0]]:
        shortcut = growing.add_conv(f"{name}.shortcut", sources, channels, 1, stride, window)
    if options.connect == "add":
        return shortcut + outer
    return growing.add_gate(f"{name}.{options.connect}", options.connect, outer + shortcut)
