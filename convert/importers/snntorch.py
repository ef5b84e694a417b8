"""Import networks of snnTorch modules as float networks; the library is not imported.

    Leaky       v = beta v + x
    Synaptic    u = alpha u + x,  v = beta v + u
    spike where v > threshold

With `reset_mechanism="zero"`, Leaky sets v to zero before the timestep after a spike, which gives
the spikes of a reset right after it, whatever its `reset_delay`. Synaptic with `reset_delay=True`
holds v at zero throughout that timestep, so that it cannot fire twice in a row: no chip does that.
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
    LayerParser,
    ParsedLayer,
    check_if_torch,
    parse_layers,
    to_numpy,
    to_scalar,
)


def from_snntorch(
    module: Any, input_shape: tuple[int, ...], value_bits: int = 1
) -> tuple[FloatNetwork, tuple[LayerDiagnostic, ...]]:
    """Import a network of snnTorch layers.

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
    network = build_sequential(layers, input_shape, value_bits, {"format": "snntorch"})
    check_if_torch(module, network, NEURON_PARSERS)
    return network, diagnostics


def _parse_leaky(node: Any) -> tuple[ParsedLayer, str]:
    return _parse_neuron(node, 1.0)


def _parse_synaptic(node: Any) -> tuple[ParsedLayer, str]:
    if getattr(node, "reset_delay", True) and node.reset_mechanism == "zero":
        raise UnsupportedLayerError(
            "reset_delay=True holds the voltage at zero for a timestep after each spike",
            "train with reset_delay=False",
        )
    return _parse_neuron(node, _decay_fraction(node.alpha))


def _parse_neuron(node: Any, current_decay: Any) -> tuple[ParsedLayer, str]:
    if node.inhibition:
        raise UnsupportedLayerError(
            "inhibition=True lets one neuron fire at a time", "train without it"
        )
    if node.state_quant:
        raise UnsupportedLayerError("state_quant rounds its states", "train without it")
    if to_scalar(getattr(node, "graded_spikes_factor", 1.0), "graded_spikes_factor") != 1.0:
        raise UnsupportedLayerError("graded_spikes_factor is not 1", "train with binary spikes")
    decay = _decay_fraction(node.beta)
    reset = node.reset_mechanism
    if reset == "none":
        params = make_neuron_params(current_decay=current_decay, voltage_decay=decay, spiking=False)
        return params, "an integrator, since it is never reset"
    if reset != "zero":
        raise UnsupportedLayerError(
            f"reset_mechanism={reset!r} subtracts the threshold",
            'train with reset_mechanism="zero"',
        )
    threshold = to_numpy(node.threshold)
    if not threshold.min() > 0 or not np.isfinite(threshold).all():
        raise UnsupportedLayerError(f"threshold is {threshold.min():g}", "use one above zero")
    return make_neuron_params(threshold, current_decay, decay), "fires above its threshold"


def _decay_fraction(factor: Any) -> Any:
    """Fraction lost per timestep, from the library's decay factor."""
    decay = 1 - np.clip(to_numpy(factor), 0.0, 1.0)
    if not np.isfinite(decay).all():
        raise UnsupportedLayerError("a decay factor is NaN", "use one from 0 to 1")
    return decay


NEURON_PARSERS: Mapping[str, LayerParser] = {"Leaky": _parse_leaky, "Synaptic": _parse_synaptic}
