"""LayerNet (`layers`): a network given as a list of layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...runtime.config import validate
from ..nn.network import SpikingNetwork
from ..nn.projections import Shape
from .builder import Layers, check_sizes, complete_layers
from .layer_factory import make_layer
from .layer_options import LayersOptions, resolve_layers
from .layer_shapes import layer_shapes
from .neuron_options import NeuronOptions


class LayerNet(SpikingNetwork):
    """A network given as a list of layers: `[[network.layers]]` of a recipe.

    Convolutions of one or two dimensions, dense layers, max pooling and spike logic, each with its
    own neurons, delays, recurrent synapses, shortcuts and dropout, and an integrating read-out.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        layers: Sequence[Mapping[str, Any] | Any],
        neuron: NeuronOptions = NeuronOptions(),  # noqa: B008 (frozen)
    ):
        """Create the layers; weights are drawn from torch's global generator.

        Args:
            input_shape: (channels, height, width), or (neurons,).
            classes: Number of read-out neurons.
            layers: Options of each layer, as tables with its `kind` or as options of
                `models.layer_options`; each after those that it reads. A read-out is added where
                the list ends without one.
            neuron: Neurons of layers that do not set their own.

        Raises:
            RecipeError: An option is unknown, has a wrong type or is out of range.
            NetworkError: A layer does not fit its input.
        """
        settings = {"layers": layers, "neuron": neuron}
        options = validate(LayersOptions, settings, type(self).__name__)
        shape = check_sizes(type(self).__name__, input_shape, classes)
        super().__init__(_layers(options, shape, classes), shape, options=options)


def _layers(options: LayersOptions, input_shape: Shape, classes: int) -> Layers:
    shapes = layer_shapes(options, input_shape, classes)
    layers = [
        make_layer(layer, shapes[layer.sources[0]], options.neuron, classes)
        for layer in resolve_layers(options.layers)
    ]
    return complete_layers(layers, options.neuron)
