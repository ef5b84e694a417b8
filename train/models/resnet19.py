"""ResNet-19 (`resnet19`): residual blocks whose shortcut drives the block's last neurons.

A block gives SN(BN(conv(SN(BN(conv(S))))) + shortcut(S)), the shortcut S itself or BN(conv 1x1(S))
where the shape changes; stages of 3, 3 and 2 blocks, a dense layer of spikes before the read-out.
The initial batch norm weight is sqrt(1/2) of the threshold where two such sums meet, else the
threshold (tdBN, Zheng et al., AAAI 2021, arXiv 2011.05280).
"""

from collections.abc import Sequence

from ...runtime.config import validate
from ..nn.network import INPUT, SpikingNetwork
from ..nn.projections import InputSpec, Projection, Shape, Sources
from .builder import Conv, Layers, NetworkBuilder, check_sizes
from .options import NeuronOptions, ResNet19Options

BLOCKS = (3, 3, 2)


class ResNet19(SpikingNetwork):
    """ResNet-19 with tdBN initialization."""

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        width: int = 128,
        hidden: int = 256,
        neuron: NeuronOptions = NeuronOptions(),  # noqa: B008 (frozen)
    ):
        """Create the layers; weights are drawn from torch's global generator.

        Args:
            input_shape: (channels, height, width).
            classes: Number of read-out neurons.
            width: Channels of the first stage, doubled at each.
            hidden: Neurons of the dense layer before the read-out.
            neuron: Decays, threshold, surrogate gradient and weight bits of all neurons.

        Raises:
            RecipeError: An option has a wrong type or is out of range.
            NetworkError: A layer does not fit its input.
        """
        settings = {"width": width, "hidden": hidden, "neuron": neuron}
        options = validate(ResNet19Options, settings, type(self).__name__)
        shape = check_sizes(type(self).__name__, input_shape, classes)
        super().__init__(_layers(options, shape, classes), shape, options=options)


def _layers(options: ResNet19Options, input_shape: Shape, classes: int) -> Layers:
    builder = NetworkBuilder(options.neuron, input_shape)
    threshold = options.neuron.threshold
    last = builder.add_conv("stem", (INPUT,), Conv(options.width, gain=threshold))
    for stage, blocks in enumerate(BLOCKS):
        for block in range(blocks):
            name = f"stage{stage + 1}.block{block + 1}"
            stride = 2 if stage and not block else 1
            conv = Conv(options.width << stage, 3, stride, gain=threshold)
            last = _add_block(builder, name, last, conv)
    last = builder.add_dense("hidden", last, options.hidden, None)
    return builder.add_readout(last, classes)


def _add_block(builder: NetworkBuilder, name: str, sources: Sources, first: Conv) -> Sources:
    inner = builder.add_conv(f"{name}.conv1", sources, first)
    gain = first.gain * 0.5**0.5
    if builder.shapes[sources[0]] == builder.shapes[inner[0]]:
        shortcut = Projection(InputSpec(sources))
    else:
        resized = Conv(first.channels, 1, first.stride, gain=gain)
        shortcut = builder.make_conv_projection(name, sources, resized)
    return builder.add_conv(f"{name}.conv2", inner, Conv(first.channels, gain=gain), [shortcut])
