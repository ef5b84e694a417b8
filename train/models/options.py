"""Options of the architectures: table `[network]` of a recipe. Imports no torch."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from ...runtime.config import Options
from ...runtime.errors import RecipeError
from ...runtime.suggest import suggest
from .layer_options import LayersOptions
from .neuron_options import NeuronOptions as NeuronOptions

Size = Annotated[int, Field(ge=1)]
Sizes = Size | tuple[Size, ...]
Variant = Literal["vggsnn", "vgg9"]
Pooling = Literal["average", "max"]
Connect = Literal["add", "iand", "or"]
Stem = Literal["small", "large"]
StemPooling = Literal["max", "average", "none"]


def per_layer(name: str, values: Sizes, channels: tuple[int, ...]) -> tuple[int, ...]:
    """Return one entry of `values` for each convolution; raises `ValueError`."""
    if isinstance(values, int):
        return (values,) * len(channels)
    if len(values) != len(channels):
        raise ValueError(
            f"{name} has {len(values)} entries, but channels has {len(channels)}; give one number "
            "for all or one for each convolution"
        )
    return values


class ConvOptions(Options):
    """A small convolutional network: strided convolutions, dense layers, an integrating read-out.

    - `name`: architecture.
    - `channels`: output channels of each convolution; empty for dense layers alone.
    - `kernels`: kernel size of all convolutions, or of each; padding is half of it.
    - `strides`: stride of all convolutions, or of each.
    - `hidden`: neurons of each dense layer.
    - `recurrent`: add recurrent synapses with a delay of one step to the dense layers.
    - `input_pool`: average pooling of the input, over squares of so many pixels a side.
    - `global_pool`: average the maps of the last convolution over all their pixels, as ResNets do.
    - `neuron`: neuron model of all layers.
    """

    name: Literal["conv"] = "conv"
    channels: tuple[Size, ...] = (16, 32)
    kernels: Sizes = 3
    strides: Sizes = 2
    hidden: tuple[Size, ...] = (128,)
    recurrent: bool = False
    input_pool: Size = 1
    global_pool: bool = False
    neuron: NeuronOptions = NeuronOptions()

    @model_validator(mode="after")
    def _check_sizes(self) -> "ConvOptions":
        per_layer("kernels", self.kernels, self.channels)
        per_layer("strides", self.strides, self.channels)
        if not self.channels and (self.input_pool > 1 or self.global_pool):
            raise ValueError("input_pool and global_pool need convolutions, but channels is empty")
        return self


class VGGOptions(Options):
    """A VGG network.

    - `name`: architecture.
    - `width`: channels of the first convolution.
    - `hidden`: neurons of the dense layer of `vgg9`.
    - `pool`: pooling over 2x2.
    - `neuron`: neuron model of all layers.
    """

    name: Variant
    width: int = Field(default=64, ge=1)
    hidden: int = Field(default=1024, ge=1)
    pool: Pooling = "average"
    neuron: NeuronOptions = NeuronOptions()


class ResNet19Options(Options):
    """A ResNet-19 with tdBN initialization.

    - `name`: architecture.
    - `width`: channels of the first stage, doubled at each.
    - `hidden`: neurons of the dense layer before the read-out.
    - `neuron`: neuron model of all layers.
    """

    name: Literal["resnet19"] = "resnet19"
    width: int = Field(default=128, ge=1)
    hidden: int = Field(default=256, ge=1)
    neuron: NeuronOptions = NeuronOptions()


class SEWResNetOptions(Options):
    """A SEW-ResNet.

    - `name`: architecture.
    - `width`: channels of the first stage, doubled at each.
    - `stages`: number of stages.
    - `connect`: element-wise function g of a block.
    - `stem`: "small" (3x3, stride 1, no pooling: images of 32 pixels) or "large" (7x7, stride 2,
      then `pool`).
    - `pool`: pooling after a large stem, "max" over 3x3, "average" over 2x2 or "none".
    - `neuron`: neuron model of all layers.
    """

    name: Literal["sew_resnet18", "sew_resnet34"]
    width: int = Field(default=64, ge=1)
    stages: int = Field(default=4, ge=1, le=4)
    connect: Connect = "add"
    stem: Stem = "small"
    pool: StemPooling = "max"
    neuron: NeuronOptions = NeuronOptions()


class MSResNetOptions(Options):
    """MS-ResNet (Hu et al., TNNLS 2024), which is not supported; choosing it gives the reason.

    - `name`: architecture.
    """

    model_config = ConfigDict(extra="ignore")

    name: Literal["ms_resnet18", "ms_resnet34"]

    @model_validator(mode="after")
    def _raise_unsupported(self) -> "MSResNetOptions":
        raise ValueError(
            "its shortcuts carry membrane currents, and where the shape changes a convolution "
            "takes these real numbers, which a chip cannot send; use sew_resnet18"
        )


class SlayerNeuronOptions(Options):
    """SLAYER's CUBA neurons.

    - `threshold`: voltage at which a neuron spikes.
    - `current_decay`: fraction of the synaptic current lost per step.
    - `voltage_decay`: fraction of the voltage lost per step.
    - `tau_grad`: width of the surrogate derivative, relative to the threshold.
    - `scale_grad`: scale of the surrogate derivative.
    """

    threshold: float = Field(default=1.25, gt=0, lt=64)
    current_decay: float = Field(default=0.25, ge=0, le=1)
    voltage_decay: float = Field(default=0.03, ge=0, le=1)
    tau_grad: float = Field(default=0.1, gt=0)
    scale_grad: float = Field(default=1.0, gt=0)


class SlayerOptions(Options):
    """SLAYER convolutions and dense layers, and an integrating read-out.

    - `name`: architecture.
    - `channels`: output channels of each convolution.
    - `kernels`: kernel size of all convolutions, or of each; padding is half of it.
    - `strides`: stride of all convolutions, or of each.
    - `hidden`: neurons of each dense layer.
    - `weight_scale`: factor on the initial weights that torch draws.
    - `neuron`: neuron model of all layers.
    """

    name: Literal["slayer"] = "slayer"
    channels: tuple[Size, ...] = (8, 16)
    kernels: Sizes = 3
    strides: Sizes = 2
    hidden: tuple[Size, ...] = (64,)
    weight_scale: float = Field(default=2.0, gt=0)
    neuron: SlayerNeuronOptions = SlayerNeuronOptions()

    @model_validator(mode="after")
    def _check_sizes(self) -> "SlayerOptions":
        per_layer("kernels", self.kernels, self.channels)
        per_layer("strides", self.strides, self.channels)
        return self


class CustomOptions(Options):
    """A network of one's own, a torch module that calls layers of `pumice.nn`.

    A run of a class that is no `FILE.py:CLASS` or `PACKAGE.MODULE:CLASS` is built by user code.

    - `name`: architecture.
    - `type`: the class, as "FILE.py:CLASS" (found beside the recipe too) or "PACKAGE.MODULE:CLASS";
      it is called with the shape of the input, the number of classes and `options`.
    - `options`: further arguments of the class, by name.
    """

    name: Literal["custom"] = "custom"
    type: str
    options: dict[str, Any] = {}


MODEL_OPTIONS: dict[str, type[Options]] = {
    "conv": ConvOptions,
    "layers": LayersOptions,
    "vggsnn": VGGOptions,
    "vgg9": VGGOptions,
    "resnet19": ResNet19Options,
    "sew_resnet18": SEWResNetOptions,
    "sew_resnet34": SEWResNetOptions,
    "slayer": SlayerOptions,
    "custom": CustomOptions,
}


# Values of required options, for descriptions of an architecture.
EXAMPLES: dict[str, dict[str, Any]] = {"custom": {"type": "network.py:Network"}}


def get_model_options(name: str) -> type[Options]:
    """Options of an architecture; raises `RecipeError` with the nearest known name."""
    if name not in MODEL_OPTIONS:
        raise RecipeError(f"no model {name!r}; {suggest(name, MODEL_OPTIONS)}")
    return MODEL_OPTIONS[name]


def _model_name(table: Any) -> Any:
    """Name of the architecture that a table chooses."""
    if not isinstance(table, dict):
        return getattr(table, "name", None)
    return table.get("name", "layers" if "layers" in table else "conv")


NetworkOptions = Annotated[
    Annotated[ConvOptions, Tag("conv")]
    | Annotated[LayersOptions, Tag("layers")]
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
