"""Layers of torch and of libraries like it, known by the names of their classes.

No library is imported: a layer is what its class is called, and its attributes say the rest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import LayerDiagnostic, UnsupportedLayerError
from ..quantize.linear_ops import (
    AffineOp,
    ConvOp,
    FlattenOp,
    Float64Array,
    LinearOp,
    Op,
    Pair,
    PoolOp,
)
from ..quantize.neuron_params import NeuronParams

CONTAINERS = (
    "Sequential",
    "ModuleList",
    "MultiStepContainer",
    "SeqToANNContainer",
    "StepModeContainer",
)
NO_OPS = ("Dropout", "Dropout2d", "Identity")


@dataclass(frozen=True)
class SpikeMaxPool:
    """Max pooling of spikes: a neuron that fires where any in its window does."""

    pool: PoolOp


@dataclass(frozen=True)
class AdaptiveAvgPool:
    """The mean over as many windows as there are in `size`, or over groups of `size` neurons."""

    size: Any
    neuron_groups: bool = False


ParsedLayer = Op | NeuronParams | SpikeMaxPool | AdaptiveAvgPool | None
LayerParser = Callable[[Any], tuple[ParsedLayer, str]]


def iter_layers(module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give the layers of `module` in their order, under their full names."""
    if isinstance(module, list | tuple):
        children: Any = ((str(number), child) for number, child in enumerate(module))
    elif type(module).__name__ in CONTAINERS:
        children = module.named_children()
    else:
        yield prefix or type(module).__name__.lower(), module
        return
    for name, child in children:
        yield from iter_layers(child, f"{prefix}.{name}" if prefix else name)


def parse_layers(
    module: Any, cells: Mapping[str, LayerParser]
) -> tuple[list[tuple[str, ParsedLayer]], tuple[LayerDiagnostic, ...]]:
    """Return what each layer of `module` is, and a finding for each.

    `cells` reads the neurons of a library, by the names of their classes.
    """
    things, findings = [], []
    for name, layer in iter_layers(module):
        kind = type(layer).__name__
        label = name if not name[0].isdigit() else f"{kind.lower()}{name}"
        read = {**LAYER_PARSERS, **cells}.get(kind, _parse_unknown)
        try:
            thing, rule = read(layer)
            things.append((label, thing))
            findings.append(LayerDiagnostic(label, kind, "exact", rule))
        except UnsupportedLayerError as refusal:
            findings.append(
                LayerDiagnostic(
                    label, kind, "unsupported", reason=refusal.reason, remedy=refusal.remedy
                )
            )
    return things, tuple(findings)


def to_numpy(value: Any) -> NDArray[np.float64]:
    """Return a tensor or number as float64."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value, np.float64)


def to_scalar(value: Any, what: str) -> float:
    """Return a tensor or number as one float; raises `Refused` where it holds several."""
    values = to_numpy(value)
    if values.size > 1 and np.ptp(values) > 0:
        raise UnsupportedLayerError(
            f"{what} differs from neuron to neuron", f"use one {what} a layer"
        )
    return float(values.flat[0])


def _parse_unknown(layer: Any) -> tuple[ParsedLayer, str]:
    kind = type(layer).__name__
    if any(type(part).__name__ in LAYER_PARSERS for part in getattr(layer, "modules", tuple)()):
        raise UnsupportedLayerError(
            f"{kind} has a forward of its own, which cannot be seen",
            "give its layers in their order, as a list or Sequential",
        )
    raise UnsupportedLayerError(f"{kind} is no layer that can be carried over")


def _to_pair(value: Any) -> Pair:
    if isinstance(value, str):
        raise UnsupportedLayerError(f"padding is {value!r}", "give it as numbers")
    values = (value, value) if isinstance(value, int) else tuple(value)
    return int(values[0]), int(values[1])


def _bias_or_zeros(layer: Any) -> Float64Array:
    return to_numpy(layer.bias) if layer.bias is not None else np.zeros(len(to_numpy(layer.weight)))


def _parse_linear(layer: Any) -> tuple[ParsedLayer, str]:
    return LinearOp(to_numpy(layer.weight), _bias_or_zeros(layer)), "a dense projection"


def _parse_conv(layer: Any) -> tuple[ParsedLayer, str]:
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        raise UnsupportedLayerError(f"padding_mode is {layer.padding_mode!r}", "pad with zeros")
    kernels = ConvOp(
        to_numpy(layer.weight),
        _bias_or_zeros(layer),
        _to_pair(layer.stride),
        _to_pair(layer.padding),
        _to_pair(layer.dilation),
        int(layer.groups),
    )
    return kernels, "a convolution"


def _parse_batch_norm(layer: Any) -> tuple[ParsedLayer, str]:
    if layer.running_var is None:
        raise UnsupportedLayerError("track_running_stats is off", "train with running statistics")
    scale = 1 / np.sqrt(to_numpy(layer.running_var) + layer.eps)
    if layer.weight is not None:
        scale = scale * to_numpy(layer.weight)
    offset = -to_numpy(layer.running_mean) * scale
    if layer.bias is not None:
        offset = offset + to_numpy(layer.bias)
    return AffineOp(scale, offset), "folded into weights and bias, with its running statistics"


def _check_pool(layer: Any) -> None:
    if getattr(layer, "ceil_mode", False):
        raise UnsupportedLayerError("ceil_mode is on", "use ceil_mode=False")


def _parse_avg_pool(layer: Any) -> tuple[ParsedLayer, str]:
    _check_pool(layer)
    kernel, padding = _to_pair(layer.kernel_size), _to_pair(layer.padding)
    if padding != (0, 0) and not layer.count_include_pad:
        raise UnsupportedLayerError(
            "count_include_pad is off", "use count_include_pad=True or no padding"
        )
    size = getattr(layer, "divisor_override", None) or kernel[0] * kernel[1]
    pool = PoolOp(kernel, _to_pair(layer.stride or layer.kernel_size), padding, 1 / size)
    return pool, "a sum, its divisor folded into the weights"


def _parse_adaptive_avg_pool(layer: Any) -> tuple[ParsedLayer, str]:
    return AdaptiveAvgPool(layer.output_size), "a sum, its divisor folded into the weights"


def _parse_max_pool(layer: Any) -> tuple[ParsedLayer, str]:
    _check_pool(layer)
    if _to_pair(layer.dilation) != (1, 1):
        raise UnsupportedLayerError(f"dilation is {layer.dilation}", "use a dilation of 1")
    kernel = _to_pair(layer.kernel_size)
    pool = PoolOp(kernel, _to_pair(layer.stride or layer.kernel_size), _to_pair(layer.padding))
    return SpikeMaxPool(pool), "a neuron that fires where any spike of its window does"


def _parse_flatten(layer: Any) -> tuple[ParsedLayer, str]:
    return FlattenOp(), "channel by channel, row by row"


def _parse_no_op(layer: Any) -> tuple[ParsedLayer, str]:
    return None, "left out: it does nothing once trained"


LAYER_PARSERS: Mapping[str, LayerParser] = {
    "Linear": _parse_linear,
    "Conv2d": _parse_conv,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d"), _parse_batch_norm),
    "AvgPool2d": _parse_avg_pool,
    "AdaptiveAvgPool2d": _parse_adaptive_avg_pool,
    "MaxPool2d": _parse_max_pool,
    "Flatten": _parse_flatten,
    **dict.fromkeys(NO_OPS, _parse_no_op),
}
