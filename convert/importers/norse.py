"""Parse the neurons of norse; the library is not imported.

With timesteps of `dt`, a = dt tau_mem_inv and b = dt tau_syn_inv:

    LIFBox     v = (1 - a) v + a (v_leak + x)
    LIF        v = (1 - a) v + a (v_leak + u), then u = (1 - b) u + x: its input is one step late
    LI         u = u + x, v = (1 - a) v + a (v_leak + u), then u = (1 - b) u
    IAF        v = v + x
    spike where v > v_th, and then v = v_reset
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..diagnostics import UnsupportedLayerError
from ..quantize.neuron_params import NeuronParams, make_neuron_params
from .torch_layers import LayerParser, ParsedLayer, to_numpy

NOTE = "fires above its threshold"


def _read(node: Any, key: str) -> Any:
    values = to_numpy(getattr(node.p, key))
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


def _check_reset(node: Any) -> Any:
    """Threshold above the reset voltage."""
    if np.any(_read(node, "v_reset")):
        raise UnsupportedLayerError("v_reset is not 0", "the chip resets to 0")
    threshold = _read(node, "v_th")
    if not threshold.min() > 0:
        raise UnsupportedLayerError(f"v_th is {threshold.min():g}", "use one above zero")
    return threshold


def _with_leak(node: Any, params: NeuronParams) -> NeuronParams:
    if np.any(_read(node, "v_leak")):
        raise UnsupportedLayerError("v_leak is not 0, where its voltage starts", "use v_leak=0")
    return params


def _parse_box(node: Any) -> tuple[ParsedLayer, str]:
    decay = _decay(node, "tau_mem_inv")
    params = make_neuron_params(_check_reset(node), 1.0, decay, decay)
    return _with_leak(node, params), NOTE


def _parse_lif(node: Any) -> tuple[ParsedLayer, str]:
    decay, synaptic = _decay(node, "tau_mem_inv"), _decay(node, "tau_syn_inv")
    params = make_neuron_params(_check_reset(node), synaptic, decay, decay, delay=1)
    return _with_leak(node, params), f"{NOTE}; its input is one timestep late"


def _parse_iaf(node: Any) -> tuple[ParsedLayer, str]:
    return make_neuron_params(_check_reset(node)), NOTE


def _parse_li(node: Any) -> tuple[ParsedLayer, str]:
    decay, synaptic = _decay(node, "tau_mem_inv"), _decay(node, "tau_syn_inv")
    params = replace(make_neuron_params(1.0, synaptic, decay, decay), spiking=False)
    return _with_leak(node, params), "an integrator"


NEURON_PARSERS: Mapping[str, LayerParser] = {
    **dict.fromkeys(("LIFBoxCell", "LIFBox"), _parse_box),
    **dict.fromkeys(("LIFCell", "LIF"), _parse_lif),
    **dict.fromkeys(("IAFCell", "IAF"), _parse_iaf),
    **dict.fromkeys(("LICell", "LI"), _parse_li),
}
