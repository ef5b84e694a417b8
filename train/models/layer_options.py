"""Options of a network given as a list of layers, `[[network.layers]]`. Imports no torch.

Shapes are (channels, height, width) or (neurons,), as those of populations.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from ...runtime.config import Options
from ...runtime.errors import NetworkError
from ...runtime.population import NAME_PATTERN
from ...runtime.projection import MAX_DELAY
from .neuron_options import (
    OF_ADAPTATION,
    OF_NETWORK,
    OF_SPIKES,
    LearnedParameter,
    NeuronOptions,
    Reset,
    Surrogate,
)

OWN_OPTIONS = [name for name in NeuronOptions.model_fields if name not in OF_NETWORK]
INPUT = "input"  # name of the input population
Shape = tuple[int, ...]
Size = Annotated[int, Field(ge=1)]
Extent = Annotated[int, Field(ge=0)]
Pair = tuple[int, int]
SizePair = Size | tuple[Size, Size]
ExtentPair = Extent | tuple[Extent, Extent]
Delay = Annotated[int, Field(ge=0, le=MAX_DELAY)]


def as_pair(value: int | Pair) -> Pair:
    """(vertical, horizontal) of one number for both, or of a pair."""
    return (value, value) if isinstance(value, int) else value


class LayerOptions(Options):
    """A layer.

    - `kind`: kind of the layer.
    - `name`: name of the layer, and of its population once converted; by default its kind and its
      number.
    - `sources`: names of the layers that it reads, "input" for the data; by default the layer
      before it. The spikes of several sources, of one shape, are summed.
    """

    inputs: ClassVar[int | None] = None  # number of sources, where it is fixed

    name: str = ""
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_name(self) -> "LayerOptions":
        if self.name and (not NAME_PATTERN.match(self.name) or self.name == INPUT):
            raise ValueError(
                f'name is {self.name!r}; a name is letters, digits, _ . and -, and not "input"'
            )
        if self.inputs is not None and self.sources and len(self.sources) != self.inputs:
            raise ValueError(f"reads {self.inputs} layers, but sources has {len(self.sources)}")
        return self


class WeightedLayerOptions(LayerOptions):
    """A layer with weights.

    - `pool`: average pooling of what it reads, over windows of this size, one number or [vertical,
      horizontal]; 0 pools globally.
    - `delays`: delays of its synapses in timesteps: one set of weights for each, a convolution
      across steps.
    """

    pool: ExtentPair = 1
    delays: tuple[Delay, ...] = Field(default=(0,), min_length=1)

    @model_validator(mode="after")
    def _check_delays(self) -> "WeightedLayerOptions":
        if len({*self.delays}) < len(self.delays):
            raise ValueError(f"delays are {list(self.delays)}; needs different ones")
        if isinstance(self.pool, tuple) and 0 in self.pool:
            raise ValueError("pool = 0 is global; give it as one number")
        return self


class SpikingLayerOptions(WeightedLayerOptions):
    """A layer of spiking neurons; what it does not set is taken from table `network.neuron`.

    - `shortcuts`: names of layers of its own shape whose spikes are added to the current of its
      neurons, each to the neuron in its place, with weight 1.
    - `recurrent`: add synapses among its own neurons, with a delay of one step.
    - `norm`: batch norm of the input current.
    - `dropout`: fraction of the neurons silenced in training, drawn for each sample and the same at
      all steps; none in quantization-aware epochs.
    - `current_decay`: fraction of the synaptic current lost per step.
    - `voltage_decay`: fraction of the voltage lost per step.
    - `threshold`: voltage at which a neuron spikes.
    - `surrogate`: surrogate derivative of the spike.
    - `reset`: what a spike does to the voltage: zero sets it to zero, subtract subtracts the
      threshold (a soft reset), adaptive keeps it and raises the threshold (ALIF).
    - `threshold_step`: raise of an adaptive threshold by a spike, as a fraction of the threshold.
    - `threshold_decay`: fraction of the raise lost per step.
    - `refractory_decay`: fraction of the refractory value lost per step.
    - `learn`: parameters that are learned, one value for the layer, from these as initial values.
    - `weight_bits`: bits of quantized weights.
    """

    shortcuts: tuple[str, ...] = ()
    recurrent: bool = False
    norm: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    current_decay: float | None = Field(default=None, ge=0, le=1)
    voltage_decay: float | None = Field(default=None, ge=0, le=1)
    threshold: float | None = Field(default=None, gt=0)
    surrogate: Surrogate | None = None
    reset: Reset | None = None
    threshold_step: float | None = Field(default=None, ge=0, le=1)
    threshold_decay: float | None = Field(default=None, ge=0, le=1)
    refractory_decay: float | None = Field(default=None, ge=0, le=1)
    learn: tuple[LearnedParameter, ...] | None = None
    weight_bits: int | None = Field(default=None, ge=4, le=8)

    def resolve_neuron(self, base: NeuronOptions) -> NeuronOptions:
        """Neuron options of the layer: its own, else those of `base`."""
        own = {name: getattr(self, name) for name in OWN_OPTIONS}
        changes = {k: v for k, v in own.items() if v is not None}
        resolved = base.model_copy(update=changes)
        if resolved.reset != "adaptive" and base.reset == "adaptive":
            changes |= {name: NeuronOptions.model_fields[name].default for name in OF_ADAPTATION}
        return NeuronOptions(**{**base.model_dump(), **changes})


class ConvLayerOptions(SpikingLayerOptions):
    """A two-dimensional convolution.

    - `channels`: output channels.
    - `kernel`: size of the kernel, one number or [vertical, horizontal] as all sizes.
    - `stride`: stride.
    - `padding`: zero padding; by default half of the (dilated) kernel.
    - `dilation`: dilation of the kernel.
    - `groups`: groups of channels, each convolved by itself.
    - `recurrent_kernel`: size of the kernel of recurrent synapses, odd.
    """

    kind: Literal["conv"] = "conv"
    channels: Size
    kernel: SizePair = 3
    stride: SizePair = 1
    padding: ExtentPair | None = None
    dilation: SizePair = 1
    groups: Size = 1
    recurrent_kernel: Size = 3

    @model_validator(mode="after")
    def _check_kernel(self) -> "ConvLayerOptions":
        if self.channels % self.groups:
            raise ValueError(f"groups = {self.groups} does not divide channels = {self.channels}")
        if self.recurrent_kernel % 2 == 0:
            raise ValueError(f"recurrent_kernel is {self.recurrent_kernel}, needs an odd number")
        return self


class Conv1dLayerOptions(SpikingLayerOptions):
    """A one-dimensional convolution, along the axis of the images that is longer than one pixel.

    Time series and spectra are such images; a convolution across steps is `delays`.

    - `channels`: output channels.
    - `kernel`: size of the kernel.
    - `stride`: stride.
    - `padding`: zero padding; by default half of the (dilated) kernel.
    - `dilation`: dilation of the kernel.
    - `groups`: groups of channels, each convolved by itself.
    - `recurrent_kernel`: size of the kernel of recurrent synapses, odd.
    """

    kind: Literal["conv1d"] = "conv1d"
    channels: Size
    kernel: Size = 3
    stride: Size = 1
    padding: Extent | None = None
    dilation: Size = 1
    groups: Size = 1
    recurrent_kernel: Size = 3

    def along(self, name: str, shape: Shape) -> ConvLayerOptions:
        """The convolution along the long axis of images of `shape`; raises `NetworkError`."""
        if len(shape) != 3 or min(shape[1:]) != 1:
            raise NetworkError(
                f"{name}: takes (channels, 1, width) or (channels, height, 1), but gets {shape}; "
                'use kind = "conv"'
            )
        vertical = shape[1] > 1

        def place(value: int, other: int) -> Pair:
            return (value, other) if vertical else (other, value)

        padding = self.dilation * (self.kernel - 1) // 2 if self.padding is None else self.padding
        values = {key: getattr(self, key) for key in type(self).model_fields if key != "kind"}
        return ConvLayerOptions(
            **values
            | {
                "kernel": place(self.kernel, 1),
                "stride": place(self.stride, 1),
                "padding": place(padding, 0),
                "dilation": place(self.dilation, 1),
            }
        )


class DenseLayerOptions(SpikingLayerOptions):
    """A dense layer.

    - `neurons`: number of neurons.
    """

    kind: Literal["dense"] = "dense"
    neurons: Size


class MaxPoolLayerOptions(LayerOptions):
    """Max pooling of the spikes of one layer: a neuron fires where any neuron of its window does.

    - `kernel`: size of the window, one number or [vertical, horizontal].
    - `stride`: stride; by default the size of the window.
    - `padding`: zero padding.
    """

    inputs: ClassVar[int | None] = 1

    kind: Literal["max_pool"] = "max_pool"
    kernel: SizePair = 2
    stride: SizePair | None = None
    padding: ExtentPair = 0


class OrLayerOptions(LayerOptions):
    """Logic OR of the spikes of two layers of one shape."""

    inputs: ClassVar[int | None] = 2

    kind: Literal["or"] = "or"


class IandLayerOptions(LayerOptions):
    """Spikes of the second of two layers where the first has none (IAND of SEW-ResNet)."""

    inputs: ClassVar[int | None] = 2

    kind: Literal["iand"] = "iand"


class ReadoutLayerOptions(WeightedLayerOptions):
    """The read-out, the last layer: integrators, one for each class, that do not spike.

    - `voltage_decay`: leak, the fraction of the voltage lost per step.
    - `weight_bits`: bits of quantized weights; by default those of table `network.neuron`.
    """

    kind: Literal["readout"] = "readout"
    voltage_decay: float = Field(default=0.0, ge=0, lt=1)
    weight_bits: int | None = Field(default=None, ge=4, le=8)


Layer = Annotated[
    Annotated[ConvLayerOptions, Tag("conv")]
    | Annotated[Conv1dLayerOptions, Tag("conv1d")]
    | Annotated[DenseLayerOptions, Tag("dense")]
    | Annotated[MaxPoolLayerOptions, Tag("max_pool")]
    | Annotated[OrLayerOptions, Tag("or")]
    | Annotated[IandLayerOptions, Tag("iand")]
    | Annotated[ReadoutLayerOptions, Tag("readout")],
    Discriminator("kind"),
]
READOUT_NAME = "output"


class LayersOptions(Options):
    """A network given as a list of layers, `[[network.layers]]`.

    - `name`: architecture.
    - `layers`: the layers, each after those that it reads; a read-out is added where the list ends
      without one.
    - `neuron`: neuron model of layers that do not set their own.
    """

    name: Literal["layers"] = "layers"
    layers: tuple[Layer, ...] = Field(
        default=(
            ConvLayerOptions(channels=16, stride=2),
            ConvLayerOptions(channels=32, stride=2),
            DenseLayerOptions(neurons=128),
        ),
        min_length=1,
    )
    neuron: NeuronOptions = NeuronOptions()

    @model_validator(mode="after")
    def _check_layers(self) -> "LayersOptions":
        layers = resolve_layers(self.layers)
        for layer in layers:
            if isinstance(layer, SpikingLayerOptions) and self.neuron.kind == "cuba":
                _check_neuron(layer, self.neuron)
        if self.neuron.kind == "sigma_delta":
            for layer in layers:
                _check_sigma_delta(layer)
        return self


def _check_neuron(layer: SpikingLayerOptions, base: NeuronOptions) -> None:
    """Raise `ValueError` where the neurons of `layer` have options that contradict each other."""
    try:
        layer.resolve_neuron(base)
    except ValidationError as error:
        context = error.errors()[0].get("ctx", {})
        raise ValueError(f"{layer.name}: {context.get('error', error)}") from None


def _check_sigma_delta(layer: Layer) -> None:
    """Raise `ValueError` where `layer` has what sigma-delta networks lack."""
    name = layer.name
    if isinstance(layer, MaxPoolLayerOptions | OrLayerOptions | IandLayerOptions):
        raise ValueError(
            f"{name}: takes spikes, which sigma_delta neurons do not send; leave it out"
        )
    if len(layer.sources) > 1:
        raise ValueError(f"{name}: reads several sigma_delta layers; give others as its shortcuts")
    if isinstance(layer, ReadoutLayerOptions):
        if layer.voltage_decay:
            raise ValueError(f"{name}: adds up changes, so it cannot leak; leave out voltage_decay")
        return
    given = [key for key in OF_SPIKES if getattr(layer, key) is not None]
    given += ["recurrent"] if layer.recurrent else []
    if given or {*(layer.learn or ())} - {"threshold"}:
        option = given[0] if given else "learn"
        raise ValueError(f"{name}: {option} is of neurons that spike; leave it out of sigma_delta")


def resolve_layers(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Layers with their names and sources, and with a read-out at the end.

    Raises `ValueError` where a name is used twice, a source or shortcut is unknown or comes later,
    or a read-out is not the last layer.
    """
    every = [*layers]
    if not isinstance(every[-1], ReadoutLayerOptions):
        every.append(ReadoutLayerOptions())
    resolved: list[Layer] = []
    known = [INPUT]
    for number, layer in enumerate(every, 1):
        last = number == len(every)
        default = READOUT_NAME if last else f"{layer.kind}{number}"
        name = layer.name or default
        sources = layer.sources or (known[-1],)
        if isinstance(layer, ReadoutLayerOptions) and not last:
            raise ValueError(f"{name}: a read-out is the last layer")
        read = (*sources, *getattr(layer, "shortcuts", ()))
        for source in read:
            if source not in known:
                raise ValueError(
                    f"{name}: reads {source!r}, which is no layer before it; there are "
                    f"{', '.join(known)}"
                )
        doubled = [source for source, count in Counter(sources).items() if count > 1]
        if doubled or name in known:
            raise ValueError(f"{doubled[0] if doubled else name}: is named twice; name it once")
        if layer.inputs is not None and len(sources) != layer.inputs:
            raise ValueError(
                f"{name}: reads the spikes of {layer.inputs} layers, but sources has {len(sources)}"
            )
        resolved.append(layer.model_copy(update={"name": name, "sources": sources}))
        known.append(name)
    return tuple(resolved)
