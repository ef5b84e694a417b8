"""The families of networks, and how a recipe's table `[network]` chooses one by its `name`."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from ..nn.network import SpikingNetwork
from ..nn.projections import Shape
from .conv import ConvOptions, conv_net
from .resnet19 import ResNet19Options, resnet19
from .sew_resnet import MSResNetOptions, SEWResNetOptions, sew_resnet
from .slayer import SlayerOptions, slayer_net
from .vgg import VGGOptions, vgg

MODEL_BUILDERS: dict[type, Callable[[Any, Shape, int, int], SpikingNetwork]] = {
    ConvOptions: conv_net,
    ResNet19Options: resnet19,
    SEWResNetOptions: sew_resnet,
    SlayerOptions: slayer_net,
    VGGOptions: vgg,
}


def _model_name(table: Any) -> Any:
    return table.get("name", "conv") if isinstance(table, dict) else table.name


NetworkOptions = Annotated[
    Annotated[ConvOptions, Tag("conv")]
    | Annotated[VGGOptions, Tag("vggsnn")]
    | Annotated[VGGOptions, Tag("vgg9")]
    | Annotated[ResNet19Options, Tag("resnet19")]
    | Annotated[SEWResNetOptions, Tag("sew_resnet18")]
    | Annotated[SEWResNetOptions, Tag("sew_resnet34")]
    | Annotated[MSResNetOptions, Tag("ms_resnet18")]
    | Annotated[MSResNetOptions, Tag("ms_resnet34")]
    | Annotated[SlayerOptions, Tag("slayer")],
    Discriminator(_model_name),
]


def build_model(
    options: NetworkOptions, input_shape: Shape, classes: int, value_bits: int
) -> SpikingNetwork:
    """Return the untrained network of `options`, its weights from torch's global generator.

    Raises `NetworkError` where `input_shape` does not fit it.
    """
    return MODEL_BUILDERS[type(options)](options, input_shape, classes, value_bits)
