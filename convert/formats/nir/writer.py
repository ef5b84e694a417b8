"""A network as the nodes and edges of NIR, its integers as real numbers in weight units.

In discrete time (see `nir_nodes`) each node does exactly what its integers do, but for the chip's
rounding of decays. A share of zero lost a step would be an endless time constant; `LONG` stands
for it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.arithmetic import ALIGN_BITS, DECAY_ONE
from ....runtime.connections import Conv, Sparse, SumPool
from ....runtime.errors import NetworkError
from ....runtime.network import Network
from ....runtime.population import Population
from ....runtime.projection import Projection

LONG_TIME_CONSTANT = float(DECAY_ONE << 20)  # in steps
Values = dict[str, Any]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class NirGraph:
    """Nodes as NIR's files have them, edges, and which node holds what of the network.

    `neurons` gives the node of each population, `weights` that of each projection.
    """

    nodes: dict[str, Values]
    edges: list[tuple[str, str]]
    population_nodes: dict[str, str]
    projection_nodes: dict[str, str]


def to_nir_graph(network: Network, dt: float) -> NirGraph:
    """Return `network` in NIR's nodes, with steps of `dt` seconds.

    Raises `NetworkError` for a dense projection into an image, which NIR has no node for.
    """
    if len(network.inputs) != 1:
        raise NetworkError(f"network: has {len(network.inputs)} inputs, a .nir file takes one here")
    found = NirGraph({}, [], {}, {})
    for population in network.populations:
        carrier = _find_bias_carrier(network, population)
        values = _neuron_node(population, dt, carrier is not None)
        found.population_nodes[population.name] = _add_node(found, population.name, values)
    for projection in network.projections:
        _add_projection(found, network, projection, dt)
    answer = network.population(network.output)
    node = _add_node(found, "output", {"type": "Output", "shape": np.array(answer.shape)})
    found.edges.append((found.population_nodes[answer.name], node))
    return found


def _add_node(found: NirGraph, name: str, values: Values) -> str:
    while name in found.nodes:
        name += "_"
    found.nodes[name] = values
    return name


def _bias_in_weight_units(population: Population) -> Float64Array:
    """Return the bias in weight units."""
    mantissas: Float64Array = population.bias.astype(np.float64)
    return mantissas * 2.0 ** (population.bias_exponent - ALIGN_BITS)


def _find_bias_carrier(network: Network, population: Population) -> Projection | None:
    """Return the projection whose node can bring the bias, which more programs read than v_leak.

    There is none where the current would filter it or it differs within a channel.
    """
    if population.kind == "input" or np.any(population.current_decay != DECAY_ONE):
        return None
    for projection in network.incoming(population.name):
        if not isinstance(projection.connection, SumPool):
            wide = population.bias.shape == population.shape and len(population.shape) == 3
            return None if wide and isinstance(projection.connection, Conv) else projection
    return None


def _neuron_node(population: Population, dt: float, bias_is_carried: bool) -> Values:
    shape = population.shape
    if population.kind == "input":
        return {"type": "Input", "shape": np.array(shape)}
    bias = np.zeros(1) if bias_is_carried else _bias_in_weight_units(population)

    def full(values: Any) -> NDArray[np.float32]:
        return np.broadcast_to(np.asarray(values, np.float64), shape).astype(np.float32)

    spikes = population.kind == "cuba"
    values: Values = {"type": "I"}
    if spikes:
        values |= {"v_threshold": full(population.threshold), "v_reset": full(0.0)}
    without_current = bool(np.all(population.current_decay == DECAY_ONE))
    if without_current and not np.any(population.voltage_decay) and not np.any(bias):
        return values | {"type": "IF" if spikes else "I", "r": full(1 / dt)}
    steps = _time_constants(population.voltage_decay)
    values |= {"r": full(steps), "v_leak": full(bias * steps)}
    if without_current:
        return values | {"type": "LIF" if spikes else "LI", "tau": full(steps * dt)}
    filtered = _time_constants(population.current_decay)
    values |= {"tau_mem": full(steps * dt), "tau_syn": full(filtered * dt), "w_in": full(filtered)}
    return values | {"type": "CubaLIF" if spikes else "CubaLI"}


def _time_constants(decay: NDArray[np.int32]) -> Float64Array:
    """Return the time constants of `decay` in steps."""
    return np.where(decay > 0, DECAY_ONE / np.maximum(decay, 1), LONG_TIME_CONSTANT)


def _add_projection(found: NirGraph, network: Network, projection: Projection, dt: float) -> None:
    source, target = network.population(projection.source), network.population(projection.target)
    connection, name = projection.connection, projection.name
    trail = [found.population_nodes[source.name]]

    def follow(label: str, values: Values) -> str:
        trail.append(_add_node(found, label, values))
        return trail[-1]

    if projection.delay:
        late = np.full(source.shape, projection.delay * dt, np.float32)
        follow(f"{name}_delay", {"type": "Delay", "delay": late})
    scale = 2.0**projection.weight_exponent
    carried = _find_bias_carrier(network, target) is projection and bool(np.any(target.bias))
    if isinstance(connection, SumPool):
        pool = {key: np.array(getattr(connection, key)) for key in ("stride", "padding")}
        pool |= {"kernel_size": np.array(connection.kernel)}
        follow(f"{name}_sum", {"type": "SumPool2d", **pool})
        weight = np.full(target.shape, connection.weight * scale, np.float32)
        found.projection_nodes[name] = follow(name, {"type": "Scale", "scale": weight})
    elif isinstance(connection, Conv):
        bias = _bias_in_weight_units(target).reshape(-1) if carried else np.zeros(1)
        found.projection_nodes[name] = follow(
            name, _conv_node(connection, source.shape, scale, bias)
        )
    else:
        if len(target.shape) == 3:
            raise NetworkError(f"{name}: is dense into an image, which NIR has no node for")
        if len(source.shape) == 3:
            flat = {"type": "Flatten", "start_dim": 0, "end_dim": -1}
            follow(f"{name}_flatten", {**flat, "input_type": np.array(source.shape)})
        weights = connection.weights * scale
        if isinstance(connection, Sparse):
            weights = np.zeros(connection.shape)
            weights[connection.rows, connection.columns] = connection.weights * scale
        values: Values = {"type": "Linear", "weight": weights.astype(np.float32)}
        if carried:
            bias = np.broadcast_to(_bias_in_weight_units(target), target.shape).astype(np.float32)
            values |= {"type": "Affine", "bias": bias}
        found.projection_nodes[name] = follow(name, values)
    trail.append(found.population_nodes[target.name])
    found.edges.extend(pairwise(trail))


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
