"""Each kind of NIR node: what it comes to in discrete time, and which cannot be carried over.

NIR's neurons are differential equations. With steps of `dt` seconds, forward Euler makes of them

    u = (1 - dt/tau_syn) u + w_in dt/tau_syn x
    v = (1 - dt/tau_mem) v + dt/tau_mem (r u + v_leak)

as NIR's paper and most of its readers do (Pedersen et al., Nature Communications 15, 8122, 2024).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import FileError
from .findings import Finding
from .modules import Refused
from .neuron_rule import Rule
from .nir_file import Node
from .steps import Flatten, Gain, Kernels, Matrix, Pool, Step

Reset = Literal["zero"]
Reals = NDArray[np.float64]
NEURONS = ("IF", "LIF", "CubaLIF", "I", "LI", "CubaLI")
PARAMETERS = ("tau", "tau_mem", "tau_syn", "r", "w_in", "v_leak", "v_threshold", "v_reset")
SPIKING = ("IF", "LIF", "CubaLIF")


@dataclass(frozen=True)
class Late:
    """Delays by `steps`."""

    steps: int


def examined(nodes: Mapping[str, Node], dt: float, reset: Reset | None) -> tuple[Finding, ...]:
    """Return a finding for each of `nodes`; raises `FileError` where values are unreadable."""
    findings = []
    for node in nodes.values():
        try:
            rule = _rule(node, dt, reset)
            findings.append(Finding(node.name, node.kind, "fine", rule))
        except Refused as refusal:
            findings.append(
                Finding(node.name, node.kind, "refused", "", refusal.reason, refusal.mend)
            )
    return tuple(findings)


def _rule(node: Node, dt: float, reset: Reset | None) -> str:
    if node.kind in NEURONS:
        neuron(node, dt, reset)
        return f"forward Euler with steps of {dt:g} s"
    if node.kind in ("Input", "Output"):
        return "events from outside" if node.kind == "Input" else "its answer"
    between(node, dt)
    return "its values" if node.kind != "Delay" else f"rounded to steps of {dt:g} s"


def neuron(node: Node, dt: float, reset: Reset | None) -> Rule:
    """Return a neuron node in steps of `dt` seconds; raises `Refused`, `FileError`."""
    if node.kind in SPIKING:
        _check_reset(node, reset)
    shapes = {node.reals(key).shape for key in PARAMETERS if key in node.values}
    if len({shape for shape in shapes if np.prod(shape) > 1}) > 1:
        raise FileError(f"{node.name}: its parameters have shapes {sorted(shapes)}, needs one")
    current_decay = np.ones(1)
    if node.kind in ("CubaLIF", "CubaLI"):
        current_decay = _share(node, "tau_syn", dt)
    gain = node.reals("r")
    if node.kind in ("IF", "I"):
        voltage_decay, gain = np.zeros(1), gain * dt
    else:
        voltage_decay = _share(node, "tau" if node.kind in ("LIF", "LI") else "tau_mem", dt)
        gain = gain * voltage_decay
    if "w_in" in node.values:
        gain = gain * node.reals("w_in") * current_decay
    leak = node.reals("v_leak") if "v_leak" in node.values else np.zeros(1)
    threshold = node.reals("v_threshold") if node.kind in SPIKING else np.ones(1)
    if threshold.min() <= 0:
        raise Refused(f"v_threshold is {threshold.min():g}", "use one above zero")
    return Rule(
        gain, leak * voltage_decay, threshold, current_decay, voltage_decay, node.kind in SPIKING
    )


def _check_reset(node: Node, reset: Reset | None) -> None:
    if "v_reset" not in node.values and reset is None:
        raise Refused("says nothing of its reset", 'give reset="zero" where it resets to zero')
    if "v_reset" in node.values and np.any(node.reals("v_reset") != 0):
        raise Refused(f"v_reset is {node.reals('v_reset').flat[0]:g}", "the chip resets to 0")


def _share(node: Node, key: str, dt: float) -> Reals:
    taus = node.reals(key)
    if taus.min() < dt:
        raise Refused(f"{key} is {taus.min():g} s, below the step of {dt:g} s", "lower dt")
    return dt / taus


def between(node: Node, dt: float) -> Step | Late:
    """Return a node without state as a step; raises `Refused`, `FileError`."""
    if "nodes" in {key.partition("/")[0] for key in node.values} or node.kind == "NIRGraph":
        raise Refused("is a graph within the graph", "write it without nesting")
    if node.kind not in STEPS:
        raise Refused(f"is a {node.kind} node", "use " + ", ".join((*NEURONS, *STEPS)))
    return STEPS[node.kind](node, dt)


def _linear(node: Node, dt: float) -> Step:
    weights = node.reals("weight")
    if weights.ndim != 2:
        raise Refused(f"its weights have {weights.ndim} axes", "use a matrix")
    bias = node.reals("bias") if "bias" in node.values else np.zeros(len(weights))
    if bias.shape != weights.shape[:1]:
        raise FileError(f"{node.name}: bias of shape {bias.shape}, needs {weights.shape[:1]}")
    return Matrix(weights, bias)


def _conv(node: Node, dt: float) -> Step:
    weights, bias = node.reals("weight"), node.reals("bias")
    (groups,) = node.whole("groups")[:1]
    if weights.ndim != 4 or bias.shape != weights.shape[:1] or groups < 1 or len(weights) % groups:
        raise FileError(f"{node.name}: weights {weights.shape}, bias {bias.shape}, {groups} groups")
    stride, dilation = node.pair("stride", 1), node.pair("dilation", 1)
    word = node.text("padding")
    if word == "valid":
        padding = (0, 0)
    elif word == "same":
        room = [d * (size - 1) for d, size in zip(dilation, weights.shape[2:], strict=True)]
        if stride != (1, 1) or room[0] % 2 or room[1] % 2:
            raise Refused("padding is 'same' with a stride or an even kernel", "give numbers")
        padding = room[0] // 2, room[1] // 2
    else:
        padding = node.pair("padding", 0)
    return Kernels(weights, bias, stride, padding, dilation, groups)


def _sum(node: Node, dt: float) -> Step:
    return Pool(node.pair("kernel_size", 1), node.pair("stride", 1), node.pair("padding", 0))


def _mean(node: Node, dt: float) -> Step:
    kernel = node.pair("kernel_size", 1)
    share = 1 / (kernel[0] * kernel[1])
    return Pool(kernel, node.pair("stride", 1), node.pair("padding", 0), share)


def _scale(node: Node, dt: float) -> Step:
    scale = node.reals("scale")
    if np.ptp(scale) == 0 and scale.ndim == 3:
        return Pool((1, 1), (1, 1), share=float(scale.flat[0]))
    if scale.ndim == 3 and np.ptp(scale, axis=(1, 2)).any():
        raise Refused("scale differs within a channel", "use one scale a channel")
    gain = scale.reshape(scale.shape[0], -1)[:, 0]
    return Gain(gain, np.zeros_like(gain))


def _delay(node: Node, dt: float) -> Late:
    delay = node.reals("delay")
    if np.ptp(delay) > 0:
        raise Refused("delay differs from neuron to neuron", "use one node for each delay")
    return Late(round(float(delay.flat[0]) / dt))


def _flatten(node: Node, dt: float) -> Step:
    return Flatten()


STEPS: Mapping[str, Callable[[Node, float], Step | Late]] = {
    "Linear": _linear,
    "Affine": _linear,
    "Conv2d": _conv,
    "SumPool2d": _sum,
    "AvgPool2d": _mean,
    "Scale": _scale,
    "Flatten": _flatten,
    "Delay": _delay,
}
