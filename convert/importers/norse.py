"""Parse the neurons of norse; the library is not imported.

With timesteps of `dt`, a = dt tau_mem_inv and b = dt tau_syn_inv:

    LIFBox     v = (1 - a) v + a (v_leak + x)
    LIF        u = u + x, v = (1 - a) v + a (v_leak + u), then u = (1 - b) u (norse 1.1)
               v = (1 - a) v + a (v_leak + u), then u = (1 - b) u + x: its input is one step late
               (norse's older, compiled operators)
    LI         u = u + x, v = (1 - a) v + a (v_leak + u), then u = (1 - b) u
    IAF        v = v + x
    spike where v > v_th, and then v = v_reset
    LIFRefrac  LIF whose voltage is held for rho_reset timesteps after a spike
    LIFRecurrent, LIFRefracRecurrent
               LIF of norse 1.1 with input_weights x + recurrent_weights z in the place of x, z
               the spikes of the timestep before

Voltages start at v_leak, which is subtracted from all of them.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...runtime.population import MAX_REFRACTORY
from ..diagnostics import UnsupportedLayerError
from ..quantize.linear_ops import LinearOp
from ..quantize.neuron_params import NeuronParams, make_neuron_params
from .neuron_layout import layout_of
from .torch_layers import LayerParser, ParsedLayer, to_numpy, to_scalar

NOTE = "fires above its threshold"


def _read(node: Any, key: str) -> Any:
    values = to_numpy(getattr(getattr(node.p, "lif", node.p), key))
    if not np.isfinite(values).all():
        raise UnsupportedLayerError(f"{key} is not finite", "use a finite number")
    return values


def _decay(node: Any, key: str) -> Any:
    decay = _read(node, key) * float(node.dt)
    if decay.min() < 0 or decay.max() > 1:
        raise UnsupportedLayerError(
            f"{key} times dt is {decay.max():g}, above one timestep", "use a smaller dt"
        )
    return decay


def _read_reset(node: Any, start: Any) -> dict[str, Any]:
    """Read threshold and reset voltage, above the voltage at the `start`."""
    threshold, value = _read(node, "v_th") - start, _read(node, "v_reset") - start
    if not threshold.min() > 0:
        raise UnsupportedLayerError(
            f"v_th is {threshold.min():g} above the voltage at which neurons start",
            "use one above it",
        )
    if not np.any(value):
        return {"threshold": threshold}
    return {"threshold": threshold, "reset": "value", "reset_value": value}


def _check_leak(node: Any) -> None:
    if np.any(_read(node, "v_leak")):
        raise UnsupportedLayerError("v_leak is not 0, where its voltage starts", "use v_leak=0")


def _parse_box(node: Any) -> tuple[ParsedLayer, str]:
    decay, rule = _decay(node, "tau_mem_inv"), _read_reset(node, _read(node, "v_leak"))
    return make_neuron_params(voltage_decay=decay, gain=decay, **rule), NOTE


def _parse_lif(node: Any, refractory: int = 0) -> tuple[ParsedLayer, str]:
    late = _is_late(node)
    note = "; its input is one timestep late" * late
    return _make_lif(node, refractory, delay=int(late)), NOTE + note


def _parse_recurrent(node: Any, refractory: int = 0) -> tuple[ParsedLayer, str]:
    """Parse neurons with weights of their input and of their own spikes."""
    inputs, own = (
        LinearOp(weights, np.zeros(len(weights)))
        for weights in (to_numpy(node.input_weights), to_numpy(node.recurrent_weights))
    )
    params = replace(_make_lif(node, refractory, delay=0), input=inputs, recurrent=own)
    return params, f"{NOTE}; its spikes reach it one timestep later"


def _is_late(node: Any) -> bool:
    """Test whether an input reaches the voltage one timestep later, by a run of the neurons."""
    import torch

    layout = layout_of(node)
    with torch.no_grad():
        x = torch.full((1, 1) if layout == "step" else (1, 1, 1), 1e-2)
        _, state = node(x)
    voltage = to_numpy(getattr(state, "lif", state).v)
    return bool(np.all(np.isclose(voltage, _read(node, "v_leak"), 0, 1e-6)))


def _make_lif(node: Any, refractory: int, delay: int) -> NeuronParams:
    decay, synaptic = _decay(node, "tau_mem_inv"), _decay(node, "tau_syn_inv")
    return make_neuron_params(
        current_decay=synaptic,
        voltage_decay=decay,
        gain=decay,
        delay=delay,
        refractory=refractory,
        **_read_reset(node, _read(node, "v_leak")),
    )


def _parse_refractory(node: Any) -> tuple[ParsedLayer, str]:
    return _parse_lif(node, _read_period(node))


def _parse_refractory_recurrent(node: Any) -> tuple[ParsedLayer, str]:
    return _parse_recurrent(node, _read_period(node))


def _read_period(node: Any) -> int:
    period = to_scalar(node.p.rho_reset, "rho_reset")
    if not 0 <= period <= MAX_REFRACTORY:
        raise UnsupportedLayerError(
            f"rho_reset is {period:g} timesteps", f"use 0 to {MAX_REFRACTORY}"
        )
    return math.ceil(period)


def _parse_iaf(node: Any) -> tuple[ParsedLayer, str]:
    return make_neuron_params(**_read_reset(node, _read(node, "v_reset"))), NOTE


def _parse_li(node: Any) -> tuple[ParsedLayer, str]:
    decay, synaptic = _decay(node, "tau_mem_inv"), _decay(node, "tau_syn_inv")
    _check_leak(node)
    return make_neuron_params(1.0, synaptic, decay, decay, spiking=False), "an integrator"


NEURON_PARSERS: Mapping[str, LayerParser] = {
    **dict.fromkeys(("LIFBoxCell", "LIFBox"), _parse_box),
    **dict.fromkeys(("LIFCell", "LIF"), _parse_lif),
    **dict.fromkeys(("LIFRefracCell", "LIFRefrac"), _parse_refractory),
    **dict.fromkeys(("LIFRecurrentCell", "LIFRecurrent"), _parse_recurrent),
    **dict.fromkeys(("LIFRefracRecurrentCell", "LIFRefracRecurrent"), _parse_refractory_recurrent),
    **dict.fromkeys(("IAFCell", "IAF"), _parse_iaf),
    **dict.fromkeys(("LICell", "LI"), _parse_li),
}
