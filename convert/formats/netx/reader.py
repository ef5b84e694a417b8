"""Read netx `.net` files, which SLAYER (lava-dl) writes: integers, taken over unchanged.

Where neurons have a bias, it matters at which timestep each layer begins, and the runs differ that
a `.net` file may be meant for:

slayer       SLAYER passes spikes on one timestep later, and the biases of all layers count from the
             first timestep. Where no neuron has a bias, the step between blocks only shifts the run
             of each layer and is left out: the spikes of layer `k` (from 0) at timestep `t` are
             SLAYER's at `t + k`. With a bias anywhere, the projections between blocks have a delay
             of one. The shift of the last block is always left out.
synchronous  netx resets layer `k` at step `k` of each sample (its `reset_interval`). From there on
             each layer computes as if all layers began together and spikes took no time: timestep
             `t` of layer `k` is step `t + k` on the chip.
pipelined    netx without resets: every connection takes one step, also that from an input without
             neurons, and the biases of all layers count from the first step. This is also what the
             layers compute on the chip before their first reset.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ....runtime.arithmetic import ALIGN_BITS
from ....runtime.connections import Connection
from ....runtime.errors import FileError, NetworkError
from ....runtime.network import Network
from ....runtime.population import ENCODERS, LIMITS, MESSAGE_BITS, Population
from ....runtime.projection import Projection
from ...diagnostics import LayerDiagnostic, raise_if_unsupported
from ...quantize.float_network import as_shape
from ..hdf5.reader import read_hdf5
from .checks import (
    ADAPTIVE,
    CHIP_INPUT_BITS,
    INPUT_BITS,
    READOUT_THRESHOLD,
    SIGMA_DELTA,
    SIGNED_INPUT_BITS,
    Timing,
    check_layers,
    norm_shift,
)
from .connections import (
    as_written_to_neurons,
    build_connection,
    dense_connection,
    identity_connection,
    select_sources,
    to_8_bit,
)
from .resonators import RESONATOR_KINDS, build_resonators, weight_parts
from .schema import Arrays, Layer, read_layers

Shape = tuple[int, ...]
ADAPTATION = {
    "vThStep": "threshold_step",
    "thDecay": "threshold_decay",
    "refDecay": "refractory_decay",
}
DELTA_INPUT_BITS = 16  # of a delta encoder, with the sign
FLAT_LAYERS = ("dense", "dense_rec", "average")
# The neurons that netx gives a dense layer without any: an integrator.
INTEGRATOR_DEFAULTS = {"iDecay": 0, "vDecay": 4096, "vThMant": READOUT_THRESHOLD}


@dataclass(frozen=True)
class NetxOptions:
    """Options for what a `.net` file does not specify.

    Attributes:
        input_shape: (channels, height, width) or (neurons,); needed where the file has no input
            layer and begins with a convolution.
        value_bits: Bits of an input value.
        timing: When the layers begin, see this module.
        skip_layers: Number of layers to leave out at the beginning. The input then is what the
            last of them would send.
        signed: Whether values of the input may be negative.
    """

    input_shape: Shape | None = None
    value_bits: int = 1
    timing: Timing = "slayer"
    skip_layers: int = 0
    signed: bool = False

    def __post_init__(self) -> None:
        if self.timing not in get_args(Timing):
            raise NetworkError(f"timing {self.timing!r} is none of {', '.join(get_args(Timing))}")
        if self.skip_layers < 0:
            raise NetworkError(f"skip_layers is {self.skip_layers}, needs 0 or more")


def read_netx(
    path: str | os.PathLike[str], options: NetxOptions | None = None
) -> tuple[Network, tuple[LayerDiagnostic, ...]]:
    """Read a netx `.net` file.

    Args:
        path: The file.
        options: What the file does not specify.

    Returns:
        The network, and a diagnostic per layer.

    Raises:
        FileError: The file is absent or damaged, or holds an unsupported layer.
    """
    arrays = read_hdf5(path)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    provenance = {"source": Path(path).name, "format": "netx", "sha256": digest}
    try:
        return build_network(arrays, options or NetxOptions(), provenance)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def build_network(
    file: Arrays, options: NetxOptions, provenance: Mapping[str, Any]
) -> tuple[Network, tuple[LayerDiagnostic, ...]]:
    """Build the network of the datasets of a `.net` file; see `read_netx`."""
    layers = read_layers(file)
    diagnostics = check_layers(layers, options.timing, options.skip_layers, options.signed)
    raise_if_unsupported(diagnostics, FileError)
    try:
        return _assemble(layers, options, provenance), diagnostics
    except FileError:
        raise
    except (NetworkError, MemoryError) as error:
        raise FileError(str(error)) from None


@dataclass(frozen=True)
class _Cursor:
    """The last population so far, and the delay of its spikes.

    `axon_delay` is that of each neuron, int64 of the population's shape; `block_delay` the
    timesteps between its block and the next. After a `flat` one only dense layers may follow.
    """

    population: Population
    axon_delay: NDArray[np.int64]
    block_delay: int = 0
    flat: bool = False


def _assemble(layers: list[Layer], options: NetxOptions, provenance: Mapping[str, Any]) -> Network:
    inputs, layers = _input_population(layers, options)
    biased = any(layer.has("bias") and np.any(layer.integers("bias")) for layer in layers)
    pipelined = options.timing == "pipelined"
    from_outside = bool(layers) and layers[0].kind == "input" and bool(layers[0].neuron_type())
    first_delay = int(pipelined and not from_outside)  # netx writes values into the first layer
    cursor = _Cursor(inputs, np.zeros(inputs.shape, np.int64), first_delay)
    populations, projections = [inputs], []
    for layer in layers:
        if layer.kind == "input" and layer.position:
            raise FileError(f"{layer.name}: is an input, needs to be the first layer")
        if layer.kind == "flatten":
            cursor = replace(cursor, flat=True)
        elif layer.kind != "input" or layer.neuron_type():
            block_delay = pipelined or (options.timing == "slayer" and _shifts(layer, biased))
            cursor, incoming = _append_layer(cursor, layer, options.timing)
            cursor = replace(cursor, block_delay=int(block_delay))
            populations.append(cursor.population)
            projections += incoming
    if not projections:
        raise FileError("has no layer with weights, so it is no network")
    if cursor.axon_delay.any() and cursor.population.kind not in ENCODERS:
        last = cursor.population
        relay = Population(f"{last.name}_late", last.shape, voltage_decay=4096, threshold=1)
        populations.append(relay)
        identity = identity_connection(last.neurons, 2)
        projections += _split_by_delay(last, relay, identity, 0, cursor.axon_delay)
    if cursor.population.kind in ENCODERS:
        last = cursor.population
        populations.append(Population(f"{last.name}_sum", last.shape, "integrator", align_bits=0))
        identity = identity_connection(last.neurons, 1)
        delay = cursor.axon_delay + cursor.block_delay
        projections += _split_by_delay(last, populations[-1], identity, 0, delay)
    return Network(tuple(populations), tuple(projections), provenance=provenance)


def _shifts(layer: Layer, biased: bool) -> bool:
    """Test whether it matters that SLAYER passes the spikes of `layer` on one timestep later."""
    if layer.has("delayShift"):
        return biased and layer.integer("delayShift") > 0
    return biased and layer.neuron_type() != SIGMA_DELTA


def _input_population(layers: list[Layer], options: NetxOptions) -> tuple[Population, list[Layer]]:
    """The input population, and the layers that follow it."""
    skipped, rest = layers[: options.skip_layers], layers[options.skip_layers :]
    if not rest:
        raise FileError(f"has {len(layers)} layers, cannot leave out {options.skip_layers}")
    if skipped:
        shapes = [layer.shape() for layer in skipped if layer.kind != "flatten"]
        shape = shapes[-1] if shapes else None
        if shape is not None and any(layer.kind in FLAT_LAYERS for layer in skipped):
            shape = (int(np.prod(shape)),)
        rest = [each for each in skipped[-1:] if each.kind == "flatten"] + rest
        options = replace(options, input_shape=shape)
    shape, bits = _input_shape_and_bits(rest, options)
    if any(layer.neuron_type() == SIGMA_DELTA for layer in rest[:2]):
        bits = DELTA_INPUT_BITS if rest[0].kind == "input" else MESSAGE_BITS
    signed = options.signed or bits in (DELTA_INPUT_BITS, MESSAGE_BITS)
    return Population("input", shape, "input", value_bits=bits, signed=signed), rest


def _input_shape_and_bits(layers: list[Layer], options: NetxOptions) -> tuple[Shape, int]:
    first = layers[0]
    if first.kind == "input":
        chip = options.timing != "slayer"
        integer_bits = CHIP_INPUT_BITS if chip else INPUT_BITS
        if options.signed:
            integer_bits = SIGNED_INPUT_BITS[options.timing]
        return first.shape(), integer_bits if first.neuron_type() else options.value_bits
    if options.input_shape is not None:
        return as_shape(options.input_shape), options.value_bits
    if first.kind in ("dense", "dense_rec"):
        weights = next(weight_parts(first))[0].integers("weight")
        return (weights.size // int(np.prod(first.shape())),), options.value_bits
    raise FileError(
        f"{first.name}: is the first layer, and the file has no input layer; give its input_shape"
    )


def _append_layer(
    cursor: _Cursor, layer: Layer, timing: Timing
) -> tuple[_Cursor, list[Projection]]:
    """Append `layer`; returns the new cursor and the projections into it."""
    source = cursor.population
    if layer.kind == "input" and timing != "slayer" and layer.neuron_type() != SIGMA_DELTA:
        layer = as_written_to_neurons(layer)
    population = _build_population(layer, source)
    if cursor.flat and layer.kind not in FLAT_LAYERS:
        raise FileError(f"{layer.name}: follows a flatten layer, needs to be dense")
    source_delay, axon_delay = _layer_delays(layer, source, population)
    delay = cursor.axon_delay + cursor.block_delay + source_delay
    projections = []
    for part, component in weight_parts(layer):
        connection, exponent = build_connection(part, source.shape)
        exponent += max(-norm_shift(layer), 0)
        several = _split_by_delay(source, population, connection, exponent, delay)
        if component == "imag":
            several = [replace(p, name=f"{p.name}-imag", component="imag") for p in several]
        projections += several
    if layer.kind == "dense_rec":
        who = f"{layer.name}: weight_rec"
        weights, exponent = to_8_bit(layer.integers("weight_rec"), who)
        loop = dense_connection(weights, population.neurons, who)
        exponent += max(-norm_shift(layer), 0)
        name = population.name
        projections.append(Projection(f"{name}-{name}", name, name, loop, exponent, delay=1))
    return _Cursor(population, axon_delay), projections


def _build_population(layer: Layer, source: Population) -> Population:
    shape = layer.shape()
    align_bits = 0 if source.kind == "sigma_delta" else ALIGN_BITS
    if layer.kind == "average":
        return Population(layer.name, shape[:1], "integrator", align_bits=align_bits)
    if layer.kind in FLAT_LAYERS:
        shape = (int(np.prod(shape)),)
    if layer.kind == "input":
        shape = source.shape
    if layer.neuron_type() == SIGMA_DELTA:
        return _build_sigma_delta(layer, shape)
    if layer.neuron_type() in RESONATOR_KINDS:
        return build_resonators(layer, shape)
    values: dict[str, Any] = {}
    for key in INTEGRATOR_DEFAULTS:
        if layer.neuron_type() and not layer.has(f"neuron/{key}"):
            raise FileError(f"{layer.name}: its neurons have no {key!r}")
        if not layer.neuron_type() and layer.kind not in FLAT_LAYERS:
            raise FileError(f"{layer.name}: has no neurons")
        values[key] = layer.neuron_parameter(key, INTEGRATOR_DEFAULTS[key])
    shift = norm_shift(layer)
    bias = layer.integers("bias").reshape(-1) if layer.has("bias") else np.zeros(1, np.int64)
    bias = bias << max(-shift, 0)
    silent = bool(np.min(values["vThMant"]) >= LIMITS["threshold"][1])
    return Population(
        layer.name,
        shape,
        "integrator" if silent else "cuba",
        **({} if silent else _adaptation(layer)),
        current_decay=values["iDecay"],
        voltage_decay=values["vDecay"],
        threshold=0 if silent else values["vThMant"] << max(shift, 0),
        bias=int(bias[0]) if bias.size == 1 else bias,
    )


def _adaptation(layer: Layer) -> dict[str, Any]:
    """Parameters of adaptive thresholds, none of other neurons."""
    if layer.neuron_type() != ADAPTIVE:
        return {}
    found: dict[str, Any] = {"reset": "adaptive"}
    for key, name in ADAPTATION.items():
        if not layer.has(f"neuron/{key}"):
            raise FileError(f"{layer.name}: its neurons have no {key!r}")
        found[name] = layer.neuron_parameter(key, 0)
    return found


def _build_sigma_delta(layer: Layer, shape: Shape) -> Population:
    if layer.has("neuron/sigma_output"):
        return Population(layer.name, shape, "integrator", align_bits=0)
    if not layer.has("neuron/vThMant"):
        raise FileError(f"{layer.name}: its neurons have no 'vThMant'")
    threshold = layer.neuron_parameter("vThMant", 0)
    if layer.kind == "input":
        return Population(layer.name, shape, "delta", threshold=threshold)
    bias = layer.integers("bias").reshape(-1) if layer.has("bias") else np.zeros(1, np.int64)
    return Population(
        layer.name,
        shape,
        "sigma_delta",
        threshold=threshold,
        bias=int(bias[0]) if bias.size == 1 else bias,
    )


def _layer_delays(
    layer: Layer, source: Population, population: Population
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Delays of `layer` in timesteps, of each source neuron and of each of its own axons."""
    none, own = np.zeros(source.shape, np.int64), np.zeros(population.shape, np.int64)
    if not layer.has("delay"):
        return none, own
    delay = layer.integers("delay")
    if population.kind == "integrator" and delay.min() == delay.max():
        return none + delay.min(), own  # it sends no spikes, so its inputs are delayed instead
    if delay.size == 1 or delay.shape == population.shape[:1]:
        return none, own + delay.reshape(-1, *[1] * (own.ndim - 1))
    if delay.size == source.neurons:
        return delay.reshape(source.shape), own
    raise FileError(
        f"{layer.name}: has {delay.size} delays, needs one, or one for each of its "
        f"{population.shape[0]} channels or neurons"
    )


def _split_by_delay(
    source: Population,
    target: Population,
    connection: Connection,
    exponent: int,
    delays: NDArray[np.int64],
) -> list[Projection]:
    """Projections of `connection`, one for each delay among the source neurons."""
    name = f"{source.name}-{target.name}"
    steps = [int(value) for value in np.unique(delays)]
    if len(steps) == 1:
        return [Projection(name, source.name, target.name, connection, exponent, steps[0])]
    return [
        Projection(
            f"{name}-{delay}",
            source.name,
            target.name,
            select_sources(connection, source.shape, delays == delay),
            exponent,
            delay,
        )
        for delay in steps
    ]
