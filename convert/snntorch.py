"""Networks of snnTorch's modules, in real numbers; the library is not imported.

    Leaky       v = beta v + x
    Synaptic    u = alpha u + x,  v = beta v + u
    spike where v > threshold

With `reset_mechanism="zero"`, Leaky sets v to zero before the step after a spike, which gives the
spikes of a reset right after it, whatever its `reset_delay`. Synaptic with `reset_delay=True` holds
v at zero all through that step, so that it cannot fire twice in a row: no chip does that.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..runtime.errors import NetworkError
from .chain import chained
from .findings import Finding, check_none_refused
from .graph import Graph
from .modules import Reading, Refused, Thing, array, cell, examined, number


def from_snntorch(
    module: Any, input_shape: tuple[int, ...], value_bits: int = 1
) -> tuple[Graph, tuple[Finding, ...]]:
    """Return the network of `module`, and how each of its layers was carried over.

    `module` is a Sequential or list of layers, neurons among them; `input_shape` is (channels,
    height, width) or (neurons,), of `value_bits` bits. Layers after the last neurons are added up
    by a read-out. Raises `NetworkError` where a layer cannot be carried over, with its parameter.
    """
    things, findings = examined(module, CELLS)
    check_none_refused(findings, NetworkError)
    return chained(things, input_shape, value_bits, {"format": "snntorch"}), findings


def _leaky(node: Any) -> tuple[Thing, str]:
    return _cell(node, 1.0)


def _synaptic(node: Any) -> tuple[Thing, str]:
    if getattr(node, "reset_delay", True) and node.reset_mechanism == "zero":
        raise Refused(
            "reset_delay=True holds the voltage at zero for a step after each spike",
            "train with reset_delay=False",
        )
    return _cell(node, _lost(node.alpha))


def _cell(node: Any, current_decay: Any) -> tuple[Thing, str]:
    if node.inhibition:
        raise Refused("inhibition=True lets one neuron fire at a time", "train without it")
    if node.state_quant:
        raise Refused("state_quant rounds its states", "train without it")
    if number(getattr(node, "graded_spikes_factor", 1.0), "graded_spikes_factor") != 1.0:
        raise Refused("graded_spikes_factor is not 1", "train with binary spikes")
    decay = _lost(node.beta)
    reset = node.reset_mechanism
    if reset == "none":
        rule = cell(current_decay=current_decay, voltage_decay=decay, spikes=False)
        return rule, "never reset, so read by its voltage"
    if reset != "zero":
        raise Refused(
            f"reset_mechanism={reset!r} subtracts the threshold",
            'train with reset_mechanism="zero"',
        )
    threshold = array(node.threshold)
    if threshold.min() <= 0:
        raise Refused(f"threshold is {threshold.min():g}", "use one above zero")
    return cell(threshold, current_decay, decay), "fires above its threshold, as here"


def _lost(kept: Any) -> Any:
    """Return the share lost a step, where the library has the share that is kept."""
    return 1 - np.clip(array(kept), 0.0, 1.0)


CELLS: Mapping[str, Reading] = {"Leaky": _leaky, "Synaptic": _synaptic}
