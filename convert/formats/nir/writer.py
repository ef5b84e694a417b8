"""Convert a network to the nodes and edges of NIR, its integers as floats in weight units.

In discrete time (see `ops`) each node computes exactly what its integers do, but for the chip's
rounding of decays. A decay of zero would be an infinite time constant; `LONG_TIME_CONSTANT`
replaces it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.arithmetic import ALIGN_BITS, DECAY_ONE
from ....runtime.connections import Conv, Sparse, SumPool
from ....runtime.errors import NetworkError
from ....runtime.network import Network
from ....runtime.population import RESONATORS, Population
from ....runtime.projection import Projection
from .ops import BOUND_KEY, REFRACTORY_KEY, RESET_KEY, SPIKES_KEY

LONG_TIME_CONSTANT = float(DECAY_ONE << 20)  # in timesteps
Values = dict[str, Any]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class NirGraph:
    """A NIR graph under construction.

    Attributes:
        nodes: Values of each node, as NIR files have them.
        edges: Pairs of node names.
        population_nodes: The node of each population.
        projection_nodes: The node that holds the weights of each projection.
    """

    nodes: dict[str, Values] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    population_nodes: dict[str, str] = field(default_factory=dict)
    projection_nodes: dict[str, str] = field(default_factory=dict)


def to_nir_graph(network: Network, dt: float) -> NirGraph:
    """Convert `network` to NIR nodes, with timesteps of `dt` seconds.

    Raises:
        NetworkError: It has several inputs, a dense projection into an image or resonate-and-fire
            neurons, which NIR has no node for.
    """
    if len(network.inputs) != 1:
        raise NetworkError(f"network: has {len(network.inputs)} inputs, a .nir file takes one here")
    graph = NirGraph()
    for population in network.populations:
        if population.kind in RESONATORS:
            raise NetworkError(
                f"{population.name}: NIR has no resonate-and-fire neurons; write a .pumice file"
            )
        carrier = _find_bias_carrier(network, population)
        values = _neuron_node(population, dt, carrier is not None)
        graph.population_nodes[population.name] = _add_node(graph, population.name, values)
    for projection in network.projections:
        _add_projection(graph, network, projection, dt)
    output = network.population(network.output)
    node = _add_node(graph, "output", {"type": "Output", "shape": np.array(output.shape)})
    graph.edges.append((graph.population_nodes[output.name], node))
    return graph


def _add_node(graph: NirGraph, name: str, values: Values) -> str:
    while name in graph.nodes:
        name += "_"
    graph.nodes[name] = values
    return name


def _bias_in_weight_units(population: Population) -> Float64Array:
    mantissas: Float64Array = population.bias.astype(np.float64)
    return mantissas * 2.0 ** (population.bias_exponent - ALIGN_BITS)


def _find_bias_carrier(network: Network, population: Population) -> Projection | None:
    """The projection whose node can hold the bias, which more programs read than `v_leak`.

    There is none where the current would filter it or it differs within a channel.
    """
    if population.kind == "input" or np.any(population.current_decay != DECAY_ONE):
        return None
    for projection in network.incoming(population.name):
        if not isinstance(projection.connection, SumPool):
            per_neuron = population.bias.shape == population.shape and len(population.shape) == 3
            conv = isinstance(projection.connection, Conv)
            return None if per_neuron and conv else projection
    return None


def _neuron_node(population: Population, dt: float, bias_is_carried: bool) -> Values:
    shape = population.shape
    if population.kind == "input":
        return {"type": "Input", "shape": np.array(shape)}
    bias = np.zeros(1) if bias_is_carried else _bias_in_weight_units(population)

    def full(values: Any) -> NDArray[np.float32]:
        return np.broadcast_to(np.asarray(values, np.float64), shape).astype(np.float32)

    spiking = population.kind == "cuba"
    values: Values = {"type": "I"}
    if spiking:
        values |= {"v_threshold": full(population.threshold), "v_reset": full(0.0)}
        values |= _reset_values(population, full)
    without_current = bool(np.all(population.current_decay == DECAY_ONE))
    if without_current and not np.any(population.voltage_decay) and not np.any(bias):
        return values | {"type": "IF" if spiking else "I", "r": full(1 / dt)}
    steps = _time_constants(population.voltage_decay)
    values |= {"r": full(steps), "v_leak": full(bias * steps)}
    if without_current:
        return values | {"type": "LIF" if spiking else "LI", "tau": full(steps * dt)}
    synaptic = _time_constants(population.current_decay)
    values |= {"tau_mem": full(steps * dt), "tau_syn": full(synaptic * dt), "w_in": full(synaptic)}
    return values | {"type": "CubaLIF" if spiking else "CubaLI"}


def _reset_values(population: Population, full: Callable[[Any], Any]) -> Values:
    """Reset by a spike: `v_reset`, and as metadata of the node what NIR has no field for.

    A soft reset that does not subtract the threshold is in the exact integers only.
    """
    values: Values = {}
    if population.reset == "value":
        values["v_reset"] = full(population.reset_value)
    elif population.reset != "zero":
        values[RESET_KEY] = population.reset
    if population.refractory:
        values[REFRACTORY_KEY] = population.refractory
    if population.max_spikes > 1:
        values[SPIKES_KEY] = population.max_spikes
    if population.bounded:
        values[BOUND_KEY] = full(population.min_voltage)
    return values


def _time_constants(decay: NDArray[np.int32]) -> Float64Array:
    """Time constants of `decay` in timesteps."""
    return np.where(decay > 0, DECAY_ONE / np.maximum(decay, 1), LONG_TIME_CONSTANT)


def _add_projection(graph: NirGraph, network: Network, projection: Projection, dt: float) -> None:
    source, target = network.population(projection.source), network.population(projection.target)
    path = [graph.population_nodes[source.name]]
    if projection.delay:
        delay = np.full(source.shape, projection.delay * dt, np.float32)
        values = {"type": "Delay", "delay": delay}
        path.append(_add_node(graph, f"{projection.name}_delay", values))
    bias = np.zeros(1)
    if _find_bias_carrier(network, target) is projection:
        bias = _bias_in_weight_units(target)
    path += _add_connection(graph, projection, source, target, bias)
    graph.projection_nodes[projection.name] = path[-1]
    path.append(graph.population_nodes[target.name])
    graph.edges.extend(pairwise(path))


def _add_connection(
    graph: NirGraph, projection: Projection, source: Population, target: Population, bias: Any
) -> list[str]:
    """Add the nodes of a connection; the last of them holds its weights."""
    connection, name = projection.connection, projection.name
    scale = 2.0**projection.weight_exponent
    nodes = []
    if isinstance(connection, SumPool):
        pool = {key: np.array(getattr(connection, key)) for key in ("stride", "padding")}
        pool |= {"kernel_size": np.array(connection.kernel)}
        nodes.append(_add_node(graph, f"{name}_sum", {"type": "SumPool2d", **pool}))
        weight = np.full(target.shape, connection.weight * scale, np.float32)
        return [*nodes, _add_node(graph, name, {"type": "Scale", "scale": weight})]
    if isinstance(connection, Conv):
        values = _conv_node(connection, source.shape, scale, bias.reshape(-1))
        return [_add_node(graph, name, values)]
    if len(target.shape) == 3:
        raise NetworkError(f"{name}: is dense into an image, which NIR has no node for")
    if len(source.shape) == 3:
        flatten = {"type": "Flatten", "start_dim": 0, "end_dim": -1}
        flatten |= {"input_type": np.array(source.shape)}
        nodes.append(_add_node(graph, f"{name}_flatten", flatten))
    weights = connection.weights * scale
    if isinstance(connection, Sparse):
        weights = np.zeros(connection.shape)
        weights[connection.rows, connection.columns] = connection.weights * scale
    linear: Values = {"type": "Linear", "weight": weights.astype(np.float32)}
    if np.any(bias):
        full_bias = np.broadcast_to(bias, target.shape).astype(np.float32)
        linear |= {"type": "Affine", "bias": full_bias}
    return [*nodes, _add_node(graph, name, linear)]


def _conv_node(conv: Conv, source: tuple[int, ...], scale: float, bias: Float64Array) -> Values:
    outputs = conv.weights.shape[0]
    return {
        "type": "Conv2d",
        "input_shape": np.array(source[1:]),
        "weight": (conv.weights * scale).astype(np.float32),
        "stride": np.array(conv.stride),
        "padding": np.array(conv.padding),
        "dilation": np.array(conv.dilation),
        "groups": conv.groups,
        "bias": np.broadcast_to(bias, (outputs,)).astype(np.float32),
    }
