"""Import networks of SpikingJelly modules as float networks; the library is not imported.

With `v_reset` subtracted from every voltage, its neurons are those of `float_network`:

    IF      v = v + x
    LIF     v = v (1 - 1/tau) + x, with decay_input x / tau; parametric LIF: 1/tau = sigmoid(w)
    spike where v >= v_threshold, and then v = v_reset, or v - v_threshold with v_reset=None

The chip fires above the threshold, not at it: see `quantize.neuron_params`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...runtime.errors import NetworkError
from ..diagnostics import LayerDiagnostic, UnsupportedLayerError, raise_if_unsupported
from ..quantize.float_network import FloatNetwork
from ..quantize.neuron_params import make_neuron_params
from .sequential import build_sequential
from .torch_layers import (
    LAYER_PARSERS,
    AdaptiveAvgPool,
    LayerParser,
    ParsedLayer,
    check_if_torch,
    parse_layers,
    to_scalar,
)

THRESHOLD_NOTE = "fires at its threshold or above, so the threshold is set just below"


def from_spikingjelly(
    module: Any, input_shape: tuple[int, ...], value_bits: int = 1
) -> tuple[FloatNetwork, tuple[LayerDiagnostic, ...]]:
    """Import a network of SpikingJelly layers.

    Args:
        module: A Sequential or list of layers, neurons among them. Layers after the last neurons
            are integrated by a read-out.
        input_shape: (channels, height, width) or (neurons,).
        value_bits: Bits of an input value.

    Returns:
        The float network, and a diagnostic per layer.

    Raises:
        NetworkError: A layer is not supported, or computes something else than its attributes say;
            names its parameter.
    """
    layers, diagnostics = parse_layers(module, NEURON_PARSERS)
    raise_if_unsupported(diagnostics, NetworkError)
    network = build_sequential(layers, input_shape, value_bits, {"format": "spikingjelly"})
    check_if_torch(module, network, NEURON_PARSERS)
    return network, diagnostics


def _read_reset(node: Any) -> dict[str, Any]:
    """Threshold above the reset voltage, and the reset."""
    threshold = to_scalar(node.v_threshold, "v_threshold")
    if node.v_reset is not None:
        threshold -= to_scalar(node.v_reset, "v_reset")
    if threshold <= 0:
        raise UnsupportedLayerError(f"v_threshold is not above v_reset {node.v_reset or 0}")
    if node.v_reset is None:
        return {"threshold": threshold, "reset": "subtract", "reset_value": threshold}
    return {"threshold": threshold}


def _parse_if(node: Any) -> tuple[ParsedLayer, str]:
    return make_neuron_params(**_read_reset(node), inclusive=True), THRESHOLD_NOTE


def _parse_lif(node: Any) -> tuple[ParsedLayer, str]:
    return _make_lif(node, 1 / _read_tau(node))


def _read_tau(node: Any) -> float:
    tau = to_scalar(node.tau, "tau")
    if tau < 1:
        raise UnsupportedLayerError(f"tau is {tau:g}, below one timestep", "use 1 or more")
    return tau


def _parse_parametric_lif(node: Any) -> tuple[ParsedLayer, str]:
    return _make_lif(node, 1 / (1 + float(np.exp(-to_scalar(node.w, "w")))))


def _make_lif(node: Any, decay: float) -> tuple[ParsedLayer, str]:
    gain = decay if node.decay_input else 1.0
    values = _read_reset(node)
    params = make_neuron_params(**values, voltage_decay=decay, gain=gain, inclusive=True)
    return params, THRESHOLD_NOTE


def _parse_readout(node: Any) -> tuple[ParsedLayer, str]:
    decay = 1 / _read_tau(node) if hasattr(node, "tau") else 0.0
    params = make_neuron_params(voltage_decay=decay, gain=decay or 1.0, spiking=False)
    return params, "an integrator, read at every timestep; its `decode` is left to the reader"


def _parse_voting(layer: Any) -> tuple[ParsedLayer, str]:
    pool = AdaptiveAvgPool(int(layer.voting_size), neuron_groups=True)
    return pool, "averages of groups, integrated by a read-out"


NEURON_PARSERS: Mapping[str, LayerParser] = {
    "IFNode": _parse_if,
    "LIFNode": _parse_lif,
    "ParametricLIFNode": _parse_parametric_lif,
    "NonSpikingIFNode": _parse_readout,
    "NonSpikingLIFNode": _parse_readout,
    "VotingLayer": _parse_voting,
    **dict.fromkeys(
        ("ThresholdDependentBatchNorm1d", "ThresholdDependentBatchNorm2d"),
        LAYER_PARSERS["BatchNorm2d"],
    ),
}
