"""The families of networks, and how a recipe's table `[network]` chooses one by its `name`."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from ..networks import SpikingNetwork
from ..projections import Shape
from .conv import ConvOptions, conv_net
from .resnet19 import Resnet19Options, resnet19
from .sew_resnet import MsResnetOptions, SewResnetOptions, sew_resnet
from .slayer import SlayerOptions, slayer_net
from .vgg import VggOptions, vgg

FAMILIES: dict[type, Callable[[Any, Shape, int, int], SpikingNetwork]] = {
    ConvOptions: conv_net,
    Resnet19Options: resnet19,
    SewResnetOptions: sew_resnet,
    SlayerOptions: slayer_net,
    VggOptions: vgg,
}


def _name(table: Any) -> Any:
    return table.get("name", "conv") if isinstance(table, dict) else table.name


NetworkOptions = Annotated[
    Annotated[ConvOptions, Tag("conv")]
    | Annotated[VggOptions, Tag("vggsnn")]
    | Annotated[VggOptions, Tag("vgg9")]
    | Annotated[Resnet19Options, Tag("resnet19")]
    | Annotated[SewResnetOptions, Tag("sew_resnet18")]
    | Annotated[SewResnetOptions, Tag("sew_resnet34")]
    | Annotated[MsResnetOptions, Tag("ms_resnet18")]
    | Annotated[MsResnetOptions, Tag("ms_resnet34")]
    | Annotated[SlayerOptions, Tag("slayer")],
    Discriminator(_name),
]


def network_of(
    options: NetworkOptions, input_shape: Shape, classes: int, value_bits: int
) -> SpikingNetwork:
    """Return the untrained network of `options`, its weights from torch's global generator.

    Raises `NetworkError` where `input_shape` does not fit it.
    """
    return FAMILIES[type(options)](options, input_shape, classes, value_bits)
