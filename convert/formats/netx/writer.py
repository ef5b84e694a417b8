"""Export to netx `.net` files, which lava-dl loads and runs with the same spikes.

netx takes a chain of layers and has one timestep of delay from layer to layer, so the spikes of
population `k` (from 1) at timestep `t` are netx's at `t + k`. Where neurons have a bias, load the
file with `netx.hdf5.Network(path, reset_interval=timesteps, reset_offset=1)`: only then does each
layer's bias count from that layer's first timestep, as it does here.
"""

import io
import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.connections import Connection, Conv, Dense, Sparse, SumPool, as_depthwise_conv
from ....runtime.errors import MissingPackage, NetworkError
from ....runtime.files import atomic_write
from ....runtime.network import Network
from ....runtime.neuron_types import list_features
from ....runtime.population import ENCODERS, LIMITS, RESONATORS, Population
from ....runtime.projection import Projection
from .resonators import resonator_entries

try:
    import h5py
except ImportError as error:
    raise MissingPackage("h5py is not installed; pip install 'pumice[convert]'") from error

READOUT_THRESHOLD = (1 << 18) - 1  # what SLAYER writes for a read-out
BIAS_EXPONENT = 6
Entries = dict[str, Any]
Integers = NDArray[np.int64]


def write_netx(path: str | os.PathLike[str], network: Network, round_biases: bool = False) -> None:
    """Export a network to a netx `.net` file, written atomically.

    Names, provenance, the early exit and the bits of an input value are lost.

    Args:
        path: The file.
        network: The network, a chain of populations.
        round_biases: Round biases first; see `round_network_biases`.

    Raises:
        NetworkError: netx could not run the network with the same spikes; names the cause.
        FileError: The file cannot be written.
    """
    layers = _layer_list(round_network_biases(network) if round_biases else network)
    content = io.BytesIO()  # on a full disk the HDF5 library would end the process
    with h5py.File(content, "w") as file:
        group = file.create_group("layer")
        for number, entries in enumerate(layers):
            for key, value in entries.items():
                group[f"{number}/{key}"] = value
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def round_network_biases(network: Network) -> Network:
    """Round biases to integer weight units, the only ones that a `.net` file represents.

    This can change spikes: run both networks, and compare.
    """
    low, high = LIMITS["bias"]
    populations = []
    for population in network.populations:
        exact = population.bias * 2.0 ** (population.bias_exponent - BIAS_EXPONENT)
        bias = np.clip(np.rint(exact), low, high)
        populations.append(replace(population, bias=bias, bias_exponent=BIAS_EXPONENT))
    return replace(network, populations=tuple(populations))


def _layer_list(network: Network) -> list[Entries]:
    """Entries of each layer."""
    source, *chain = _population_chain(network)
    layers: list[Entries] = [{"type": np.bytes_("input"), "shape": source.shape}]
    if chain[0].kind == "delta":
        _check_encoder(network.incoming(chain[0].name))
        layers[0] |= sigma_delta_entries(chain[0])
        source, *chain = chain
    elif any(population.kind == "sigma_delta" for population in chain):
        raise NetworkError(
            f"{source.name}: feeds {chain[0].name} directly; a .net file needs a delta encoder"
        )
    flat = len(source.shape) == 1
    for population in chain:
        if population.kind in RESONATORS:
            entries = _resonator_layer(network, population, source)
        else:
            forward, loop = _incoming_projections(network, population, source)
            entries = _layer_entries(forward, loop, source, population)
        if entries["type"] == b"conv":
            if flat:
                raise NetworkError(f"{forward.name}: a .net file has no convolution of flat layers")
        elif not flat:
            layers.append({"type": np.bytes_("flatten"), "shape": (source.neurons, 1, 1)})
            flat = True
        layers.append(entries)
        source = population
    if network.output != source.name:
        raise NetworkError(
            f"{network.output}: is the output; that of a .net file is its last layer, {source.name}"
        )
    return layers


def _population_chain(network: Network) -> list[Population]:
    """All populations, each after the one that projects to it."""
    if len(network.inputs) != 1:
        raise NetworkError(f"network: has {len(network.inputs)} inputs, a .net file takes one")
    for population in network.topological_order:
        if population.value_bits > 1 and population.kind not in ENCODERS:
            raise NetworkError(f"{population.name}: sends graded spikes, netx reads binary ones")
    chain = [network.inputs[0]]
    while len(chain) < len(network.populations):
        last = chain[-1].name
        names = {p.target for p in network.projections if p.source == last != p.target}
        if len(names) != 1 or names & {population.name for population in chain}:
            targets = ", ".join(sorted(names)) or "nothing"
            raise NetworkError(f"{last}: projects to {targets}; a .net file is a chain")
        chain.append(network.population(names.pop()))
    return chain


def _incoming_projections(
    network: Network, population: Population, source: Population
) -> tuple[Projection, Projection | None]:
    """The projection from `source`, and that from `population` to itself, if any."""
    incoming = network.incoming(population.name)
    forward = [p for p in incoming if p.source == source.name]
    loops = [p for p in incoming if p.source == population.name]
    if len(forward) != 1 or len(loops) > 1 or len(incoming) != len(forward) + len(loops):
        names = ", ".join(p.source for p in incoming) or "nothing"
        raise NetworkError(
            f"{population.name}: gets input from {names}; in a .net file, a chain, it would be "
            f"from {source.name} alone, once, and from itself"
        )
    loop = loops[0] if loops else None
    if loop and not (loop.delay == 1 and isinstance(loop.connection, Dense | Sparse)):
        raise NetworkError(f"{loop.name}: a loop in a .net file is dense with a delay of 1")
    return forward[0], loop


def _layer_entries(
    forward: Projection, loop: Projection | None, source: Population, target: Population
) -> Entries:
    connection: Connection = forward.connection
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    messages = source.kind in ENCODERS
    entries = sigma_delta_entries(target) if messages else _neuron_entries(target)
    weights = _scaled_weights(forward, connection)
    if isinstance(connection, Conv):
        if forward.delay or loop:
            raise NetworkError(f"{forward.name}: netx has no delays or loops of convolutions")
        return entries | _conv_entries(connection, source, target) | {"weight": weights}
    if len(target.shape) == 3:
        raise NetworkError(f"{target.name}: is an image, but {forward.name} gives a flat layer")
    return entries | _dense_entries(forward, loop, source, target, weights)


def _resonator_layer(network: Network, population: Population, source: Population) -> Entries:
    """Entries of a dense layer of resonate-and-fire neurons, with a projection to each part."""
    incoming = network.incoming(population.name)
    parts = {projection.component: projection for projection in incoming}
    chained = all(p.source == source.name and not p.delay for p in incoming)
    if not chained or len(incoming) != 2 or len(parts) != 2 or len(population.shape) == 3:
        raise NetworkError(
            f"{population.name}: a resonate-and-fire layer of a .net file is flat, with one "
            f"projection from {source.name} to each of its inputs, real and imag, without delay"
        )
    entries: Entries = {"type": np.bytes_("dense"), "shape": population.shape}
    entries |= {"inFeatures": source.neurons, "outFeatures": population.neurons}
    for component, projection in parts.items():
        if not isinstance(projection.connection, Dense | Sparse):
            raise NetworkError(f"{projection.name}: is into a flat layer, needs to be dense")
        weights = _scaled_weights(projection, projection.connection)
        _check_preserved(projection.name, weights)
        entries[f"weight/{component}"] = weights
    return entries | resonator_entries(population)


def _conv_entries(connection: Conv, source: Population, target: Population) -> Entries:
    return {
        "type": np.bytes_("conv"),
        "shape": target.shape,
        "groups": connection.groups,
        "inChannels": source.shape[0],
        "outChannels": target.shape[0],
        **{key: getattr(connection, key) for key in ("stride", "padding", "dilation")},
        "kernelSize": connection.kernel,
    }


def _dense_entries(
    forward: Projection,
    loop: Projection | None,
    source: Population,
    target: Population,
    weights: Integers,
) -> Entries:
    entries: Entries = {"type": np.bytes_("dense"), "shape": target.shape, "weight": weights}
    if forward.delay:
        if np.any(target.bias) or loop:
            raise NetworkError(
                f"{forward.name}: has a delay; in a .net file, neurons with delays have no bias "
                "and no loop"
            )
        entries["delay"] = np.full(target.neurons, forward.delay)
    entries |= {"inFeatures": source.neurons, "outFeatures": target.neurons}
    if loop:
        recurrent = _scaled_weights(loop, loop.connection)
        entries |= {"type": np.bytes_("dense_rec"), "weight_rec": recurrent}
    parts = [entries[key] for key in ("weight", "weight_rec") if key in entries]
    _check_preserved(forward.name, *parts)
    return entries


def _check_preserved(who: str, *parts: Integers) -> None:
    """Raise `NetworkError` where netx would change weights."""
    if not _netx_preserves(*parts):
        low, high = min(part.min() for part in parts), max(part.max() for part in parts)
        raise NetworkError(
            f"{who}: netx would change its weights, {low} to {high}; it preserves even "
            "ones of mixed sign up to 254, and not zeros alone"
        )


def _neuron_entries(population: Population) -> Entries:
    """Entries of the neurons of a layer."""
    for feature in list_features(population):
        raise NetworkError(f"{population.name}: has a {feature}; a .net file has no form for it")
    silent = population.kind == "integrator"
    values = {
        "iDecay": population.current_decay,
        "vDecay": population.voltage_decay,
        "vThMant": np.array(READOUT_THRESHOLD) if silent else population.threshold,
    }
    bias = population.bias * 2.0 ** (population.bias_exponent - BIAS_EXPONENT)
    for key, array in {**values, "bias": bias}.items():
        if array.size not in (1, population.shape[0]):
            raise NetworkError(
                f"{population.name}: {key} of each neuron, a .net file has one per channel"
            )
    entries: Entries = {
        f"neuron/{key}": array.reshape(() if array.size == 1 else -1)
        for key, array in values.items()
    }
    entries |= {"neuron/type": "CUBA", "neuron/refDelay": 1, "neuron/gradedSpike": False}
    entries["delayShift"] = 0  # tells `read_netx` that layers are not one timestep apart here
    return entries | _bias_entries(population)


def _bias_entries(population: Population) -> Entries:
    """Entry of the bias, none where it is zero."""
    entries: Entries = {}
    bias = population.bias * 2.0 ** (population.bias_exponent - BIAS_EXPONENT)
    if np.any(bias):
        low, high = LIMITS["bias"]
        if np.any(bias != np.rint(bias)) or bias.min() < low or bias.max() > high:
            raise NetworkError(
                f"{population.name}: its bias is no integer number of weight units from {low} to "
                f"{high}, as a .net file needs; export with round_biases=True, or --round-biases"
            )
        entries["bias"] = np.broadcast_to(bias.reshape(-1), population.shape[:1]).astype(np.int32)
    return entries


def sigma_delta_entries(population: Population) -> Entries:
    """Entries of the neurons of a layer that sends changes, or of their read-out.

    Raises:
        NetworkError: A parameter has no form in a `.net` file.
    """
    name, threshold = population.name, population.threshold
    if population.kind == "integrator" and np.any(population.bias):
        raise NetworkError(f"{name}: adds its bias up; a .net file's read-out has none")
    if threshold.size not in (1, population.shape[0]):
        raise NetworkError(f"{name}: threshold of each neuron, a .net file has one per channel")
    entries: Entries = {
        "neuron/type": "SDNN",
        "neuron/activation": "relu",
        "neuron/vThMant": threshold.reshape(() if threshold.size == 1 else -1),
        "delayShift": 0,
    }
    if population.kind == "integrator":
        entries["neuron/sigma_output"] = True
    return entries | _bias_entries(population)


def _check_encoder(incoming: tuple[Projection, ...]) -> None:
    """Raise `NetworkError` where an encoder does not take the values of the input as they are."""
    (projection,) = incoming
    connection, who = projection.connection, projection.name
    one_to_one = isinstance(connection, SumPool) and connection.kernel == (1, 1)
    if isinstance(connection, Sparse):
        one_to_one = bool(np.array_equal(connection.rows, connection.columns))
    weights = connection.weight if isinstance(connection, SumPool) else connection.weights
    scaled = np.asarray(weights) * 2.0**projection.weight_exponent
    if not one_to_one or projection.delay or np.any(scaled != 1):
        raise NetworkError(
            f"{who}: multiplies values by {scaled.min():g} to {scaled.max():g}; in a .net file an "
            "encoder takes each as it is; train with an input_threshold below 2"
        )


def _scaled_weights(projection: Projection, connection: Connection) -> Integers:
    """Weights of `projection` multiplied by two to the power of its exponent."""
    assert not isinstance(connection, SumPool)
    weights = connection.weights.astype(np.int64)
    if isinstance(connection, Sparse):
        dense = np.zeros(connection.shape, np.int64)
        dense[connection.rows, connection.columns] = weights
        weights = dense
    exponent = projection.weight_exponent
    scaled = weights << exponent if exponent >= 0 else weights >> -exponent
    if exponent < 0 and np.any(scaled << -exponent != weights):
        raise NetworkError(
            f"{projection.name}: has a weight_exponent of {exponent}; a .net file has none, and "
            "its weights are no integers without it"
        )
    return scaled


def _netx_preserves(*parts: Integers) -> bool:
    """Test that a dense layer of netx computes with exactly these weights.

    netx shifts all `parts` up together (`optimize_weight_bits`), and for each of them Lava's Dense
    clips to 8 bits and drops the low bits that netx considers unused.
    """
    weights = np.concatenate([part.reshape(-1) for part in parts])
    low, high = int(weights.min()), int(weights.max())
    if low == high == 0:
        return False  # netx divides by zero
    signed = int(low < 0 <= high)
    if signed:
        scale = min(127 / high if high else np.inf, 128 / -low)
    else:
        scale = 255 / high if low >= 0 else 256 / -low
    up = int(np.floor(np.log2(scale))) + signed
    unused = next(n for n in range(8, -1, -1) if not np.any(weights % (1 << n)))
    return up >= 0 and all(_dense_preserves(part, up, up + unused - signed) for part in parts)


def _dense_preserves(weights: Integers, up: int, down: int) -> bool:
    mixed = int(weights.min() < 0 < weights.max())
    shifted = weights << up if mixed else np.abs(weights) << up
    clipped = np.clip(shifted, -256 * mixed, 255)
    down += mixed
    return down >= 0 and bool(np.array_equal(clipped >> down << down, shifted))
