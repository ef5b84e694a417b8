"""SEW-ResNet (`sew_resnet18`, `sew_resnet34`): residual networks whose shortcuts carry spikes.

A block computes A = SN(BN(conv(SN(BN(conv(S)))))) and gives g(A, S): `add` A + S, `iand`
(1 - A) * S, `or` A + S - A * S. Where the shape changes the shortcut is SN(BN(conv 1x1(S))).
Fang et al., "Deep residual learning in spiking neural networks", NeurIPS 2021 (arXiv 2102.04159);
`or` after SynA-ResNet (arXiv 2311.06570).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from ...runtime.config import validate
from ..nn.network import INPUT, SpikingNetwork
from ..nn.projections import Shape, Sources
from .builder import Conv, Layers, NetworkBuilder, check_sizes
from .options import Connect, NeuronOptions, SEWResNetOptions, Stem, StemPooling

BLOCKS = {"sew_resnet18": (2, 2, 2, 2), "sew_resnet34": (3, 4, 6, 3)}


class SEWResNet18(SpikingNetwork):
    """SEW-ResNet-18: residual blocks with a spike-element-wise function."""

    variant: ClassVar[str] = "sew_resnet18"

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        width: int = 64,
        stages: int = 4,
        connect: Connect = "add",
        stem: Stem = "small",
        pool: StemPooling = "max",
        neuron: NeuronOptions = NeuronOptions(),  # noqa: B008 (frozen)
    ):
        """Create the layers; weights are drawn from torch's global generator.

        Args:
            input_shape: (channels, height, width).
            classes: Number of read-out neurons.
            width: Channels of the first stage, doubled at each.
            stages: Number of stages, 1 to 4.
            connect: Element-wise function g of a block: "add", "iand" or "or".
            stem: "small" (3x3, stride 1) or "large" (7x7, stride 2, then `pool`).
            pool: StemPooling after a large stem: "max" 3x3, "average" 2x2, "none".
            neuron: Decays, threshold, surrogate gradient and weight bits of all neurons.

        Raises:
            RecipeError: An option has a wrong type or is out of range.
            NetworkError: A layer does not fit its input.
        """
        settings: dict[str, Any] = {"name": self.variant, "width": width, "stages": stages}
        settings |= {"connect": connect, "stem": stem, "pool": pool, "neuron": neuron}
        options = validate(SEWResNetOptions, settings, type(self).__name__)
        shape = check_sizes(type(self).__name__, input_shape, classes)
        super().__init__(_layers(options, shape, classes), shape, options=options)


class SEWResNet34(SEWResNet18):
    """SEW-ResNet-34: as SEW-ResNet-18, with 3, 4, 6 and 3 blocks per stage."""

    variant = "sew_resnet34"


def _layers(options: SEWResNetOptions, input_shape: Shape, classes: int) -> Layers:
    builder = NetworkBuilder(options.neuron, input_shape)
    large = options.stem == "large"
    kernel, stride = (7, 2) if large else (3, 1)
    last = builder.add_conv("stem", (INPUT,), Conv(options.width, kernel, stride))
    pool_size = 2 if large and options.pool == "average" else 1
    if large and options.pool == "max":
        last = builder.add_max_pool("pool", last, 3, 2)
    for stage, blocks in enumerate(BLOCKS[options.name][: options.stages]):
        for block in range(blocks):
            name = f"stage{stage + 1}.block{block + 1}"
            stride = 2 if stage and not block else 1
            conv = Conv(options.width << stage, 3, stride, pool_size)
            last = _add_block(builder, options.connect, name, last, conv)
            pool_size = 1
    return builder.add_readout(last, classes, None)


def _add_block(
    builder: NetworkBuilder, connect: Connect, name: str, sources: Sources, first: Conv
) -> Sources:
    inner = builder.add_conv(f"{name}.conv1", sources, first)
    outer = builder.add_conv(f"{name}.conv2", inner, Conv(first.channels))
    shortcut = sources
    if builder.shapes[sources[0]] != builder.shapes[outer[0]]:
        shortcut = builder.add_conv(f"{name}.shortcut", sources, replace(first, kernel=1))
    if connect == "add":
        return shortcut + outer
    return builder.add_gate(f"{name}.{connect}", connect, outer + shortcut)
