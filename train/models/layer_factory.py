"""Torch layers of the options of a list of layers (`layer_options`)."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from ..nn.layers import SpikingLayer
from ..nn.neuron import NeuronConfig
from ..nn.projections import InputSpec, Linear, Pair, Projection
from ..nn.recurrent import RecurrentLayer
from ..nn.sigma_delta import SigmaDeltaLayer, SigmaReadout
from ..nn.spike_logic import Gate
from .builder import READOUT
from .layer_options import (
    Conv1dLayerOptions,
    ConvLayerOptions,
    DenseLayerOptions,
    IandLayerOptions,
    Layer,
    MaxPoolLayerOptions,
    OrLayerOptions,
    ReadoutLayerOptions,
    Shape,
    SpikingLayerOptions,
    as_pair,
)
from .layer_shapes import conv_padding, count_inputs, pool_window, pooled_shape
from .neuron_options import NeuronOptions


def make_layer(
    layer: Layer, shape: Shape, neuron: NeuronOptions, classes: int
) -> SpikingLayer | Gate:
    """Create a resolved `layer` whose sources have `shape`.

    `neuron` are the neurons of layers that do not set their own. Weights are drawn from torch's
    global generator.
    """
    if isinstance(layer, MaxPoolLayerOptions | OrLayerOptions | IandLayerOptions):
        return make_gate(layer)
    pooled = pooled_shape(layer.name, shape, layer.pool)
    window = pool_window(shape, layer.pool)
    if isinstance(layer, ReadoutLayerOptions):
        return make_readout(layer, count_inputs(pooled), window, neuron, classes)
    if isinstance(layer, DenseLayerOptions):
        return make_dense(layer, count_inputs(pooled), window, neuron)
    conv = layer.along(layer.name, pooled) if isinstance(layer, Conv1dLayerOptions) else layer
    return make_conv(conv, pooled[0], window, neuron)


def make_conv(
    layer: ConvLayerOptions, channels: int, window: Pair, neuron: NeuronOptions
) -> SpikingLayer:
    """Create a convolution of `channels` input channels, pooled over `window` before."""
    linear = nn.Conv2d(
        channels * len(layer.delays),
        layer.channels,
        as_pair(layer.kernel),
        as_pair(layer.stride),
        conv_padding(layer),
        as_pair(layer.dilation),
        layer.groups,
        bias=not layer.norm,
    )
    norm = nn.BatchNorm2d(layer.channels) if layer.norm else None
    size = layer.recurrent_kernel
    loop = (
        nn.Conv2d(layer.channels, layer.channels, size, padding=size // 2, bias=False)
        if layer.recurrent
        else None
    )
    return _make_spiking(layer, linear, norm, loop, window, neuron)


def make_dense(
    layer: DenseLayerOptions, inputs: int, window: Pair, neuron: NeuronOptions
) -> SpikingLayer:
    """Create a dense layer of `inputs` neurons, pooled over `window` before."""
    linear = nn.Linear(inputs * len(layer.delays), layer.neurons, bias=not layer.norm)
    norm = nn.BatchNorm1d(layer.neurons) if layer.norm else None
    loop = nn.Linear(layer.neurons, layer.neurons, bias=False) if layer.recurrent else None
    return _make_spiking(layer, linear, norm, loop, window, neuron)


def make_readout(
    layer: ReadoutLayerOptions, inputs: int, window: Pair, neuron: NeuronOptions, classes: int
) -> SpikingLayer:
    """Create the integrating read-out of `inputs` neurons, pooled over `window` before."""
    linear = nn.Linear(inputs * len(layer.delays), classes, bias=neuron.kind == "cuba")
    projection = Projection(InputSpec(layer.sources, window), linear, delays=layer.delays)
    bits = layer.weight_bits or neuron.weight_bits
    if neuron.kind == "sigma_delta":
        return SigmaReadout(layer.name, [projection], weight_bits=bits)
    leak = NeuronOptions(voltage_decay=layer.voltage_decay).config.voltage_decay
    config = NeuronConfig(READOUT.current_decay, leak, spiking=False)
    return SpikingLayer(layer.name, [projection], config, weight_bits=bits)


def make_gate(layer: MaxPoolLayerOptions | OrLayerOptions | IandLayerOptions) -> Gate:
    """Create a logic gate on spikes."""
    if isinstance(layer, MaxPoolLayerOptions):
        stride = layer.kernel if layer.stride is None else layer.stride
        geometry = as_pair(layer.kernel), as_pair(stride), as_pair(layer.padding)
        return Gate(layer.name, "max", layer.sources, *geometry)
    return Gate(layer.name, layer.kind, layer.sources)


def _make_spiking(
    layer: SpikingLayerOptions,
    linear: Linear,
    norm: nn.Module | None,
    loop: Linear | None,
    window: Pair,
    base: NeuronOptions,
) -> SpikingLayer:
    main = Projection(InputSpec(layer.sources, window), linear, norm, delays=layer.delays)
    projections: Sequence[Projection] = [
        main,
        *(Projection(InputSpec((name,))) for name in layer.shortcuts),
    ]
    neuron = layer.resolve_neuron(base)
    if neuron.kind == "sigma_delta":
        return SigmaDeltaLayer(
            layer.name,
            projections,
            neuron.threshold,
            neuron.weight_bits,
            neuron.learn,
            layer.dropout,
        )
    settings: Any = (
        neuron.config, neuron.threshold, neuron.weight_bits, neuron.learn, layer.dropout
    )  # fmt: skip
    if loop is not None:
        return RecurrentLayer(layer.name, projections, loop, *settings)
    return SpikingLayer(layer.name, projections, *settings)
