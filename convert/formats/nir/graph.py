"""The network of a NIR file that any program may have written, in real numbers.

A projection is a path of nodes without state from one population to the next; several paths to a
population add up. A cycle of projections without delay gets one step, on the projection that
closes it, as every program that takes steps gives it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ....runtime.errors import FileError
from ....runtime.population import NAME_PATTERN
from ...quantize.float_network import FloatNetwork
from ...quantize.fuse import fuse_linear_ops
from ...quantize.linear_ops import (
    ConvOp,
    FusedLinear,
    LinearOp,
    Op,
    Shape,
)
from ...quantize.neuron_params import NeuronParams, make_neuron_params
from .ops import (
    NEURON_KINDS,
    Delay,
    Reset,
    convert_neuron,
    convert_op,
)
from .reader import NirFile

SOURCE_KINDS = (*NEURON_KINDS, "Input")
MAX_PATHS = 10_000
READOUT_PARAMS = make_neuron_params(spiking=False)


@dataclass(frozen=True)
class NodePath:
    """Nodes without state, in their order, from population `source` to population `target`."""

    source: str
    target: str
    nodes: tuple[str, ...]


def build_float_network(
    file: NirFile, dt: float, reset: Reset | None, value_bits: int
) -> FloatNetwork:
    """Return the network of `file`, whose nodes can all be carried over; raises `FileError`."""
    inputs = [node for node in file.nodes.values() if node.kind == "Input"]
    outputs = [node for node in file.nodes.values() if node.kind == "Output"]
    if len(inputs) != 1 or len(outputs) != 1:
        raise FileError(f"has {len(inputs)} inputs and {len(outputs)} outputs, needs one of each")
    neurons = {
        name: convert_neuron(node, dt, reset)
        for name, node in file.nodes.items()
        if node.kind in NEURON_KINDS
    }
    answer = _find_output(file, outputs[0].name)
    if answer == outputs[0].name:
        neurons[answer] = READOUT_PARAMS
    paths = [path for name in neurons for path in _iter_paths(file, name)]
    if len(paths) > MAX_PATHS:
        raise FileError(f"has more than {MAX_PATHS} paths between its populations")
    maps = _fuse_paths(file, dt, paths, {inputs[0].name: inputs[0].shape("shape")}, neurons)
    known = [inputs[0].name, *neurons]
    names = dict(zip(known, _unique_names(known), strict=True))
    delays = _assign_delays(file, dt, inputs[0].name, paths)
    populations, projections = [], []
    for name in _topological_order(inputs[0].name, list(neurons), paths, delays):
        rule = neurons[name]
        incoming = [(path, maps[path]) for path in paths if path.target == name]
        if not incoming:
            raise FileError(f"{name}: nothing projects to it")
        population, scaled = rule.to_population(names[name], [value for _, value in incoming])
        populations.append(population)
        for (path, _), value in zip(incoming, scaled, strict=True):
            source, target = names[path.source], names[name]
            label = "-".join((source, *path.nodes, target))
            projections.append(value.to_projection(label, source, target, delays[path]))
    labels = _unique_names([projection.name for projection in projections])
    return FloatNetwork(
        names[inputs[0].name],
        inputs[0].shape("shape"),
        value_bits,
        tuple(populations),
        tuple(replace(p, name=label) for p, label in zip(projections, labels, strict=True)),
        names[answer],
    )


def _find_output(file: NirFile, output: str) -> str:
    """Return the population that answers: the output's own, where it is fed by a linear map."""
    before = file.predecessors(output)
    if len(before) == 1 and file.nodes[before[0]].kind in NEURON_KINDS:
        return before[0]
    return output


def _iter_paths(file: NirFile, target: str) -> Iterator[NodePath]:
    """Give each path to `target`, found backwards."""
    waiting: list[tuple[str, tuple[str, ...]]] = [(target, ())]
    while waiting:
        name, after = waiting.pop()
        for before in file.predecessors(name):
            if file.nodes[before].kind in SOURCE_KINDS:
                yield NodePath(before, target, after)
            elif before in after:
                raise FileError(f"{before}: is in a cycle without neurons")
            else:
                waiting.append((before, (before, *after)))
        if len(waiting) > MAX_PATHS:
            raise FileError(f"{target}: is reached by more than {MAX_PATHS} paths")


def _fuse_paths(
    file: NirFile,
    dt: float,
    paths: list[NodePath],
    shapes: dict[str, Shape],
    neurons: Mapping[str, NeuronParams],
) -> dict[NodePath, FusedLinear]:
    """Return what each path comes to; shapes are found from the input on, or from parameters."""
    for name, rule in neurons.items():
        given = np.broadcast_shapes(rule.gain.shape, rule.threshold.shape, rule.bias.shape)
        if np.prod(given) > 1:
            shapes[name] = given
    maps: dict[NodePath, FusedLinear] = {}
    counted: set[tuple[str, ...]] = set()
    while len(maps) < len(paths):
        ready = [path for path in paths if path.source in shapes and path not in maps]
        if not ready:
            missing = next(path for path in paths if path not in maps)
            raise FileError(f"{missing.source}: its shape is nowhere said; no input reaches it")
        for path in ready:
            maps[path] = fuse_linear_ops(_path_ops(file, dt, path, counted), shapes[path.source])
            found, expected = maps[path].shape, shapes.setdefault(path.target, maps[path].shape)
            if found != expected:
                raise FileError(
                    f"{path.target}: has shape {expected}, but gets {found} from {path.source}"
                )
    return maps


def _path_ops(
    file: NirFile, dt: float, path: NodePath, counted: set[tuple[str, ...]]
) -> list[tuple[str, Op]]:
    """Return the steps of `path`; a bias that several paths pass through counts once."""
    steps = []
    for place, name in enumerate(path.nodes):
        step = convert_op(file.nodes[name], dt)
        if isinstance(step, ConvOp | LinearOp):
            onward = (*path.nodes[place:], path.target)
            if onward in counted:
                step = replace(step, bias=np.zeros_like(step.bias))
            counted.add(onward)
            later = (convert_op(file.nodes[node], dt) for node in path.nodes[place:])
            if np.any(step.bias) and any(isinstance(node, Delay) for node in later):
                raise FileError(f"{name}: its bias passes through a delay; delay before it")
        if not isinstance(step, Delay):
            steps.append((name, step))
    return steps


def _assign_delays(
    file: NirFile, dt: float, start: str, paths: list[NodePath]
) -> dict[NodePath, int]:
    """Return the delay of each path in steps, with one more where it closes a cycle."""
    delays = {}
    for path in paths:
        steps = (convert_op(file.nodes[name], dt) for name in path.nodes)
        delays[path] = sum(step.steps for step in steps if isinstance(step, Delay))
    onward: dict[str, list[NodePath]] = {}
    for path in paths:
        onward.setdefault(path.source, []).append(path)
    open_, done = set(), set()
    for first in (start, *onward):
        trail = [] if first in done else [(first, iter(onward.get(first, [])))]
        open_ |= {first} if trail else set()
        while trail:
            name, rest = trail[-1]
            following = next(rest, None)
            if following is None:
                trail.pop()
                open_.discard(name)
                done.add(name)
            elif delays[following] == 0 and following.target in open_:
                delays[following] = 1
            elif delays[following] == 0 and following.target not in done:
                open_.add(following.target)
                trail.append((following.target, iter(onward.get(following.target, []))))
    return delays


def _topological_order(
    start: str, names: list[str], paths: list[NodePath], delays: Mapping[NodePath, int]
) -> list[str]:
    """Return `names`, each after those that reach it without delay."""
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
    """Return a valid name for each of `names`, no two the same."""
    given: list[str] = []
    for name in names:
        clean = _sanitize_name(name)
        while clean in given:
            clean += "_"
        given.append(clean)
    return given
