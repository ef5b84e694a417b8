"""Registry of architectures: the recipe's table `[network]` chooses one by its `name`."""

from collections.abc import Callable
from functools import partial

from ...runtime.errors import NetworkError
from ..nn.network import SpikingNetwork
from ..nn.projections import Shape
from .conv import ConvNet
from .options import CustomOptions, NetworkOptions
from .resnet19 import ResNet19
from .sew_resnet import SEWResNet18, SEWResNet34
from .slayer import SlayerNet
from .vgg import VGG

MODELS: dict[str, Callable[..., SpikingNetwork]] = {
    "conv": ConvNet,
    "vggsnn": partial(VGG, name="vggsnn"),
    "vgg9": partial(VGG, name="vgg9"),
    "resnet19": ResNet19,
    "sew_resnet18": SEWResNet18,
    "sew_resnet34": SEWResNet34,
    "slayer": SlayerNet,
}


def build_model(
    options: NetworkOptions, input_shape: Shape, classes: int, value_bits: int = 1
) -> SpikingNetwork:
    """Build the untrained network of `options`, weights drawn from torch's global generator.

    Raises:
        NetworkError: `input_shape` does not fit it, or user code must build it ("custom").
    """
    settings = {name: getattr(options, name) for name in type(options).model_fields}
    name = settings.pop("name")
    if isinstance(options, CustomOptions):
        raise NetworkError(
            f"network: class {options.type} is built by user code, not by a recipe; build it there "
            "and load the weights with load_state_dict"
        )
    network = MODELS[name](input_shape, classes, **settings)
    network.value_bits = value_bits
    return network
