"""Registry of architectures: the recipe's table `[network]` chooses one by its `name`."""

import inspect
from collections.abc import Callable
from functools import partial

from torch import nn

from ...runtime.errors import NetworkError
from ..nn.network import SpikingNetwork
from ..nn.projections import Shape
from ..user_code import check_code, load_attribute, wrap_errors
from .conv import ConvNet
from .layers import LayerNet
from .modules import has_layers, trace_network
from .options import CustomOptions, NetworkOptions
from .resnet19 import ResNet19
from .sew_resnet import SEWResNet18, SEWResNet34
from .slayer import SlayerNet
from .vgg import VGG

MODELS: dict[str, Callable[..., SpikingNetwork]] = {
    "conv": ConvNet,
    "layers": LayerNet,
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

    The code of a "custom" network is executed.

    Raises:
        NetworkError: `input_shape` does not fit it, or the code of the network fails.
        FileError: The file of the code does not exist.
    """
    if isinstance(options, CustomOptions):
        network = build_own_network(options, input_shape, classes)
    else:
        settings = {name: getattr(options, name) for name in type(options).model_fields}
        network = MODELS[settings.pop("name")](input_shape, classes, **settings)
    network.value_bits = value_bits
    return network


def build_own_network(options: CustomOptions, input_shape: Shape, classes: int) -> SpikingNetwork:
    """Execute the code of a network of the user's and trace it; raises as `build_model`."""
    name = options.type
    if ":" not in name:
        raise NetworkError(
            f"network: class {name} is built by user code, not by a recipe; build it there and "
            "load the weights with load_state_dict"
        )
    check_code(name)
    found = load_attribute(name)
    if not (inspect.isclass(found) and issubclass(found, nn.Module)):
        raise NetworkError(f"{name}: is {type(found).__name__}, needs a class of torch.nn.Module")
    with wrap_errors(name):
        module = found(input_shape, classes, **options.options)
    if not has_layers(module):
        raise NetworkError(f"{name}: calls no layer of pumice.nn, so a run could not be read back")
    network = trace_network(module, input_shape)
    (outputs,) = network.layer_shapes()[-1]
    if outputs != classes:
        raise NetworkError(f"{name}: its read-out has {outputs} classes, the data {classes}")
    return network
