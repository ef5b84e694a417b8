"""ConvNet (`conv`): strided convolutions and dense layers of spiking neurons."""

from collections.abc import Sequence

from ...runtime.config import validate
from ..nn.network import INPUT, SpikingNetwork
from ..nn.projections import Shape, Sources
from .builder import Conv, Layers, NetworkBuilder, check_sizes
from .options import ConvOptions, NeuronOptions, per_layer


class ConvNet(SpikingNetwork):
    """Strided convolutions and dense layers of spiking neurons, with an integrating read-out."""

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        channels: Sequence[int] = (16, 32),
        hidden: Sequence[int] = (128,),
        kernels: int | Sequence[int] = 3,
        strides: int | Sequence[int] = 2,
        recurrent: bool = False,
        input_pool: int = 1,
        global_pool: bool = False,
        neuron: NeuronOptions = NeuronOptions(),  # noqa: B008 (frozen)
    ):
        """Create the layers; weights are drawn from torch's global generator.

        Args:
            input_shape: (channels, height, width), or (neurons,) where `channels` is empty.
            classes: Number of read-out neurons.
            channels: Output channels of each convolution.
            hidden: Neurons of each dense layer.
            kernels: Kernel size of all convolutions, or of each; padding is half of it.
            strides: Stride of all convolutions, or of each.
            recurrent: Add recurrent synapses with a delay of one step to the dense layers.
            input_pool: Average pooling of the input, over squares of so many pixels a side.
            global_pool: Average the maps of the last convolution over all their pixels.
            neuron: Decays, threshold, surrogate gradient and weight bits of all neurons.

        Raises:
            RecipeError: An option has a wrong type or is out of range.
            NetworkError: A layer does not fit its input.
        """
        settings = {
            "channels": channels,
            "hidden": hidden,
            "kernels": kernels,
            "strides": strides,
            "recurrent": recurrent,
            "input_pool": input_pool,
            "global_pool": global_pool,
            "neuron": neuron,
        }
        options = validate(ConvOptions, settings, type(self).__name__)
        shape = check_sizes(type(self).__name__, input_shape, classes)
        super().__init__(_layers(options, shape, classes), shape, options=options)


def _layers(options: ConvOptions, input_shape: Shape, classes: int) -> Layers:
    builder = NetworkBuilder(options.neuron, input_shape)
    last: Sources = (INPUT,)
    kernels = per_layer("kernels", options.kernels, options.channels)
    strides = per_layer("strides", options.strides, options.channels)
    pool_size = options.input_pool
    for channels, kernel, stride in zip(options.channels, kernels, strides, strict=True):
        name = f"conv{len(builder.layers) + 1}"
        last = builder.add_conv(name, last, Conv(channels, kernel, stride, pool_size))
        pool_size = 1
    flat_pool = None if options.global_pool else 1
    for neurons in options.hidden:
        name = f"dense{len(builder.layers) + 1}"
        last = builder.add_dense(name, last, neurons, flat_pool, options.recurrent)
        flat_pool = 1
    return builder.add_readout(last, classes, flat_pool)
