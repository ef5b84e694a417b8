"""Spiking layers as torch modules (`pumice.nn`), for networks of one's own.

A module whose `forward` calls these layers, and adds their outputs with `+`, is a network that
trains, quantizes and converts as a shipped architecture does:

    class Residual(torch.nn.Module):
        def __init__(self, input_shape, classes, width=16):
            super().__init__()
            self.stem = pm.nn.Conv(input_shape[0], width, stride=2)
            self.block = pm.nn.Conv(width, width, recurrent=True, shortcuts=1)
            self.readout = pm.nn.Readout(width, classes, pool=0)

        def forward(self, events):
            x = self.stem(events)
            return self.readout(self.block(x, x))

`trace_network` runs `forward` once on a symbolic signal, which records the graph. Each layer is one
population and is called once; the sum of outputs is read by the layer that follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ...runtime.config import validate
from ...runtime.errors import NetworkError, RecipeError
from ..nn.external import ExternalModel
from ..nn.layers import SpikingLayer
from ..nn.network import INPUT, SpikingNetwork
from ..nn.projections import InputSpec, Pair, Projection, Shape, sum_pool
from ..nn.recurrent import RecurrentLayer
from ..nn.spike_logic import Gate
from .builder import check_sizes
from .layer_factory import make_conv, make_dense, make_gate, make_readout
from .layer_options import (
    ConvLayerOptions,
    DenseLayerOptions,
    IandLayerOptions,
    Layer,
    LayersOptions,
    MaxPoolLayerOptions,
    OrLayerOptions,
    ReadoutLayerOptions,
    SpikingLayerOptions,
)
from .layer_shapes import output_shape, pool_window
from .neuron_options import OF_NETWORK, NeuronOptions


@dataclass(frozen=True)
class Signal:
    """Symbolic output of layers, or the sum of several, while a module is traced."""

    trace: "_Trace"
    sources: tuple[str, ...]
    shape: Shape

    def __add__(self, other: Any) -> "Signal":
        if not isinstance(other, Signal):
            raise NetworkError("adds a value that is no output of a layer")
        if other.shape != self.shape:
            raise NetworkError(f"adds outputs of shape {self.shape} and {other.shape}")
        twice = set(self.sources) & set(other.sources)
        if twice:
            raise NetworkError(f"adds the output of {twice.pop()} twice")
        return Signal(self.trace, self.sources + other.sources, self.shape)


@dataclass
class _Trace:
    """Layers recorded so far: options with names and sources, torch layers, and shapes."""

    names: Mapping[int, str]
    shapes: dict[str, Shape]
    options: list[Layer] = field(default_factory=list)
    layers: list[SpikingLayer | Gate] = field(default_factory=list)

    def add(self, module: "SpikingModule", inputs: Sequence[Signal]) -> Signal:
        """Record a call of `module`; raises `NetworkError`."""
        name = self.names.get(id(module), "")
        if not name:
            raise NetworkError(f"{type(module).__name__}: is no submodule; assign it to self")
        if name in self.shapes:
            raise NetworkError(
                f"{name}: is called twice, or named as the input; each layer is one population"
            )
        if not all(isinstance(each, Signal) for each in inputs):
            raise NetworkError(f"{name}: is given a value that is no output of a layer")
        layer = module.connect(name, inputs)
        shape = output_shape(layer, self.shapes, module.classes)
        window = pool_window(inputs[0].shape, getattr(layer, "pool", 1))
        module.check_inputs(name, inputs[0].shape, window)
        _place(module.layer, layer, window)
        self.options.append(layer)
        self.layers.append(module.layer)
        self.shapes[name] = shape
        return Signal(self, (name,), shape)


def _place(torch_layer: SpikingLayer | Gate, layer: Layer, window: Pair) -> None:
    """Give a torch layer its name and its sources."""
    torch_layer.name = layer.name
    if isinstance(torch_layer, Gate):
        torch_layer.sources = layer.sources
        return
    main, *shortcuts = (p for p in torch_layer.projections if isinstance(p, Projection))
    main.input_spec = InputSpec(layer.sources, window)
    for projection, source in zip(shortcuts, getattr(layer, "shortcuts", ()), strict=True):
        projection.input_spec = InputSpec((source,))
    if isinstance(torch_layer, RecurrentLayer):
        torch_layer.recurrent.input_spec = InputSpec((layer.name,))


class SpikingModule(nn.Module):
    """A layer of a network of one's own.

    Called with tensors (timesteps, batch, *shape), it computes; with a `Signal`, it is recorded.

    Attributes:
        options: Options of the layer.
        layer: The spiking layer or gate.
        inputs: Channels or neurons that it reads after pooling; None where any will do.
        classes: Number of classes of a read-out.
    """

    def __init__(
        self, options: Layer, layer: SpikingLayer | Gate, inputs: int | None, classes: int = 1
    ):
        super().__init__()
        self.options, self.layer, self.inputs, self.classes = options, layer, inputs, classes

    def forward(self, *inputs: Any) -> Any:
        """Spikes (timesteps, batch, *shape) of the input and of the shortcuts; or a `Signal`."""
        signal = next((each for each in inputs if isinstance(each, Signal)), None)
        if signal is not None:
            return signal.trace.add(self, inputs)
        first, *others = inputs
        window = pool_window(tuple(first.shape[2:]), getattr(self.options, "pool", 1))
        pooled = first if window == (1, 1) else sum_pool(first, window)
        self._set_window(window)
        return self.layer(pooled, *others)

    def connect(self, name: str, inputs: Sequence[Signal]) -> Layer:
        """Options of the layer with its name and the sources of `inputs`."""
        first, *others = inputs
        shortcuts = getattr(self.options, "shortcuts", ())
        if isinstance(self.options, OrLayerOptions | IandLayerOptions | MaxPoolLayerOptions):
            sources, expected = tuple(s for each in inputs for s in each.sources), len(inputs)
            update: dict[str, Any] = {"name": name, "sources": sources}
            if self.options.inputs != len(sources):
                raise NetworkError(
                    f"{name}: reads the spikes of {self.options.inputs} layers, but gets those of "
                    f"{len(sources)}"
                )
        else:
            expected = 1 + len(shortcuts)
            update = {"name": name, "sources": first.sources}
            if shortcuts:
                update["shortcuts"] = tuple(s for each in others for s in each.sources)
        if len(inputs) != expected or any(len(each.sources) > 1 for each in others):
            raise NetworkError(
                f"{name}: takes {expected} inputs, an output of a layer each but the first, which "
                "may be a sum"
            )
        return self.options.model_copy(update=update)

    def check_inputs(self, name: str, shape: Shape, window: Pair) -> None:
        """Raise `NetworkError` where the layer was created for another number of inputs."""
        if self.inputs is None:
            return
        found = shape[0]
        if not isinstance(self.options, ConvLayerOptions):
            for size, width in zip(shape[1:], window, strict=False):
                found *= size // width
        if found != self.inputs:
            raise NetworkError(f"{name}: was created for {self.inputs} inputs, but gets {found}")

    def _set_window(self, window: Pair) -> None:
        """Set the divisor of average pooling, which is part of the weights."""
        if isinstance(self.layer, SpikingLayer):
            main = self.layer.projection_list[0]
            main.input_spec = InputSpec(main.input_spec.sources, window)


def _spiking_options(
    kind: type[SpikingLayerOptions],
    settings: dict[str, Any],
    neuron: NeuronOptions | None,
    shortcuts: int,
) -> Any:
    neurons = {} if neuron is None else neuron.model_dump(exclude={*OF_NETWORK})
    if neuron is not None and neuron.kind == "sigma_delta":
        raise RecipeError("pumice.nn: has no sigma_delta layers; use pumice.models.LayerNet")
    names = tuple(f"shortcut{k}" for k in range(shortcuts))
    return validate(kind, {**neurons, **settings, "shortcuts": names}, "pumice.nn")


class Conv(SpikingModule):
    """A convolution with spiking neurons.

    Args:
        in_channels: Channels of its input.
        channels: Output channels.
        neuron: Neurons of the layer.
        shortcuts: Number of shortcuts: further inputs of the shape of its output, whose spikes are
            added to the current of its neurons.
        **options: Other fields of `ConvLayerOptions`: `kernel`, `stride`, `padding`, `dilation`,
            `groups`, `pool`, `delays`, `recurrent`, `dropout`, `norm`, `learn`, ...

    Raises:
        RecipeError: An option is unknown or out of range.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        neuron: NeuronOptions | None = None,
        shortcuts: int = 0,
        **options: Any,
    ):
        settings = {"channels": channels, **options}
        chosen = _spiking_options(ConvLayerOptions, settings, neuron, shortcuts)
        layer = make_conv(chosen, in_channels, (1, 1), NeuronOptions())
        super().__init__(chosen, layer, in_channels)


class Dense(SpikingModule):
    """A dense layer of spiking neurons.

    Args:
        inputs: Neurons that it reads, after pooling.
        neurons: Number of neurons.
        neuron: Neurons of the layer.
        shortcuts: Number of shortcuts, see `Conv`.
        **options: Other fields of `DenseLayerOptions`: `pool`, `delays`, `recurrent`, ...

    Raises:
        RecipeError: An option is unknown or out of range.
    """

    def __init__(
        self,
        inputs: int,
        neurons: int,
        *,
        neuron: NeuronOptions | None = None,
        shortcuts: int = 0,
        **options: Any,
    ):
        settings = {"neurons": neurons, **options}
        chosen = _spiking_options(DenseLayerOptions, settings, neuron, shortcuts)
        layer = make_dense(chosen, inputs, (1, 1), NeuronOptions())
        super().__init__(chosen, layer, inputs)


class MaxPool(SpikingModule):
    """Max pooling of spikes: a neuron fires where any neuron of its window does.

    `options` are the fields of `MaxPoolLayerOptions`: `kernel`, `stride`, `padding`.
    """

    def __init__(self, kernel: int | Pair = 2, **options: Any):
        chosen = validate(MaxPoolLayerOptions, {"kernel": kernel, **options}, "pumice.nn")
        gate = chosen.model_copy(update={"sources": (INPUT,)})
        super().__init__(chosen, make_gate(gate), None)


class Or(SpikingModule):
    """Logic OR of the spikes of two layers."""

    def __init__(self) -> None:
        chosen = OrLayerOptions()
        super().__init__(chosen, make_gate(_with_two_sources(chosen)), None)


class Iand(SpikingModule):
    """Spikes of the second of two layers where the first has none (SEW-ResNet's IAND)."""

    def __init__(self) -> None:
        chosen = IandLayerOptions()
        super().__init__(chosen, make_gate(_with_two_sources(chosen)), None)


def _with_two_sources(options: Any) -> Any:
    return options.model_copy(update={"sources": ("first", "second")})


class Readout(SpikingModule):
    """The read-out, the last layer: integrators that do not spike, one for each class.

    Args:
        inputs: Neurons that it reads, after pooling.
        classes: Number of classes.
        **options: Other fields of `ReadoutLayerOptions`: `pool`, `delays`, `voltage_decay`,
            `weight_bits`.

    Raises:
        RecipeError: An option is unknown or out of range.
    """

    def __init__(self, inputs: int, classes: int, **options: Any):
        chosen = validate(ReadoutLayerOptions, options, "pumice.nn")
        layer = make_readout(chosen, inputs, (1, 1), NeuronOptions(), classes)
        super().__init__(chosen, layer, inputs, classes)

    def forward(self, *inputs: Any) -> Any:
        """Logits (timesteps, batch, classes), what each step adds to the voltage."""
        voltages = super().forward(*inputs)
        if isinstance(voltages, Signal):
            return voltages
        return torch.diff(voltages, dim=0, prepend=torch.zeros_like(voltages[:1]))


def has_layers(module: nn.Module) -> bool:
    """True where `module` contains layers of `pumice.nn`."""
    return any(isinstance(each, SpikingModule) for each in module.modules())


def trace_network(module: nn.Module, input_shape: Sequence[int]) -> SpikingNetwork:
    """Spiking network of a module that calls layers of `pumice.nn`; they share their weights.

    Args:
        module: The module; its `forward` takes events and returns the output of a `Readout`.
        input_shape: (channels, height, width), or (neurons,).

    Raises:
        NetworkError: `forward` does something else, or a layer does not fit what it reads.
    """
    who = type(module).__name__
    shape = check_sizes(who, input_shape, 1)
    names = {id(m): n for n, m in module.named_modules() if isinstance(m, SpikingModule)}
    trace = _Trace(names, {INPUT: shape})
    try:
        result = module(Signal(trace, (INPUT,), shape))
    except NetworkError as error:
        raise NetworkError(f"{who}: {error}") from None
    except (TypeError, AttributeError, ValueError, IndexError, RuntimeError) as error:
        raise NetworkError(
            f"{who}: forward may call layers of pumice.nn and add their outputs, nothing else "
            f"({str(error).splitlines()[0]})"
        ) from error
    last = trace.options[-1] if trace.options else None
    if not (isinstance(result, Signal) and isinstance(last, ReadoutLayerOptions)):
        raise NetworkError(f"{who}: forward does not end with the output of a pumice.nn.Readout")
    options = validate(LayersOptions, {"layers": trace.options}, who)
    return SpikingNetwork(trace.layers, shape, options=options)


def as_network(module: nn.Module, input_shape: Sequence[int]) -> SpikingNetwork:
    """Network of any torch module: itself, its layers of `pumice.nn`, or another library's.

    Raises `NetworkError` where it has layers of `pumice.nn`, but cannot be traced.
    """
    if isinstance(module, SpikingNetwork):
        return module
    if has_layers(module):
        return trace_network(module, input_shape)
    return ExternalModel(module, tuple(input_shape))
