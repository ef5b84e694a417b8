"""Parse the neurons of norse; the library is not imported.

With timesteps of `dt`, a = dt tau_mem_inv and b = dt tau_syn_inv:

    LIFBox     v = (1 - a) v + a (v_leak + x)
    LIF        v = (1 - a) v + a (v_leak + u), then u = (1 - b) u + x: its input is one step late
    LI         u = u + x, v = (1 - a) v + a (v_leak + u), then u = (1 - b) u
    IAF        v = v + x
    spike where v > v_th, and then v = v_reset
    LIFRefrac  LIF whose voltage is held for rho_reset timesteps after a spike

Voltages start at v_leak, which is subtracted from all of them.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...runtime.population import MAX_REFRACTORY
from ..diagnostics import UnsupportedLayerError
from ..quantize.neuron_params import make_neuron_params
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
    decay, synaptic = _decay(node, "tau_mem_inv"), _decay(node, "tau_syn_inv")
    params = make_neuron_params(
        current_decay=synaptic,
        voltage_decay=decay,
        gain=decay,
        delay=1,
        refractory=refractory,
        **_read_reset(node, _read(node, "v_leak")),
    )
    return params, f"{NOTE}; its input is one timestep late"


def _parse_refractory(node: Any) -> tuple[ParsedLayer, str]:
    period = to_scalar(node.p.rho_reset, "rho_reset")
    if not 0 <= period <= MAX_REFRACTORY:
        raise UnsupportedLayerError(
            f"rho_reset is {period:g} timesteps", f"use 0 to {MAX_REFRACTORY}"
        )
    return _parse_lif(node, math.ceil(period))


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
    **dict.fromkeys(("IAFCell", "IAF"), _parse_iaf),
    **dict.fromkeys(("LICell", "LI"), _parse_li),
}
