"""Registry of architectures: the recipe's table `[network]` chooses one by its `name`."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag

from ...runtime.errors import NetworkError
from ..nn.network import NeuronOptions as NeuronOptions
from ..nn.network import SpikingNetwork
from ..nn.projections import Shape
from .conv import ConvNet, ConvOptions
from .resnet19 import ResNet19, ResNet19Options
from .sew_resnet import MSResNetOptions, SEWResNet18, SEWResNet34, SEWResNetOptions
from .slayer import SlayerNet, SlayerOptions
from .vgg import VGG, VGGOptions

MODELS: dict[str, Callable[..., SpikingNetwork]] = {
    "conv": ConvNet,
    "vggsnn": partial(VGG, name="vggsnn"),
    "vgg9": partial(VGG, name="vgg9"),
    "resnet19": ResNet19,
    "sew_resnet18": SEWResNet18,
    "sew_resnet34": SEWResNet34,
    "slayer": SlayerNet,
}


class CustomOptions(BaseModel):
    """A network that user code builds; `type` is its class. A recipe alone cannot rebuild it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["custom"] = "custom"
    type: str


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
    | Annotated[SlayerOptions, Tag("slayer")]
    | Annotated[CustomOptions, Tag("custom")],
    Discriminator(_model_name),
]


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
