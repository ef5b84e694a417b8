"""Build a float network from a NIR graph that any program may have written.

A projection is a path of stateless nodes from one population to the next; several paths into a
population add up. A cycle of projections without delay gets one timestep, on the projection that
closes it, as in every program that computes in timesteps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ....runtime.errors import FileError
from ....runtime.population import NAME_PATTERN
from ...quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...quantize.fuse import fuse_linear_ops
from ...quantize.linear_ops import ConvOp, FusedLinear, LinearOp, Op, Shape
from ...quantize.neuron_params import NeuronParams, make_neuron_params
from ...quantize.neuron_populations import Incoming, build_neurons
from .ops import NEURON_KINDS, Delay, Reset, convert_neuron, convert_op
from .reader import NirFile, NirNode

SOURCE_KINDS = (*NEURON_KINDS, "Input")
MAX_PATHS = 10_000
READOUT_PARAMS = make_neuron_params(spiking=False)


@dataclass(frozen=True)
class NodePath:
    """Stateless nodes, in their order, from population `source` to population `target`."""

    source: str
    target: str
    nodes: tuple[str, ...]


def build_float_network(
    file: NirFile, dt: float, reset: Reset | None, value_bits: int
) -> FloatNetwork:
    """Build the float network of a file whose nodes are all supported.

    Args:
        file: The parsed file.
        dt: Seconds per timestep.
        reset: Reset of neurons where the file does not specify it.
        value_bits: Bits of an input value.

    Raises:
        FileError: The graph makes no network.
    """
    start, end = _find_ends(file)
    neurons = {
        name: convert_neuron(node, dt, reset)
        for name, node in file.nodes.items()
        if node.kind in NEURON_KINDS
    }
    output = _find_output(file, end.name)
    if output == end.name:
        neurons[output] = READOUT_PARAMS
    paths = [path for name in neurons for path in _iter_paths(file, name)]
    if len(paths) > MAX_PATHS:
        raise FileError(f"has more than {MAX_PATHS} paths between its populations")
    fused = _fuse_paths(file, dt, paths, {start.name: start.shape("shape")}, neurons)
    nodes = [start.name, *neurons]
    names = dict(zip(nodes, _unique_names(nodes), strict=True))
    delays = _assign_delays(file, dt, start.name, paths)
    populations: list[FloatPopulation] = []
    projections: list[FloatProjection] = []
    for name in _topological_order(start.name, list(neurons), paths, delays):
        incoming = [path for path in paths if path.target == name]
        if not incoming:
            raise FileError(f"{name}: nothing projects to it")
        labelled = [
            Incoming(
                "-".join((names[path.source], *path.nodes, names[name])),
                names[path.source],
                fused[path],
                delays[path],
            )
            for path in incoming
        ]
        made, own = build_neurons(names[name], neurons[name], labelled)
        populations += (replace(population, node=name) for population in made)
        projections += own
    labels = _unique_names([projection.name for projection in projections])
    return FloatNetwork(
        names[start.name],
        start.shape("shape"),
        value_bits,
        tuple(populations),
        tuple(replace(p, name=label) for p, label in zip(projections, labels, strict=True)),
        names[output],
    )


def _find_ends(file: NirFile) -> tuple[NirNode, NirNode]:
    """The input and the output node."""
    inputs = [node for node in file.nodes.values() if node.kind == "Input"]
    outputs = [node for node in file.nodes.values() if node.kind == "Output"]
    if len(inputs) != 1 or len(outputs) != 1:
        raise FileError(f"has {len(inputs)} inputs and {len(outputs)} outputs, needs one of each")
    return inputs[0], outputs[0]


def _find_output(file: NirFile, output: str) -> str:
    """The population that is read out: the output node itself where a linear layer feeds it."""
    predecessors = file.predecessors(output)
    if len(predecessors) == 1 and file.nodes[predecessors[0]].kind in NEURON_KINDS:
        return predecessors[0]
    return output


def _iter_paths(file: NirFile, target: str) -> Iterator[NodePath]:
    """Iterate over the paths to `target`, searched backwards."""
    stack: list[tuple[str, tuple[str, ...]]] = [(target, ())]
    while stack:
        name, following = stack.pop()
        for predecessor in file.predecessors(name):
            if file.nodes[predecessor].kind in SOURCE_KINDS:
                yield NodePath(predecessor, target, following)
            elif predecessor in following:
                raise FileError(f"{predecessor}: is in a cycle without neurons")
            else:
                stack.append((predecessor, (predecessor, *following)))
        if len(stack) > MAX_PATHS:
            raise FileError(f"{target}: is the target of more than {MAX_PATHS} paths")


def _fuse_paths(
    file: NirFile,
    dt: float,
    paths: list[NodePath],
    shapes: dict[str, Shape],
    neurons: Mapping[str, NeuronParams],
) -> dict[NodePath, FusedLinear]:
    """Fuse the nodes of each path; shapes follow from the input on, or from parameters."""
    for name, params in neurons.items():
        arrays = params.gain, params.threshold, params.bias
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        if len(shape) in (2, 4) and shape[0] == 1:
            shape = shape[1:]  # a batch axis
        if np.prod(shape) > 1:
            shapes[name] = shape
    fused: dict[NodePath, FusedLinear] = {}
    counted: set[tuple[str, ...]] = set()
    while len(fused) < len(paths):
        ready = [path for path in paths if path.source in shapes and path not in fused]
        if not ready:
            missing = next(path for path in paths if path not in fused)
            raise FileError(f"{missing.source}: its shape is unknown; no input reaches it")
        for path in ready:
            ops = _path_ops(file, dt, path, counted)
            fused[path] = fuse_linear_ops(ops, shapes[path.source])
            shape = fused[path].shape
            expected = shapes.setdefault(path.target, shape)
            if shape != expected:
                raise FileError(
                    f"{path.target}: has shape {expected}, but gets {shape} from {path.source}"
                )
    return fused


def _path_ops(
    file: NirFile, dt: float, path: NodePath, counted: set[tuple[str, ...]]
) -> list[tuple[str, Op]]:
    """Linear operations of `path`; a bias that several paths share counts once."""
    ops = []
    for index, name in enumerate(path.nodes):
        op = convert_op(file.nodes[name], dt)
        if isinstance(op, ConvOp | LinearOp):
            rest = (*path.nodes[index:], path.target)
            if rest in counted:
                op = replace(op, bias=np.zeros_like(op.bias))
            counted.add(rest)
            later = (convert_op(file.nodes[node], dt) for node in path.nodes[index:])
            if np.any(op.bias) and any(isinstance(each, Delay) for each in later):
                raise FileError(f"{name}: its bias passes through a delay; delay before it")
        if not isinstance(op, Delay):
            ops.append((name, op))
    return ops


def _assign_delays(
    file: NirFile, dt: float, start: str, paths: list[NodePath]
) -> dict[NodePath, int]:
    """Delay of each path in timesteps, one where it closes a cycle without delay."""
    delays = {}
    for path in paths:
        ops = (convert_op(file.nodes[name], dt) for name in path.nodes)
        delays[path] = sum(op.steps for op in ops if isinstance(op, Delay))
    outgoing: dict[str, list[NodePath]] = {}
    for path in paths:
        outgoing.setdefault(path.source, []).append(path)
    on_stack, visited = set(), set()  # depth-first search for edges that close a cycle
    for first in (start, *outgoing):
        stack = [] if first in visited else [(first, iter(outgoing.get(first, [])))]
        on_stack |= {first} if stack else set()
        while stack:
            name, rest = stack[-1]
            path_or_none = next(rest, None)
            if path_or_none is None:
                stack.pop()
                on_stack.discard(name)
                visited.add(name)
                continue
            target = path_or_none.target
            if delays[path_or_none] == 0 and target in on_stack:
                delays[path_or_none] = 1
            elif delays[path_or_none] == 0 and target not in visited:
                on_stack.add(target)
                stack.append((target, iter(outgoing.get(target, []))))
    return delays


def _topological_order(
    start: str, names: list[str], paths: list[NodePath], delays: Mapping[NodePath, int]
) -> list[str]:
    """Sort `names`, each after those that project to it without delay."""
    order: list[str] = []
    while len(order) < len(names):
        order += [
            name
            for name in names
            if name not in order
            and all(
                path.source in (start, *order)
                for path in paths
                if path.target == name and not delays[path]
            )
        ]
    return order


def _sanitize_name(name: str) -> str:
    safe = "".join(letter if NAME_PATTERN.match(f"a{letter}") else "_" for letter in name)
    return safe if NAME_PATTERN.match(safe) else f"n{safe}"


def _unique_names(names: list[str]) -> list[str]:
    """A valid name for each of `names`, without duplicates."""
    unique: list[str] = []
    for name in names:
        sanitized = _sanitize_name(name)
        while sanitized in unique:
            sanitized += "_"
        unique.append(sanitized)
    return unique
