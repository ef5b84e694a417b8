"""Layers of torch and of libraries like it, known by the names of their classes.

No library is imported: a layer is what its class is called, and its attributes say the rest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .findings import Finding
from .neuron_rule import Rule
from .steps import Flatten, Gain, Kernels, Matrix, Pair, Pool, Reals, Step

CONTAINERS = (
    "Sequential",
    "ModuleList",
    "MultiStepContainer",
    "SeqToANNContainer",
    "StepModeContainer",
)
NOTHING = ("Dropout", "Dropout2d", "Identity")


class Refused(Exception):
    """A layer that cannot be carried over: the reason, and what to change."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(reason, mend)
        self.reason, self.mend = reason, mend


@dataclass(frozen=True)
class AnySpike:
    """Max pooling of spikes: a neuron that fires where any in its window does."""

    pool: Pool


@dataclass(frozen=True)
class MeanTo:
    """The mean over as many windows as there are in `size`, or over groups of `size` neurons."""

    size: Any
    groups: bool = False


Thing = Step | Rule | AnySpike | MeanTo | None
Reading = Callable[[Any], tuple[Thing, str]]


def listed(module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give the layers of `module` in their order, under their full names."""
    if isinstance(module, list | tuple):
        children: Any = ((str(number), child) for number, child in enumerate(module))
    elif type(module).__name__ in CONTAINERS:
        children = module.named_children()
    else:
        yield prefix or type(module).__name__.lower(), module
        return
    for name, child in children:
        yield from listed(child, f"{prefix}.{name}" if prefix else name)


def examined(
    module: Any, cells: Mapping[str, Reading]
) -> tuple[list[tuple[str, Thing]], tuple[Finding, ...]]:
    """Return what each layer of `module` is, and a finding for each.

    `cells` reads the neurons of a library, by the names of their classes.
    """
    things, findings = [], []
    for name, layer in listed(module):
        kind = type(layer).__name__
        label = name if not name[0].isdigit() else f"{kind.lower()}{name}"
        read = {**LAYERS, **cells}.get(kind, _unknown)
        try:
            thing, rule = read(layer)
            things.append((label, thing))
            findings.append(Finding(label, kind, "fine", rule))
        except Refused as refusal:
            findings.append(
                Finding(label, kind, "refused", reason=refusal.reason, mend=refusal.mend)
            )
    return things, tuple(findings)


def array(value: Any) -> NDArray[np.float64]:
    """Return a tensor or number as float64."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value, np.float64)


def number(value: Any, what: str) -> float:
    """Return a tensor or number as one float; raises `Refused` where it holds several."""
    values = array(value)
    if values.size > 1 and np.ptp(values) > 0:
        raise Refused(f"{what} differs from neuron to neuron", f"use one {what} a layer")
    return float(values.flat[0])


def cell(
    threshold: Any = 1.0,
    current_decay: Any = 1.0,
    voltage_decay: Any = 0.0,
    gain: Any = 1.0,
    spikes: bool = True,
    inclusive: bool = False,
) -> Rule:
    """Return neurons without a bias of their own, from numbers or arrays."""

    def given(value: Any) -> Reals:
        return np.atleast_1d(array(value))

    decays = given(current_decay), given(voltage_decay)
    return Rule(given(gain), np.zeros(1), given(threshold), *decays, spikes, inclusive)


def _unknown(layer: Any) -> tuple[Thing, str]:
    kind = type(layer).__name__
    if any(type(part).__name__ in LAYERS for part in getattr(layer, "modules", tuple)()):
        raise Refused(
            f"{kind} has a forward of its own, which cannot be seen",
            "give its layers in their order, as a list or Sequential",
        )
    raise Refused(f"{kind} is no layer that can be carried over")


def _pair(value: Any) -> Pair:
    if isinstance(value, str):
        raise Refused(f"padding is {value!r}", "give it as numbers")
    values = (value, value) if isinstance(value, int) else tuple(value)
    return int(values[0]), int(values[1])


def _bias(layer: Any) -> Reals:
    return array(layer.bias) if layer.bias is not None else np.zeros(len(array(layer.weight)))


def _linear(layer: Any) -> tuple[Thing, str]:
    return Matrix(array(layer.weight), _bias(layer)), "a dense projection"


def _conv(layer: Any) -> tuple[Thing, str]:
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        raise Refused(f"padding_mode is {layer.padding_mode!r}", "pad with zeros")
    kernels = Kernels(
        array(layer.weight),
        _bias(layer),
        _pair(layer.stride),
        _pair(layer.padding),
        _pair(layer.dilation),
        int(layer.groups),
    )
    return kernels, "a convolution"


def _norm(layer: Any) -> tuple[Thing, str]:
    if layer.running_var is None:
        raise Refused("track_running_stats is off", "train with running statistics")
    scale = 1 / np.sqrt(array(layer.running_var) + layer.eps)
    if layer.weight is not None:
        scale = scale * array(layer.weight)
    offset = -array(layer.running_mean) * scale
    if layer.bias is not None:
        offset = offset + array(layer.bias)
    return Gain(scale, offset), "folded into weights and bias, with its running statistics"


def _check_pool(layer: Any) -> None:
    if getattr(layer, "ceil_mode", False):
        raise Refused("ceil_mode is on", "use ceil_mode=False")


def _mean(layer: Any) -> tuple[Thing, str]:
    _check_pool(layer)
    kernel, padding = _pair(layer.kernel_size), _pair(layer.padding)
    if padding != (0, 0) and not layer.count_include_pad:
        raise Refused("count_include_pad is off", "use count_include_pad=True or no padding")
    size = getattr(layer, "divisor_override", None) or kernel[0] * kernel[1]
    pool = Pool(kernel, _pair(layer.stride or layer.kernel_size), padding, 1 / size)
    return pool, "a sum, its divisor folded into the weights"


def _mean_to(layer: Any) -> tuple[Thing, str]:
    return MeanTo(layer.output_size), "a sum, its divisor folded into the weights"


def _max(layer: Any) -> tuple[Thing, str]:
    _check_pool(layer)
    if _pair(layer.dilation) != (1, 1):
        raise Refused(f"dilation is {layer.dilation}", "use a dilation of 1")
    kernel = _pair(layer.kernel_size)
    pool = Pool(kernel, _pair(layer.stride or layer.kernel_size), _pair(layer.padding))
    return AnySpike(pool), "a neuron that fires where any spike of its window does"


def _flatten(layer: Any) -> tuple[Thing, str]:
    return Flatten(), "channel by channel, row by row"


def _nothing(layer: Any) -> tuple[Thing, str]:
    return None, "left out: it does nothing once trained"


LAYERS: Mapping[str, Reading] = {
    "Linear": _linear,
    "Conv2d": _conv,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d"), _norm),
    "AvgPool2d": _mean,
    "AdaptiveAvgPool2d": _mean_to,
    "MaxPool2d": _max,
    "Flatten": _flatten,
    **dict.fromkeys(NOTHING, _nothing),
}
