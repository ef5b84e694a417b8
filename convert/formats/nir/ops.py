"""Convert each kind of NIR node to discrete time, and check which are supported.

NIR's neurons are differential equations. With timesteps of `dt` seconds, forward Euler gives

    u = (1 - dt/tau_syn) u + w_in dt/tau_syn x
    v = (1 - dt/tau_mem) v + dt/tau_mem (r u + v_leak)

as NIR's paper and most of its readers have it (Pedersen et al., Nature Communications 15, 8122,
2024).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import FileError
from ...diagnostics import LayerDiagnostic, UnsupportedLayerError
from ...quantize.linear_ops import AffineOp, ConvOp, FlattenOp, LinearOp, Op, PoolOp
from ...quantize.neuron_params import NeuronParams, ResetRule, make_neuron_params
from .reader import NirNode

Reset = Literal["zero", "subtract", "delayed_subtract"]
# Metadata of a node: NIR has no field for a soft reset, nor for these.
RESET_KEY, REFRACTORY_KEY = "metadata/reset", "metadata/refractory"
SPIKES_KEY, BOUND_KEY = "metadata/max_spikes", "metadata/min_voltage"
Float64Array = NDArray[np.float64]
NEURON_KINDS = ("IF", "LIF", "CubaLIF", "I", "LI", "CubaLI", "Threshold")
NEURON_PARAMETERS = ("tau", "tau_mem", "tau_syn", "r", "w_in", "v_leak", "v_threshold", "v_reset")
SPIKING_KINDS = ("IF", "LIF", "CubaLIF")
FLOAT32_TOLERANCE = 1e-6  # a time constant of one timestep may be less, stored in float32


@dataclass(frozen=True)
class Delay:
    """A delay of `steps` timesteps."""

    steps: int


def check_nodes(
    nodes: Mapping[str, NirNode], dt: float, reset: Reset | None
) -> tuple[LayerDiagnostic, ...]:
    """Diagnose each node.

    Raises:
        FileError: Values of a node are unreadable.
    """
    diagnostics = []
    for node in nodes.values():
        try:
            conversion = _describe_conversion(node, dt, reset)
            diagnostics.append(LayerDiagnostic(node.name, node.kind, "exact", conversion))
        except UnsupportedLayerError as error:
            reason, remedy = error.reason, error.remedy
            diagnostics.append(
                LayerDiagnostic(node.name, node.kind, "unsupported", "", reason, remedy)
            )
    return tuple(diagnostics)


def _describe_conversion(node: NirNode, dt: float, reset: Reset | None) -> str:
    if node.kind in NEURON_KINDS:
        convert_neuron(node, dt, reset)
        if node.kind == "Threshold":
            return "neurons that forget at every timestep"
        return f"forward Euler with timesteps of {dt:g} s"
    if node.kind in ("Input", "Output"):
        return "events from outside" if node.kind == "Input" else "the output of the network"
    convert_op(node, dt)
    return "its values" if node.kind != "Delay" else f"rounded to timesteps of {dt:g} s"


def convert_neuron(node: NirNode, dt: float, reset: Reset | None) -> NeuronParams:
    """Convert a neuron node to timesteps of `dt` seconds.

    Raises:
        UnsupportedLayerError: Its reset is unknown, or it has a threshold of zero or below, or a
            time constant below `dt`.
        FileError: Its values are unreadable.
    """
    if node.kind == "Threshold":
        threshold = _check_threshold(node.floats("threshold"), "threshold")
        return NeuronParams(np.ones(1), np.zeros(1), threshold, np.ones(1), np.ones(1))
    shapes = {node.floats(key).shape for key in NEURON_PARAMETERS if key in node.values}
    if len({shape for shape in shapes if np.prod(shape) > 1}) > 1:
        raise FileError(f"{node.name}: its parameters have shapes {sorted(shapes)}, needs one")
    current_decay = np.ones(1)
    if node.kind in ("CubaLIF", "CubaLI"):
        current_decay = _decay_fraction(node, "tau_syn", dt)
    gain = node.floats("r")
    if node.kind in ("IF", "I"):
        voltage_decay, gain = np.zeros(1), gain * dt
    else:
        tau = "tau" if node.kind in ("LIF", "LI") else "tau_mem"
        voltage_decay = _decay_fraction(node, tau, dt)
        gain = gain * voltage_decay
    if "w_in" in node.values:
        gain = gain * node.floats("w_in") * current_decay
    leak = node.floats("v_leak") if "v_leak" in node.values else np.zeros(1)
    spiking = node.kind in SPIKING_KINDS
    rule: ResetRule = {}
    threshold = np.ones(1)
    if spiking:
        threshold = _check_threshold(node.floats("v_threshold"), "v_threshold")
        rule = _read_reset(node, threshold, reset)
    return replace(
        make_neuron_params(threshold, current_decay, voltage_decay, gain, spiking, **rule),
        bias=leak * voltage_decay,
    )


def _check_threshold(threshold: Float64Array, key: str) -> Float64Array:
    if threshold.min() <= 0:
        raise UnsupportedLayerError(f"{key} is {threshold.min():g}", "use one above zero")
    return threshold


def _read_reset(node: NirNode, threshold: Float64Array, reset: Reset | None) -> ResetRule:
    """Read what spikes do: from the metadata of the node, else from `reset`, else from `v_reset`.

    Other libraries write a `v_reset` of 0 for neurons that subtract their threshold, so `reset`
    takes precedence over it.
    """
    value = node.floats("v_reset") if "v_reset" in node.values else np.zeros(1)
    own: Any = node.text(RESET_KEY) if RESET_KEY in node.values else reset
    if own is None and "v_reset" not in node.values:
        raise UnsupportedLayerError(
            "does not specify its reset", 'give reset="zero" where it resets to zero'
        )
    if own is not None and own not in get_args(Reset):
        raise UnsupportedLayerError(f"its reset is {own!r}", f"use one of {get_args(Reset)}")
    rule: ResetRule = {}
    if REFRACTORY_KEY in node.values:
        rule["refractory"] = node.integers(REFRACTORY_KEY)[0]
    if SPIKES_KEY in node.values:
        rule["max_spikes"] = node.integers(SPIKES_KEY)[0]
    if BOUND_KEY in node.values:
        rule["min_voltage"] = node.floats(BOUND_KEY)
    if own in ("subtract", "delayed_subtract"):
        if np.any(value):
            raise UnsupportedLayerError(
                f"v_reset is {value.flat[0]:g}, but its reset subtracts", "use a v_reset of 0"
            )
        return {**rule, "reset": own, "reset_value": threshold}
    if np.any(value):
        return {**rule, "reset": "value", "reset_value": value}
    return rule


def _decay_fraction(node: NirNode, key: str, dt: float) -> Float64Array:
    taus = node.floats(key)
    if taus.min() < dt * (1 - FLOAT32_TOLERANCE):
        raise UnsupportedLayerError(
            f"{key} is {taus.min():g} s, below the timestep of {dt:g} s", "lower dt"
        )
    return np.minimum(dt / taus, 1.0)


def convert_op(node: NirNode, dt: float) -> Op | Delay:
    """Convert a stateless node to a linear operation or a delay.

    Raises:
        UnsupportedLayerError: The node is not supported.
        FileError: Its values are unreadable.
    """
    if node.kind not in OP_CONVERTERS:
        raise UnsupportedLayerError(
            f"is a {node.kind} node", "use " + ", ".join((*NEURON_KINDS, *OP_CONVERTERS))
        )
    return OP_CONVERTERS[node.kind](node, dt)


def _convert_linear(node: NirNode, dt: float) -> Op:
    weights = node.floats("weight")
    if weights.ndim != 2:
        raise UnsupportedLayerError(f"its weights have {weights.ndim} axes", "use a matrix")
    return LinearOp(weights, _read_bias(node, len(weights)))


def _read_bias(node: NirNode, outputs: int) -> Float64Array:
    """Bias of a linear node, which may be absent or one number for all outputs."""
    bias = node.floats("bias") if "bias" in node.values else np.zeros(1)
    if bias.size not in (1, outputs):
        raise FileError(f"{node.name}: bias of shape {bias.shape}, needs {(outputs,)}")
    return np.broadcast_to(bias.reshape(-1), (outputs,)).astype(np.float64)


def _convert_conv(node: NirNode, dt: float) -> Op:
    weights = node.floats("weight")
    (groups,) = node.integers("groups")[:1]
    if weights.ndim != 4 or groups < 1 or len(weights) % groups:
        raise FileError(f"{node.name}: weights {weights.shape}, {groups} groups")
    bias = _read_bias(node, len(weights))
    stride, dilation = node.pair("stride", 1), node.pair("dilation", 1)
    mode = node.text("padding")
    if mode == "valid":
        padding = (0, 0)
    elif mode == "same":
        extra = [d * (size - 1) for d, size in zip(dilation, weights.shape[2:], strict=True)]
        if stride != (1, 1) or extra[0] % 2 or extra[1] % 2:
            raise UnsupportedLayerError(
                "padding is 'same' with a stride or an even kernel", "give numbers"
            )
        padding = extra[0] // 2, extra[1] // 2
    else:
        padding = node.pair("padding", 0)
    return ConvOp(weights, bias, stride, padding, dilation, groups)


def _convert_sum_pool(node: NirNode, dt: float) -> Op:
    return PoolOp(node.pair("kernel_size", 1), node.pair("stride", 1), node.pair("padding", 0))


def _convert_avg_pool(node: NirNode, dt: float) -> Op:
    kernel = node.pair("kernel_size", 1)
    scale = 1 / (kernel[0] * kernel[1])
    return PoolOp(kernel, node.pair("stride", 1), node.pair("padding", 0), scale)


def _convert_scale(node: NirNode, dt: float) -> Op:
    scale = node.floats("scale")
    if np.ptp(scale) == 0:
        return AffineOp(scale.reshape(-1)[:1], np.zeros(1))
    while scale.ndim > 1 and len(scale) == 1:
        scale = scale[0]  # a batch axis
    if scale.ndim == 3 and np.ptp(scale, axis=(1, 2)).any():
        raise UnsupportedLayerError("scale differs within a channel", "use one scale per channel")
    gain = scale.reshape(scale.shape[0], -1)[:, 0]
    return AffineOp(gain, np.zeros_like(gain))


def _convert_delay(node: NirNode, dt: float) -> Delay:
    delay = node.floats("delay")
    if np.ptp(delay) > 0:
        raise UnsupportedLayerError(
            "delay differs from neuron to neuron", "use one node for each delay"
        )
    return Delay(round(float(delay.flat[0]) / dt))


def _convert_flatten(node: NirNode, dt: float) -> Op:
    return FlattenOp()


OP_CONVERTERS: Mapping[str, Callable[[NirNode, float], Op | Delay]] = {
    "Linear": _convert_linear,
    "Affine": _convert_linear,
    "Conv2d": _convert_conv,
    "SumPool2d": _convert_sum_pool,
    "AvgPool2d": _convert_avg_pool,
    "Scale": _convert_scale,
    "Flatten": _convert_flatten,
    "Delay": _convert_delay,
}


def propose_dt(nodes: Mapping[str, NirNode]) -> float | None:
    """Timestep that the neurons suggest, in seconds; None where they suggest none.

    Programs that compute in timesteps write a gain of tau / dt (1 / dt without leak), so that
    inputs are not scaled; else a twentieth of the shortest time constant is proposed.
    """
    proposals, taus = set(), []
    for node in nodes.values():
        gain = {"CubaLIF": "w_in", "CubaLI": "w_in"}.get(node.kind, "r")
        if node.kind not in NEURON_KINDS or gain not in node.values:
            continue
        factor = float(node.floats(gain).max())
        keys = [key for key in ("tau_syn", "tau", "tau_mem") if key in node.values]
        tau = float(node.floats(keys[0]).max()) if keys else 1.0
        taus += [float(node.floats(key).min()) for key in keys]
        proposals.add(float(f"{tau / factor:.4g}") if factor > 0 and factor != 1 else 0.0)
    if len(proposals) == 1 and max(proposals) > 0:
        return proposals.pop()
    return float(f"{min(taus) / 20:.1g}") if taus and min(taus) > 0 else None
