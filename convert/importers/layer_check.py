"""Check of a sequence of torch layers against its float network, where the layers can be run."""

from collections.abc import Mapping
from typing import Any

import torch

from ..diagnostics import UnsupportedLayerError
from ..quantize.float_network import FloatNetwork
from .custom_forward import check_neurons, record_runs, trace_module
from .import_check import check_import
from .module_copy import copy_module
from .neuron_layout import find_kind
from .torch_layers import LayerParser, iter_layers
from .traced_network import Trace


class LayerSequence(torch.nn.Module):
    """Runs layers one after the other, and hands on the first value of each result."""

    def __init__(self, layers: Mapping[str, Any]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self._modules[name] = layer

    def forward(self, x: Any) -> Any:
        """Run all layers."""
        for layer in self._modules.values():  # children() lists a repeated layer once
            assert layer is not None
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def check_layers(
    layers: Any, network: FloatNetwork, neuron_parsers: Mapping[str, LayerParser]
) -> None:
    """Compare a network with runs of the layers that it was built from.

    Layers that do not run are not checked: placeholders of neurons without a forward method, or
    one that returns its input itself.

    Raises:
        NetworkError: A layer computes something else than the network; names it.
    """
    named = dict(iter_layers(layers))
    if not all(isinstance(layer, torch.nn.Module) for layer in named.values()):
        return
    neurons = [layer for layer in named.values() if find_kind(layer, neuron_parsers)]
    if any(is_placeholder(node) for node in neurons):
        return
    shape, bits = network.input_shape, network.value_bits
    modules = [layers] if isinstance(layers, torch.nn.Module) else []
    for module in (*modules, LayerSequence(named)):
        trace = _try_trace(module, network, neuron_parsers)
        if trace is not None:
            check_neurons(trace)
            check_import(network, record_runs(module, shape, bits, neuron_parsers, trace))
            return


def _try_trace(
    module: Any, network: FloatNetwork, neuron_parsers: Mapping[str, LayerParser]
) -> Trace | None:
    try:
        return trace_module(module, network.input_shape, network.value_bits, neuron_parsers)
    except UnsupportedLayerError:
        return None


def is_placeholder(node: Any) -> bool:
    """Test for neurons that do not compute: their attributes alone say what they are."""
    if type(node).forward is torch.nn.Module.forward:
        return True
    x = torch.zeros(1, 1)
    try:
        with torch.no_grad():
            return copy_module(node)(x) is x
    except Exception:  # neurons that take other shapes compute
        return False
