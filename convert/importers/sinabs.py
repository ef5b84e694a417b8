"""Parse the neurons of sinabs; the library is not imported.

    IAF         v = v + x
    LIF         v = alpha v + (1 - alpha) x, or + x without norm_input; alpha = exp(-1/tau_mem)
    ExpLeak     the same without spikes
    tau_syn     u = beta (u + x) in the place of x; beta = exp(-1/tau_syn)
    spike where v >= spike_threshold, and then v = 0

That is with `SingleSpike` and `MembraneReset()`; by default, neurons spike several times in one
timestep and subtract the threshold, which no chip does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..diagnostics import UnsupportedLayerError
from ..quantize.neuron_params import make_neuron_params
from .torch_layers import LayerParser, ParsedLayer, to_numpy

THRESHOLD_NOTE = "fires at its threshold or above, so the threshold is set just below"


def parse_neuron(node: Any) -> tuple[ParsedLayer, str]:
    """Parse IAF, LIF or ExpLeak neurons.

    Raises:
        UnsupportedLayerError: They spike several times, subtract the threshold or are bounded.
    """
    alpha = to_numpy(node.alpha_mem_calculated)
    gain = 1 - alpha if node.norm_input else np.ones(1)
    beta = np.zeros(1)
    if node.alpha_syn_calculated is not None:
        beta = to_numpy(node.alpha_syn_calculated)
        gain = gain * beta
    decays = 1 - beta, 1 - alpha
    if node.min_v_mem is not None:
        raise UnsupportedLayerError("min_v_mem bounds its voltage", "train without min_v_mem")
    if node.spike_fn is None:
        return make_neuron_params(1.0, *decays, gain, spiking=False), "an integrator"
    _check_spikes(node)
    threshold = to_numpy(node.spike_threshold)
    if not threshold.min() > 0:
        raise UnsupportedLayerError(f"spike_threshold is {threshold.min():g}", "use one above zero")
    return make_neuron_params(threshold, *decays, gain, inclusive=True), THRESHOLD_NOTE


def _check_spikes(node: Any) -> None:
    spikes = getattr(node.spike_fn, "__name__", type(node.spike_fn).__name__)
    if spikes != "SingleSpike":
        raise UnsupportedLayerError(
            f"spike_fn={spikes} gives several spikes in one timestep", "use SingleSpike"
        )
    reset = type(node.reset_fn).__name__
    if reset != "MembraneReset":
        raise UnsupportedLayerError(
            f"reset_fn={reset} subtracts the threshold", "use MembraneReset()"
        )
    if float(getattr(node.reset_fn, "reset_value", 0.0)):
        raise UnsupportedLayerError(
            f"resets to {node.reset_fn.reset_value:g}", "the chip resets to 0"
        )


def _names(node: Any) -> list[str]:
    return [cls.__name__ for cls in type(node).__mro__]


def _parse_recurrent(node: Any) -> tuple[ParsedLayer, str]:
    raise UnsupportedLayerError(
        "computes its recurrent connection inside", "write the loop over time in your forward"
    )


NEURON_PARSERS: Mapping[str, LayerParser] = {
    **dict.fromkeys(("IAFRecurrent", "LIFRecurrent", "ExpLeakRecurrent"), _parse_recurrent),
    **dict.fromkeys(("IAFSqueeze", "LIFSqueeze", "ExpLeak", "ExpLeakSqueeze"), parse_neuron),
}


def is_sinabs(node: Any) -> bool:
    """Test for a layer of sinabs: norse too has neurons called `LIF` and `IAF`."""
    return "StatefulLayer" in _names(node)
