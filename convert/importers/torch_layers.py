"""Parse torch layers, and those of libraries like torch, by their class names and attributes.

No library is imported: a layer is identified by the name of its class. Batch norm is read with its
running statistics here, and max pooling becomes `SpikeMaxPool`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import NetworkError
from ..diagnostics import LayerDiagnostic, UnsupportedLayerError
from ..quantize.float_network import FloatNetwork
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
from .module_copy import resolve_weights

CONTAINERS = (
    "Sequential",
    "ModuleList",
    "MultiStepContainer",
    "SeqToANNContainer",
    "StepModeContainer",
)
WRAPPERS = {
    "OptimizedModule": "_orig_mod",  # torch.compile
    "DataParallel": "module",
    "DistributedDataParallel": "module",
}
NO_OPS = ("Dropout", "Dropout2d", "Identity")
MAX_DEPTH = 100  # of containers in containers


@dataclass(frozen=True)
class SpikeMaxPool:
    """Max pooling of spikes: a neuron that fires if any input in its window does."""

    pool: PoolOp


@dataclass(frozen=True)
class AdaptiveAvgPool:
    """Average pooling to `size` windows, or over groups of `size` neurons (`neuron_groups`)."""

    size: Any
    neuron_groups: bool = False


ParsedLayer = Op | NeuronParams | SpikeMaxPool | AdaptiveAvgPool | None
LayerParser = Callable[[Any], tuple[ParsedLayer, str]]


def unwrap(module: Any) -> Any:
    """Return the module within those that compile it or spread it over devices."""
    while type(module).__name__ in WRAPPERS and hasattr(module, WRAPPERS[type(module).__name__]):
        module = getattr(module, WRAPPERS[type(module).__name__])
    return module


def iter_layers(module: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Iterate over the layers of `module` in their order, with their full names.

    Raises:
        NetworkError: Containers are nested too deeply, such as one that holds itself.
    """
    if depth > MAX_DEPTH:
        raise NetworkError(f"the model: has more than {MAX_DEPTH} containers within each other")
    module = unwrap(module)
    if isinstance(module, list | tuple):
        children: Any = ((str(index), child) for index, child in enumerate(module))
    elif type(module).__name__ in CONTAINERS:
        children = module._modules.items()  # named_children() lists a repeated layer once
    else:
        yield prefix or type(module).__name__.lower(), module
        return
    for name, child in children:
        if child is not None:  # a removed layer
            yield from iter_layers(child, f"{prefix}.{name}" if prefix else name, depth + 1)


def parse_layers(
    module: Any, neuron_parsers: Mapping[str, LayerParser]
) -> tuple[list[tuple[str, ParsedLayer]], tuple[LayerDiagnostic, ...]]:
    """Parse each layer of `module`.

    Args:
        module: A module, or a list of layers.
        neuron_parsers: Parsers for the neurons of a library, by the names of their classes.

    Returns:
        The supported layers with their names, and a diagnostic for every layer.
    """
    parsers = {**LAYER_PARSERS, **neuron_parsers}
    layers, diagnostics = [], []
    neurons: dict[int, str] = {}
    for name, layer in iter_layers(module):
        kind = layer_kind(layer)
        label = make_label(name, kind)
        try:
            parsed, conversion = parse_layer(layer, parsers)
            if isinstance(parsed, NeuronParams) and neurons.setdefault(id(layer), label) != label:
                raise UnsupportedLayerError(
                    f"is {neurons[id(layer)]} again, whose one state would serve both places",
                    "use neurons of its own for each place",
                )
            layers.append((label, parsed))
            diagnostics.append(LayerDiagnostic(label, kind, "exact", conversion))
        except UnsupportedLayerError as error:
            reason, remedy = error.reason, error.remedy
            diagnostics.append(LayerDiagnostic(label, kind, "unsupported", "", reason, remedy))
    return layers, tuple(diagnostics)


def check_if_torch(
    layers: Any, network: FloatNetwork, neuron_parsers: Mapping[str, LayerParser]
) -> None:
    """Compare a network with runs of the torch layers that it was built from, where they run.

    Raises:
        NetworkError: A layer computes something else; names it.
    """
    if "torch" in sys.modules:
        from .layer_check import check_layers

        check_layers(layers, network, neuron_parsers)


def layer_kind(layer: Any) -> str:
    """Name of the class of a layer, that of the original one where it is parametrized."""
    cls = type(layer)
    parametrized = "parametrizations" in getattr(layer, "_modules", {})
    return (cls.__mro__[1] if parametrized else cls).__name__


def make_label(name: str, kind: str) -> str:
    """Label of the layer at path `name`: the path, after the kind where it begins with a digit."""
    return name if not name[0].isdigit() else f"{kind.lower()}{name}"


def parse_layer(layer: Any, parsers: Mapping[str, LayerParser]) -> tuple[ParsedLayer, str]:
    """Parse one layer with the weights that its forward method uses.

    Raises:
        UnsupportedLayerError: It is not supported, or its attributes are not those of its kind.
    """
    kind = layer_kind(layer)
    try:
        return parsers.get(kind, _parse_unknown)(resolve_weights(layer))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        lines = str(error).strip().splitlines() or [""]
        raise UnsupportedLayerError(
            f"is no {kind} that can be read ({type(error).__name__}: {lines[0]})"
        ) from error


def has_own_forward(module: Any, neuron_parsers: Mapping[str, LayerParser]) -> bool:
    """Test for a module whose layers are in a forward method, not in a sequence."""
    if not hasattr(module, "named_modules"):
        return False
    parsers = {**LAYER_PARSERS, **neuron_parsers}
    return any(
        layer_kind(layer) not in parsers and any(True for _ in getattr(layer, "children", tuple)())
        for _, layer in iter_layers(module)
    )


def to_numpy(value: Any) -> NDArray[np.float64]:
    """Convert a tensor or number to float64.

    Raises:
        UnsupportedLayerError: The tensor is on the meta device, empty or complex.
    """
    if hasattr(value, "detach"):
        if value.is_meta:
            raise UnsupportedLayerError("holds no values (meta device)", "load its weights first")
        if value.is_complex():
            raise UnsupportedLayerError("holds complex values", "use real ones")
        is_dense = str(value.layout) == "torch.strided"
        value = (value if is_dense else value.to_dense()).detach().double().cpu().numpy()
    values: NDArray[np.float64] = np.asarray(value, np.float64)
    if not values.size:
        raise UnsupportedLayerError(f"holds an array without values, of shape {values.shape}")
    return values


def to_scalar(value: Any, name: str) -> float:
    """Convert a tensor or number called `name` to one float.

    Raises:
        UnsupportedLayerError: It holds several values, or one that is not finite.
    """
    values = to_numpy(value)
    if values.size > 1 and np.ptp(values) > 0:
        raise UnsupportedLayerError(
            f"{name} differs from neuron to neuron", f"use one {name} per layer"
        )
    if not np.isfinite(values).all():
        raise UnsupportedLayerError(f"{name} is {values.flat[0]:g}", "use a finite number")
    return float(values.flat[0])


def _parse_unknown(layer: Any) -> tuple[ParsedLayer, str]:
    kind = type(layer).__name__
    children: Any = getattr(layer, "modules", tuple)()
    if any(type(child).__name__ in LAYER_PARSERS for child in children):
        raise UnsupportedLayerError(
            f"{kind} has a forward method of its own, which has to be run",
            "give import_model its input_shape, or pass its layers as a list or Sequential",
        )
    raise UnsupportedLayerError(f"{kind} is not a supported layer")


def _to_pair(value: Any, minimum: int = 0) -> Pair:
    if isinstance(value, str):
        raise UnsupportedLayerError(f"padding is {value!r}", "give it as numbers")
    values = (value, value) if isinstance(value, int) else tuple(value)
    if min(values[:2]) < minimum:
        raise ValueError(f"{value} is below {minimum}")
    return int(values[0]), int(values[1])


def _read_weights(layer: Any, axes: int) -> tuple[Float64Array, Float64Array]:
    """Return the weights, of `axes` axes, and the bias of each output, 0 where there is none."""
    weights = to_numpy(layer.weight)
    if weights.ndim != axes:
        raise ValueError(f"weight has shape {weights.shape}, needs {axes} axes")
    bias = np.zeros(len(weights)) if layer.bias is None else to_numpy(layer.bias)
    if bias.shape != weights.shape[:1]:
        raise ValueError(f"bias has shape {bias.shape}, needs {weights.shape[:1]}")
    return weights, bias


def _parse_linear(layer: Any) -> tuple[ParsedLayer, str]:
    return LinearOp(*_read_weights(layer, 2)), "a dense projection"


def _parse_conv(layer: Any) -> tuple[ParsedLayer, str]:
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        raise UnsupportedLayerError(f"padding_mode is {layer.padding_mode!r}", "pad with zeros")
    conv = ConvOp(
        *_read_weights(layer, 4),
        _to_pair(layer.stride, 1),
        _to_pair(layer.padding),
        _to_pair(layer.dilation, 1),
        int(layer.groups),
    )
    return conv, "a convolution"


def _parse_batch_norm(layer: Any) -> tuple[ParsedLayer, str]:
    if layer.running_var is None:
        raise UnsupportedLayerError("track_running_stats is off", "train with running statistics")
    gain = 1 / np.sqrt(to_numpy(layer.running_var) + layer.eps)
    if layer.weight is not None:
        gain = gain * to_numpy(layer.weight)
    offset = -to_numpy(layer.running_mean) * gain
    if layer.bias is not None:
        offset = offset + to_numpy(layer.bias)
    return AffineOp(gain, offset), "folded into weights and bias, with its running statistics"


def _check_pool(layer: Any) -> None:
    if getattr(layer, "ceil_mode", False):
        raise UnsupportedLayerError("ceil_mode is on", "use ceil_mode=False")


def _parse_avg_pool(layer: Any) -> tuple[ParsedLayer, str]:
    _check_pool(layer)
    kernel, padding = _to_pair(layer.kernel_size, 1), _to_pair(layer.padding)
    if padding != (0, 0) and not layer.count_include_pad:
        raise UnsupportedLayerError(
            "count_include_pad is off", "use count_include_pad=True or no padding"
        )
    override = getattr(layer, "divisor_override", None)
    size = kernel[0] * kernel[1] if override is None else override
    pool = PoolOp(kernel, _to_pair(layer.stride or layer.kernel_size, 1), padding, 1 / size)
    return pool, "a sum, its divisor folded into the weights"


def _parse_adaptive_avg_pool(layer: Any) -> tuple[ParsedLayer, str]:
    return AdaptiveAvgPool(layer.output_size), "a sum, its divisor folded into the weights"


def _parse_max_pool(layer: Any) -> tuple[ParsedLayer, str]:
    _check_pool(layer)
    if _to_pair(layer.dilation) != (1, 1):
        raise UnsupportedLayerError(f"dilation is {layer.dilation}", "use a dilation of 1")
    kernel = _to_pair(layer.kernel_size, 1)
    pool = PoolOp(kernel, _to_pair(layer.stride or layer.kernel_size, 1), _to_pair(layer.padding))
    return SpikeMaxPool(pool), "a neuron that fires if any input in its window spikes"


def _parse_flatten(layer: Any) -> tuple[ParsedLayer, str]:
    return FlattenOp(), "flattened by channel, then by row"


def _parse_no_op(layer: Any) -> tuple[ParsedLayer, str]:
    return None, "left out: it has no effect after training"


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
