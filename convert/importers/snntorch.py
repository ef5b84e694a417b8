"""Import networks of snnTorch modules as float networks; the library is not imported.

    Leaky       v = beta v + x
    Synaptic    u = alpha u + x,  v = beta v + u
    RLeaky, RSynaptic  the same, with x + recurrent(spikes of the timestep before) in place of x
    spike where v > threshold

By default, the threshold is subtracted in the timestep after a spike, after the decay. With
`reset_mechanism="zero"`, Leaky sets v to zero before that timestep, which gives the spikes of a
reset right after the spike, whatever its `reset_delay`; Synaptic with `reset_delay=True` holds v at
zero throughout that timestep: a refractory period of one timestep.

With `reset_delay=False` the threshold is subtracted right after a spike. What is left may be above
the threshold, and then the threshold of the next timestep is twice as high:

    spike where beta v + x > threshold, or 2 threshold where v > threshold
    v = beta v + x - threshold spike

RSynaptic (snnTorch 1.0.0) computes that reset, and returns the voltage without it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...runtime.errors import NetworkError
from ..diagnostics import LayerDiagnostic, UnsupportedLayerError, raise_if_unsupported
from ..quantize.float_network import FloatNetwork
from ..quantize.linear_ops import AffineOp, ConvOp, LinearOp
from ..quantize.neuron_params import NeuronParams, make_neuron_params
from .neuron_layout import find_kind
from .sequential import build_sequential
from .torch_layers import (
    LAYER_PARSERS,
    LayerParser,
    ParsedLayer,
    check_if_torch,
    parse_layer,
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
    return _parse_neuron(node, _decay_fraction(node.alpha), holds=True)


def _parse_neuron(node: Any, current_decay: Any, holds: bool = False) -> tuple[NeuronParams, str]:
    """Parse neurons; those that `holds` are at zero for a timestep after a delayed reset."""
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
    delayed = bool(getattr(node, "reset_delay", True))
    if not delayed and find_kind(node, ("RSynaptic",)):
        raise UnsupportedLayerError(
            "reset_delay=False of RSynaptic has no effect on its voltage, or raises an error",
            "train with reset_delay=True, the default",
        )
    if reset == "none":
        params = make_neuron_params(current_decay=current_decay, voltage_decay=decay, spiking=False)
        return params, "an integrator, since it is never reset"
    threshold = to_numpy(node.threshold)
    if not threshold.min() > 0 or not np.isfinite(threshold).all():
        raise UnsupportedLayerError(f"threshold is {threshold.min():g}", "use one above zero")
    if reset == "zero":
        refractory = int(holds and delayed)
        params = make_neuron_params(threshold, current_decay, decay, refractory=refractory)
        return params, "fires above its threshold" + "; holds its voltage one step" * refractory
    if not delayed:
        params = make_neuron_params(
            threshold,
            current_decay,
            decay,
            reset="subtract",
            reset_value=threshold,
            doubling=True,
        )
        return params, (
            "fires above its threshold, which it subtracts, and above twice its threshold while "
            "the voltage that is left exceeds it: three populations"
        )
    params = make_neuron_params(
        threshold, current_decay, decay, reset="delayed_subtract", reset_value=threshold
    )
    return params, "fires above its threshold, which it subtracts in the next timestep"


def _parse_recurrent(node: Any) -> tuple[ParsedLayer, str]:
    """Parse neurons that their own spikes reach, one timestep later."""
    current_decay = _decay_fraction(node.alpha) if hasattr(node, "alpha") else 1.0
    params, note = _parse_neuron(node, current_decay, holds=True)
    if not node.all_to_all:
        return replace(params, recurrent=AffineOp(to_numpy(node.V), np.zeros(1))), note
    op, _ = parse_layer(node.recurrent, LAYER_PARSERS)
    assert isinstance(op, LinearOp | ConvOp)
    return replace(params, recurrent=op), note


def _decay_fraction(factor: Any) -> Any:
    """Fraction lost per timestep, from the library's decay factor."""
    decay = 1 - np.clip(to_numpy(factor), 0.0, 1.0)
    if not np.isfinite(decay).all():
        raise UnsupportedLayerError("a decay factor is NaN", "use one from 0 to 1")
    return decay


NEURON_PARSERS: Mapping[str, LayerParser] = {
    "Leaky": _parse_leaky,
    "Synaptic": _parse_synaptic,
    **dict.fromkeys(("RLeaky", "RSynaptic"), _parse_recurrent),
}
