"""VGG (`vggsnn`, `vgg9`): chains of 3x3 convolutions with pooling between them.

`vggsnn` is 64C3-128C3-P-256C3-256C3-P-512C3-512C3-P-512C3-512C3-P-FC, as ETC and TET train it on
event data (arXiv 2202.11946). `vgg9` is seven convolutions, 64-64-P-128-128-P-256-256-256-P, and
two dense layers.
"""

from collections.abc import Sequence

from ...runtime.config import validate
from ..nn.network import INPUT, SpikingNetwork
from ..nn.projections import Shape, Sources
from .builder import Conv, Layers, NetworkBuilder, check_sizes
from .options import NeuronOptions, Pooling, Variant, VGGOptions

# Channels in units of the width; each group ends in a pool.
CHANNEL_MULTIPLIERS = {
    "vggsnn": ((1, 2), (4, 4), (8, 8), (8, 8)),
    "vgg9": ((1, 1), (2, 2), (4, 4, 4)),
}


class VGG(SpikingNetwork):
    """VGG of 3x3 convolutions with 2x2 pooling: VGGSNN (TET, ETC) or VGG-9."""

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        name: Variant = "vggsnn",
        width: int = 64,
        hidden: int = 1024,
        pool: Pooling = "average",
        neuron: NeuronOptions = NeuronOptions(),  # noqa: B008 (frozen)
    ):
        """Create the layers; weights are drawn from torch's global generator.

        Args:
            input_shape: (channels, height, width).
            classes: Number of read-out neurons.
            name: Architecture, "vggsnn" or "vgg9".
            width: Channels of the first convolution.
            hidden: Neurons of the dense layer of "vgg9".
            pool: Pooling over 2x2.
            neuron: Decays, threshold, surrogate gradient and weight bits of all neurons.

        Raises:
            RecipeError: An option has a wrong type or is out of range.
            NetworkError: A layer does not fit its input.
        """
        settings = {"name": name, "width": width, "hidden": hidden, "pool": pool, "neuron": neuron}
        options = validate(VGGOptions, settings, type(self).__name__)
        shape = check_sizes(type(self).__name__, input_shape, classes)
        super().__init__(_layers(options, shape, classes), shape, options=options)


def _layers(options: VGGOptions, input_shape: Shape, classes: int) -> Layers:
    builder = NetworkBuilder(options.neuron, input_shape)
    last: Sources = (INPUT,)
    pool_size, number = 1, 0
    for group, multipliers in enumerate(CHANNEL_MULTIPLIERS[options.name]):
        for multiplier in multipliers:
            number += 1
            conv = Conv(options.width * multiplier, pool_size=pool_size)
            last = builder.add_conv(f"conv{number}", last, conv)
            pool_size = 1
        if options.pool == "max":
            last = builder.add_max_pool(f"pool{group + 1}", last, 2, 2)
        else:
            pool_size = 2
    if options.name == "vggsnn":
        return builder.add_readout(last, classes, pool_size)
    return builder.add_readout(
        builder.add_dense("hidden", last, options.hidden, pool_size), classes
    )
