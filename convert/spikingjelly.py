"""Networks of SpikingJelly's modules, in real numbers; the library is not imported.

With `v_reset` taken off every voltage, its neurons are those of `convert.graph`:

    IF      v = v + x
    LIF     v = v (1 - 1/tau) + x, with decay_input x / tau; parametric LIF: 1/tau = sigmoid(w)
    spike where v >= v_threshold, and then v = v_reset

The chip fires above the threshold, not at it: see `convert.neuron_rule` for what is done about it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..runtime.errors import NetworkError
from .chain import chained
from .findings import Finding, check_none_refused
from .graph import Graph
from .modules import LAYERS, MeanTo, Reading, Refused, Thing, cell, examined, number

FIRES = "fires at its threshold or above, so the threshold is put just below"


def from_spikingjelly(
    module: Any, input_shape: tuple[int, ...], value_bits: int = 1
) -> tuple[Graph, tuple[Finding, ...]]:
    """Return the network of `module`, and how each of its layers was carried over.

    `module` is a Sequential or list of layers, neurons among them; `input_shape` is (channels,
    height, width) or (neurons,), of `value_bits` bits. Layers after the last neurons are added up
    by a read-out. Raises `NetworkError` where a layer cannot be carried over, with its parameter.
    """
    things, findings = examined(module, CELLS)
    check_none_refused(findings, NetworkError)
    return chained(things, input_shape, value_bits, {"format": "spikingjelly"}), findings


def _threshold(node: Any) -> float:
    if node.v_reset is None:
        raise Refused("v_reset=None subtracts the threshold", "train with v_reset=0.0")
    threshold = number(node.v_threshold, "v_threshold") - number(node.v_reset, "v_reset")
    if threshold <= 0:
        raise Refused(f"v_threshold is not above v_reset {node.v_reset}")
    return threshold


def _integrate(node: Any) -> tuple[Thing, str]:
    return cell(_threshold(node), inclusive=True), FIRES


def _leaky(node: Any) -> tuple[Thing, str]:
    return _decaying(node, 1 / number(node.tau, "tau"))


def _parametric(node: Any) -> tuple[Thing, str]:
    return _decaying(node, 1 / (1 + float(np.exp(-number(node.w, "w")))))


def _decaying(node: Any, decay: float) -> tuple[Thing, str]:
    gain = decay if node.decay_input else 1.0
    return cell(_threshold(node), voltage_decay=decay, gain=gain, inclusive=True), FIRES


def _read_out(node: Any) -> tuple[Thing, str]:
    decay = 1 / number(node.tau, "tau") if hasattr(node, "tau") else 0.0
    rule = cell(voltage_decay=decay, gain=decay or 1.0, spikes=False)
    return rule, "read by its voltage at every step; its `decode` is up to the reader"


def _voting(layer: Any) -> tuple[Thing, str]:
    return MeanTo(int(layer.voting_size), groups=True), "means of groups, added up by a read-out"


CELLS: Mapping[str, Reading] = {
    "IFNode": _integrate,
    "LIFNode": _leaky,
    "ParametricLIFNode": _parametric,
    "NonSpikingIFNode": _read_out,
    "NonSpikingLIFNode": _read_out,
    "VotingLayer": _voting,
    **dict.fromkeys(
        ("ThresholdDependentBatchNorm1d", "ThresholdDependentBatchNorm2d"), LAYERS["BatchNorm2d"]
    ),
}
