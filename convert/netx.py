"""Networks from netx `.net` files, which SLAYER (lava-dl) writes: the integers as they stand there.

SLAYER's block gives its spikes one step later to the next. Where no neuron has a bias, that only
shifts the run of each layer as a whole, so that it is left out: the spikes of layer `k` (from 0) at
step `t` are SLAYER's at step `t + k`. A bias makes the difference heard, so with one anywhere the
projections between blocks get a delay of one step. The last block's own shift stays left out.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.connections import Connection
from ..runtime.errors import FileError, NetworkError
from ..runtime.network import Network
from ..runtime.population import Population
from ..runtime.projection import Projection
from .findings import Finding, check_none_refused
from .hdf5 import contents
from .netx_layer import Arrays, Layer, layers
from .netx_rules import NEVER_FIRES, VALUE_BITS, examined, shift
from .netx_weights import held, matrix, one_to_one, part, synapses

Shape = tuple[int, ...]
FLAT = ("dense", "dense_rec", "average")
# The neurons that netx gives a dense layer without any: an integrator.
WITHOUT_NEURONS = {"iDecay": 0, "vDecay": 4096, "vThMant": NEVER_FIRES}


def read_netx(
    path: str | os.PathLike[str], input_shape: Shape | None = None, value_bits: int = 1
) -> tuple[Network, tuple[Finding, ...]]:
    """Return the network of a `.net` file, and how each layer was carried over.

    `input_shape` is (channels, height, width) or (neurons,), needed where the file has no input
    layer and begins with a convolution. The input carries values of `value_bits` bits. Raises
    `FileError` where the file is damaged or holds a layer that cannot be carried over.
    """
    arrays = contents(path)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    made_by = {"source": Path(path).name, "format": "netx", "sha256": digest}
    try:
        return network_from(arrays, input_shape, value_bits, made_by)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def network_from(
    file: Arrays,
    input_shape: Shape | None,
    value_bits: int,
    provenance: Mapping[str, Any],
) -> tuple[Network, tuple[Finding, ...]]:
    """Return the network of the contents of a `.net` file; see `read_netx`."""
    found = layers(file)
    findings = examined(found)
    check_none_refused(findings, FileError)
    try:
        return _built(found, input_shape, value_bits, provenance), findings
    except FileError:
        raise
    except (NetworkError, MemoryError) as error:
        raise FileError(str(error)) from None


@dataclass(frozen=True)
class _End:
    """The last population so far, and by how many steps its spikes leave late.

    `late` is the delay of each neuron's axon, int64 of the population's shape; `hop` the step
    between SLAYER's blocks. After a `flat` end only dense layers may come.
    """

    population: Population
    late: NDArray[np.int64]
    hop: int = 0
    flat: bool = False


def _built(
    found: list[Layer], input_shape: Shape | None, value_bits: int, provenance: Mapping[str, Any]
) -> Network:
    biased = any(layer.has("bias") and np.any(layer.numbers("bias")) for layer in found)
    shape, bits = _start(found, input_shape, value_bits)
    end = _End(Population("input", shape, "input", value_bits=bits), np.zeros(shape, np.int64))
    populations, projections = [end.population], []
    for layer in found:
        if layer.kind == "input" and layer is not found[0]:
            raise FileError(f"{layer.name}: is an input, needs to be the first layer")
        if layer.kind == "flatten":
            end = replace(end, flat=True)
        elif layer.kind != "input" or layer.neuron():
            end, joined = _extended(end, layer, biased)
            populations.append(end.population)
            projections += joined
    if not projections:
        raise FileError("has no layer with weights, so it is no network")
    if end.late.any():
        last = end.population
        relay = Population(f"{last.name}_late", last.shape, voltage_decay=4096, threshold=1)
        populations.append(relay)
        projections += _joined(last, relay, one_to_one(last.neurons, 2), 0, end.late)
    return Network(tuple(populations), tuple(projections), provenance=provenance)


def _start(found: list[Layer], input_shape: Shape | None, value_bits: int) -> tuple[Shape, int]:
    """Return the shape of the input, and how many bits its values have."""
    first = found[0]
    if first.kind == "input":
        return first.shape(), VALUE_BITS if first.neuron() else value_bits
    if input_shape is not None:
        return tuple(input_shape), value_bits
    if first.kind in ("dense", "dense_rec"):
        return (first.numbers("weight").size // int(np.prod(first.shape())),), value_bits
    raise FileError(f"{first.name}: comes first, and the file has no input; give its input_shape")


def _extended(end: _End, layer: Layer, biased: bool) -> tuple[_End, list[Projection]]:
    """Return the end after `layer`, and the projections into it."""
    source, population = end.population, _population(layer, end.population.shape)
    if end.flat and layer.kind not in FLAT:
        raise FileError(f"{layer.name}: follows a flatten layer, needs to be dense")
    connection, exponent = synapses(layer, source.shape)
    exponent += max(-shift(layer), 0)
    incoming, outgoing = _delays(layer, source, population)
    late = end.late + end.hop + incoming
    joined = _joined(source, population, connection, exponent, late)
    if layer.kind == "dense_rec":
        who = f"{layer.name}: weight_rec"
        weights, exponent = held(layer.numbers("weight_rec"), who)
        loop = matrix(weights, population.neurons, who)
        exponent += max(-shift(layer), 0)
        name = population.name
        joined.append(Projection(f"{name}-{name}", name, name, loop, exponent, delay=1))
    hop = int(biased and (not layer.has("delayShift") or layer.number("delayShift") > 0))
    return _End(population, outgoing, hop), joined


def _population(layer: Layer, source: Shape) -> Population:
    shape = layer.shape()
    if layer.kind == "average":
        return Population(layer.name, shape[:1], "integrator")
    if layer.kind in FLAT:
        shape = (int(np.prod(shape)),)
    if layer.kind == "input":
        shape = source
    values: dict[str, Any] = {}
    for key in WITHOUT_NEURONS:
        if layer.neuron() and not layer.has(f"neuron/{key}"):
            raise FileError(f"{layer.name}: its neurons have no {key!r}")
        if not layer.neuron() and layer.kind not in FLAT:
            raise FileError(f"{layer.name}: has no neurons")
        values[key] = layer.parameter(key, WITHOUT_NEURONS[key])
    divided = shift(layer)
    bias = layer.numbers("bias").reshape(-1) if layer.has("bias") else np.zeros(1, np.int64)
    bias = bias << max(-divided, 0)
    silent = bool(np.min(values["vThMant"]) >= NEVER_FIRES)
    return Population(
        layer.name,
        shape,
        "integrator" if silent else "cuba",
        current_decay=values["iDecay"],
        voltage_decay=values["vDecay"],
        threshold=0 if silent else values["vThMant"] << max(divided, 0),
        bias=int(bias[0]) if bias.size == 1 else bias,
    )


def _delays(
    layer: Layer, source: Population, population: Population
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the delays of `layer` as steps of each source neuron and of each of its own."""
    none, own = np.zeros(source.shape, np.int64), np.zeros(population.shape, np.int64)
    if not layer.has("delay"):
        return none, own
    delay = layer.numbers("delay")
    if population.kind == "integrator" and delay.min() == delay.max():
        return none + delay.min(), own  # it sends no spikes, so those it gets are late
    if delay.size == 1 or delay.shape == population.shape[:1]:
        return none, own + delay.reshape(-1, *[1] * (own.ndim - 1))
    if delay.size == source.neurons:
        return delay.reshape(source.shape), own
    raise FileError(
        f"{layer.name}: has {delay.size} delays, needs one, or one for each of its "
        f"{population.shape[0]} channels or neurons"
    )


def _joined(
    source: Population,
    target: Population,
    connection: Connection,
    exponent: int,
    late: NDArray[np.int64],
) -> list[Projection]:
    """Return the projections that carry `connection`, one for each delay that occurs."""
    name = f"{source.name}-{target.name}"
    steps = [int(value) for value in np.unique(late)]
    if len(steps) == 1:
        return [Projection(name, source.name, target.name, connection, exponent, steps[0])]
    return [
        Projection(
            f"{name}-{delay}",
            source.name,
            target.name,
            part(connection, source.shape, late == delay),
            exponent,
            delay,
        )
        for delay in steps
    ]
