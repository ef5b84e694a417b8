"""Parse the neurons of sinabs; the library is not imported.

IAF         v = v + x
LIF         v = alpha v + (1 - alpha) x, or + x without norm_input; alpha = exp(-1/tau_mem)
ExpLeak     the same without spikes
tau_syn     u = beta (u + x) in the place of x; beta = exp(-1/tau_syn)
spike where v >= spike_threshold, and then v = 0 (`MembraneReset`) or v - spike_threshold
(`MembraneSubtract`); with `MultiSpike`, as often as v holds the threshold
v = max(v, min_v_mem)

`MembraneReset(reset_value)` adds its value to all voltages at the end of every timestep: with
w = v - reset_value, spikes reset w to zero, and alpha reset_value is added to v at every timestep
but the first.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...runtime.population import MAX_SPIKES
from ..diagnostics import UnsupportedLayerError
from ..quantize.linear_ops import ConvOp, LinearOp
from ..quantize.neuron_params import NeuronParams, make_neuron_params
from .torch_layers import (
    LAYER_PARSERS,
    LayerParser,
    ParsedLayer,
    layer_kind,
    parse_layer,
    to_numpy,
    to_scalar,
)

THRESHOLD_NOTE = "fires at its threshold or above, so the threshold is set just below"


def parse_neuron(node: Any) -> tuple[ParsedLayer, str]:
    """Parse IAF, LIF or ExpLeak neurons.

    Raises:
        UnsupportedLayerError: They compute what neurons here do not.
    """
    alpha = to_numpy(node.alpha_mem_calculated)
    gain = 1 - alpha if node.norm_input else np.ones(1)
    beta = np.zeros(1)
    if node.alpha_syn_calculated is not None:
        beta = to_numpy(node.alpha_syn_calculated)
        gain = gain * beta
    decays = 1 - beta, 1 - alpha
    if node.spike_fn is None:
        if node.min_v_mem is not None:
            raise UnsupportedLayerError(
                "min_v_mem bounds its voltage after it is read", "train without min_v_mem"
            )
        return make_neuron_params(1.0, *decays, gain, spiking=False), "an integrator"
    threshold = to_numpy(node.spike_threshold)
    if not threshold.min() > 0:
        raise UnsupportedLayerError(f"spike_threshold is {threshold.min():g}", "use one above zero")
    rule = _read_reset(node, threshold)
    value = rule.pop("added", 0.0)
    if node.min_v_mem is not None:
        rule["min_voltage"] = _read_bound(node, threshold, rule, value)
    if value:
        rule["late_bias"] = alpha * value
    return make_neuron_params(threshold, *decays, gain, inclusive=True, **rule), THRESHOLD_NOTE


def _read_reset(node: Any, threshold: Any) -> dict[str, Any]:
    """Read what spikes do, and how many there are in a timestep."""
    spikes = getattr(node.spike_fn, "__name__", type(node.spike_fn).__name__)
    if spikes not in ("SingleSpike", "MultiSpike", "MaxSpike"):
        raise UnsupportedLayerError(
            f"spike_fn={spikes} is unknown", "use MultiSpike, MaxSpike or SingleSpike"
        )
    reset = type(node.reset_fn).__name__
    most = getattr(node.spike_fn, "max_num_spikes_per_bin", None)
    most = 1 if spikes == "SingleSpike" else min(int(most or MAX_SPIKES), MAX_SPIKES)
    if reset == "MembraneSubtract":
        own = node.reset_fn.subtract_value
        amount = threshold if own is None else to_numpy(own)
        if most > 1 and not np.array_equal(amount, threshold):
            raise UnsupportedLayerError(
                f"subtract_value {float(amount.max()):g} is not the threshold of several spikes",
                "use MembraneSubtract()",
            )
        if not amount.min() > 0:
            raise UnsupportedLayerError(f"subtract_value is {amount.min():g}", "use one above zero")
        return {"reset": "subtract", "reset_value": amount, "max_spikes": most}
    if reset != "MembraneReset":
        raise UnsupportedLayerError(
            f"reset_fn={reset} is unknown", "use MembraneSubtract() or MembraneReset()"
        )
    if most > 1:
        raise UnsupportedLayerError(
            f"spike_fn={spikes} with reset_fn={reset} resets once for several spikes",
            "use MembraneSubtract(), or SingleSpike",
        )
    return {"added": to_scalar(node.reset_fn.reset_value, "reset_value")}


def _read_bound(node: Any, threshold: Any, rule: Mapping[str, Any], added: float) -> float:
    """Lower bound of the voltage, without what is `added` at the end of every timestep."""
    bound = to_scalar(node.min_v_mem, "min_v_mem")
    if bound > min(added, 0.0):
        what = f"reset_value {added:g} or less" if added < 0 else "zero or less"
        raise UnsupportedLayerError(f"min_v_mem is {bound:g}", f"use {what}")
    bound -= added
    if np.any(rule.get("reset_value", 0.0) > threshold - bound):
        raise UnsupportedLayerError(
            f"subtracts more than its threshold is above min_v_mem {bound:g}", "subtract less"
        )
    return bound


def _names(node: Any) -> list[str]:
    return [cls.__name__ for cls in type(node).__mro__]


def _parse_recurrent(node: Any) -> tuple[ParsedLayer, str]:
    """Parse neurons that their own spikes reach, one timestep later."""
    params, note = parse_neuron(node)
    assert isinstance(params, NeuronParams)
    if layer_kind(node.rec_connect) not in ("Linear", "Conv2d"):
        raise UnsupportedLayerError(
            f"rec_connect is a {type(node.rec_connect).__name__}", "use a Linear or Conv2d"
        )
    op, _ = parse_layer(node.rec_connect, LAYER_PARSERS)
    assert isinstance(op, LinearOp | ConvOp)
    bare = replace(op, bias=np.zeros_like(op.bias))
    if not np.any(op.bias):
        return replace(params, recurrent=bare), note
    if params.gain.size not in (1, op.bias.size):
        raise UnsupportedLayerError(
            "rec_connect has a bias, and its neurons decay factors of their own", "use bias=False"
        )
    return replace(params, recurrent=bare, late_input=params.gain * op.bias), note


NEURON_PARSERS: Mapping[str, LayerParser] = {
    **dict.fromkeys(("IAFRecurrent", "LIFRecurrent", "ExpLeakRecurrent"), _parse_recurrent),
    **dict.fromkeys(("IAFSqueeze", "LIFSqueeze", "ExpLeak", "ExpLeakSqueeze"), parse_neuron),
}


def is_sinabs(node: Any) -> bool:
    """Test for a layer of sinabs: norse too has neurons called `LIF` and `IAF`."""
    return "StatefulLayer" in _names(node)
