"""Network: the integer intermediate representation, immutable and validated on construction."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .arithmetic import ACTIVATION_LIMIT, ALIGN_BITS, DECAY_ONE, DELTA_LIMIT, STATE_HALF
from .arrays import ValueEquality
from .connections import Conv, SumPool
from .early_exit import EarlyExit
from .encoders.encoder import Encoder, encoded_shape, frame_shape, value_shape
from .encoders.log_mel import LogMel
from .encoders.standardize import Standardize
from .errors import NetworkError
from .exporters import export_network
from .population import ENCODERS, RESONATORS, SPIKING, Component, Population
from .projection import Projection
from .readout import Readout

if TYPE_CHECKING:
    from .plasticity import PlasticityRule
    from .summary import NetworkSummary

CURRENT_LIMIT = 1 << 30


@dataclass(frozen=True, eq=False, repr=False)
class Network(ValueEquality):
    """Spiking neural network in integers: a directed graph of populations and projections.

    Attributes:
        populations: Neurons by kind and shape; at least one of kind "input".
        projections: Connections between named populations.
        output: Name of the population whose logits are read, the last one by default.
        provenance: Recipe, dataset digest, seed and versions that produced it, as JSON values;
            takes no part in equality.
        early_exit: Rule by which samples stop early, in every engine.
        encoders: What turns raw input, such as a waveform, into the events of the only input, one
            after another; see `pumice.encode`.
        readout: How the output's states become predictions.

    Raises:
        NetworkError: Names clash or are unknown, shapes do not fit, a cycle has no delay, an early
            exit reads a single neuron, or a sum could leave the registers: activations stay within
            24 bits, and currents within what one wrap of Lava's model brings back.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    output: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)
    early_exit: EarlyExit | None = None
    encoders: tuple[Encoder, ...] = ()
    readout: Readout = Readout()

    def __post_init__(self) -> None:
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        object.__setattr__(self, "encoders", tuple(self.encoders))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))
        if not self.populations:
            raise NetworkError("network: has no populations, needs an input and one more")
        object.__setattr__(self, "output", self.output or self.populations[-1].name)
        _check_names(self)
        for projection in self.projections:
            _check_shapes(self, projection)
            _check_messages(self, projection)
        object.__setattr__(self, "_order", _topological_sort(self))
        for population in self.populations:
            _check_range(self, population)
        if self.early_exit and self.population(self.output).neurons < 2:
            raise NetworkError(f"{self.output}: has one neuron, an early exit compares two or more")
        if self.encoders:
            _check_encoders(self)
        _check_readout(self)

    def population(self, name: str) -> Population:
        """Look up a population by name; raises `NetworkError` where there is none."""
        for population in self.populations:
            if population.name == name:
                return population
        raise NetworkError(f"no population {name!r}; there are {_join_names(self.populations)}")

    def incoming(self, name: str) -> tuple[Projection, ...]:
        """List the projections whose target is `name`."""
        return tuple(p for p in self.projections if p.target == name)

    @property
    def inputs(self) -> tuple[Population, ...]:
        """Populations of kind "input"."""
        return tuple(p for p in self.populations if p.kind == "input")

    @property
    def topological_order(self) -> tuple[Population, ...]:
        """All populations but inputs, each after those that project to it without delay."""
        return self._order  # type: ignore[attr-defined,no-any-return]

    def __repr__(self) -> str:
        """Describe in one line: inputs and output with their shapes, and sizes."""
        ends = [*self.inputs, self.population(self.output)]
        shapes = [f"{p.name} {'x'.join(map(str, p.shape))}" for p in ends]
        neurons = sum(p.neurons for p in self.topological_order)
        return (
            f"Network({', '.join(shapes[:-1])} -> {shapes[-1]}, "
            f"{len(self.populations)} populations, {len(self.projections)} projections, "
            f"{neurons:,} neurons)"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def summary(self) -> "NetworkSummary":
        """Summarize the layers: shapes, weight bits, parameters and synapses; prints as a table."""
        from .summary import summarize_network

        return summarize_network(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a `.pumice` file; raises `FileError` where that fails."""
        from .files import write_network

        write_network(path, self)

    def to_onnx(self, path: str | os.PathLike[str], *, step: bool = False) -> None:
        """Write an ONNX model.

        Args:
            path: File to write.
            step: Export one timestep with its states as inputs and outputs, for streaming,
                instead of a model that loops over time.

        Raises:
            MissingPackage: onnx is not installed.
            FileError: The file cannot be written.
        """
        export_network(self, path, "onnx", step=step)

    def to_nir(self, path: str | os.PathLike[str]) -> None:
        """Write a NIR graph; the exact integers travel as its metadata.

        Args:
            path: File to write.

        Raises:
            MissingPackage: nir or h5py is not installed.
            FileError: The file cannot be written.
        """
        export_network(self, path, "nir")

    def to_netx(self, path: str | os.PathLike[str], *, round_biases: bool = False) -> None:
        """Write a `.net` file, the HDF5 format of lava-dl's netx.

        Args:
            path: File to write.
            round_biases: Round biases to integer weight units, which a `.net` file needs; this may
                change spikes.

        Raises:
            NetworkError: netx has no form for a part of the network.
            MissingPackage: h5py is not installed.
            FileError: The file cannot be written.
        """
        export_network(self, path, "netx", round_biases=round_biases)

    def to_c(
        self,
        path: str | os.PathLike[str],
        *,
        rules: "Mapping[str, PlasticityRule] | None" = None,
    ) -> None:
        """Write C99 sources for microcontrollers: the integer core, and the network as constants.

        Args:
            path: Folder to write, which is created.
            rules: Plasticity rule (STDP) by name of the projection, for firmware that learns.

        Raises:
            FileError: The folder cannot be written.
            NetworkError: A rule does not fit the projection it is for.
        """
        export_network(self, path, "c", rules=rules)


def _check_readout(network: Network) -> None:
    readout, outputs = network.readout, network.population(network.output).neurons
    if readout.scale and len(readout.scale) != outputs:
        raise NetworkError(
            f"{network.output}: has {outputs} outputs, but the readout {len(readout.scale)} scales"
        )
    if network.early_exit and (readout.decision != "last" or readout.task != "classification"):
        raise NetworkError(
            f"{network.output}: an early exit compares classes by their last state, but the "
            f'readout is a {readout.task} by "{readout.decision}"'
        )


def _join_names(items: tuple[Population | Projection, ...]) -> str:
    return ", ".join(item.name for item in items)


def _check_names(network: Network) -> None:
    for items in (network.populations, network.projections):
        names = [item.name for item in items]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(f"{name}: {names.count(name)} have this name, needs one")
    if not network.inputs:
        raise NetworkError("network: has no population of kind 'input', needs at least one")
    if network.population(network.output).kind == "input":
        raise NetworkError(f"{network.output}: is an input and cannot be the output")
    output = network.population(network.output)
    if output.kind == "cuba" and output.value_bits > 1 and output.max_spikes == 1:
        raise NetworkError(
            f"{output.name}: is the output, whose spikes are counted, but sends values of "
            f"{output.value_bits} bits; read it by an integrator"
        )
    if output.kind in ENCODERS:
        raise NetworkError(
            f"{output.name}: is the output, whose spikes are counted, but sends changes; read it "
            "by an integrator with align_bits 0"
        )
    for population in network.populations:
        if population.kind == "input" and network.incoming(population.name):
            raise NetworkError(f"{population.name}: an input takes no projections")


def _check_encoders(network: Network) -> None:
    names = ", ".join(p.name for p in network.inputs)
    if len(network.inputs) > 1:
        raise NetworkError(f"network: encoders feed one input, but there are {names}")
    (population,) = network.inputs
    last = network.encoders[-1]
    shape = frame_shape(population.shape)
    encoded = encoded_shape(network.encoders, value_shape(network.encoders, shape))
    if len(population.shape) == 3 and encoded != shape or math.prod(encoded) != population.neurons:
        raise NetworkError(
            f"{names}: has shape {population.shape}, but its encoders give {encoded}"
        )
    largest = last.max_value if isinstance(last, LogMel | Standardize) else 1
    if largest > population.max_value:
        raise NetworkError(
            f"{names}: takes 0..{population.max_value}, but its encoders give 0..{largest}"
        )


def _check_shapes(network: Network, projection: Projection) -> None:
    source = network.population(projection.source)
    target = network.population(projection.target)
    if source.kind == "integrator":
        raise NetworkError(f"{projection.name}: {source.name} is an integrator, which never spikes")
    if projection.component not in target.components:
        raise NetworkError(
            f"{projection.name}: adds to the imaginary input of {target.name}, but {target.kind} "
            "populations have none; needs an rf or rf_iz population"
        )
    try:
        shape = projection.connection.target_shape(source.shape)
    except NetworkError as error:
        raise NetworkError(f"{projection.name} from {source.name}: {error}") from None
    if int(np.prod(shape)) != target.neurons or (len(shape) == 3 and shape != target.shape):
        raise NetworkError(
            f"{projection.name}: gives {shape}, but {target.name} has shape {target.shape}"
        )


def _check_messages(network: Network, projection: Projection) -> None:
    """Check that messages with a sign or of more than 8 bits meet neurons that add them exactly."""
    source = network.population(projection.source)
    target = network.population(projection.target)
    name, wide = projection.name, source.value_type is not np.uint8
    if source.kind in ENCODERS and not is_modular(target):
        raise NetworkError(
            f"{name}: {source.name} sends changes, but {target.name} does not add them up; needs a "
            "sigma_delta population or an integrator with align_bits 0"
        )
    if source.kind in SPIKING and (is_modular(target) or target.kind == "delta"):
        raise NetworkError(
            f"{name}: {source.name} sends spikes, but {target.name} reads messages of an input, "
            "delta or sigma_delta population"
        )
    exponent = projection.weight_exponent
    if (wide or is_modular(target)) and exponent < 0:
        connection = projection.connection
        weights = connection.weight if isinstance(connection, SumPool) else connection.weights
        if np.any(np.asarray(weights) & ((1 << -exponent) - 1)):
            raise NetworkError(
                f"{name}: its weights times 2^{exponent} are no integers, which messages of "
                f"{source.name} need"
            )


def is_modular(population: Population) -> bool:
    """True where `population` takes its activation modulo 2^24, so that it may have any size."""
    return population.kind == "sigma_delta" or not population.align_bits


def _topological_sort(network: Network) -> tuple[Population, ...]:
    remaining = [p for p in network.populations if p.kind != "input"]
    done = {p.name for p in network.inputs}
    order: list[Population] = []
    while remaining:
        ready = [
            p
            for p in remaining
            if all(j.source in done for j in network.incoming(p.name) if j.delay == 0)
        ]
        if not ready:
            raise NetworkError(
                f"{_join_names(tuple(remaining))}: form or follow a cycle without delay; "
                "give one of its projections a delay of 1 or more"
            )
        order += ready
        done |= {p.name for p in ready}
        remaining = [p for p in remaining if p.name not in done]
    return tuple(order)


def activation_bound(network: Network, population: Population) -> int:
    """Bound the absolute activation of any neuron of `population`, for any spikes.

    Of a complex one, that of each part.

    Raises:
        NetworkError: The sum of one projection alone leaves 24 bits.
    """
    return max(_component_bound(network, population, each) for each in population.components)


def _component_bound(network: Network, population: Population, component: Component) -> int:
    """Bound the absolute real or imaginary activation."""
    total = np.zeros(population.shape, np.int64)
    for projection in network.incoming(population.name):
        if projection.component != component:
            continue
        source = network.population(projection.source)
        max_value = max(source.max_value, -source.min_value)
        bounds = projection.connection.sum_abs_weights() * max_value
        bound = int(bounds.max(initial=0))
        if bound > ACTIVATION_LIMIT:
            raise NetworkError(
                f"{projection.name}: its sum can reach {bound}, the accumulator holds "
                f"{ACTIVATION_LIMIT}; use smaller weights or fewer inputs"
            )
        exponent = projection.weight_exponent
        scaled = bounds << exponent if exponent >= 0 else (bounds >> -exponent) + 1
        of_channels = isinstance(projection.connection, Conv | SumPool)
        total += scaled.reshape((-1, 1, 1) if of_channels else population.shape)
    return int(total.max(initial=0))


def _check_range(network: Network, population: Population) -> None:
    if population.kind == "input" or is_modular(population):
        return
    bound = activation_bound(network, population)
    if bound > ACTIVATION_LIMIT:
        raise NetworkError(
            f"{population.name}: its activation can reach {bound}, the accumulator holds "
            f"{ACTIVATION_LIMIT}; lower a weight_exponent or the weights"
        )
    if population.kind == "delta":
        if bound > DELTA_LIMIT:
            raise NetworkError(
                f"{population.name}: what it reads can reach {bound}, its messages hold the "
                f"changes of {DELTA_LIMIT}; use smaller weights or fewer value_bits of its input"
            )
        return
    if population.kind in RESONATORS:
        return  # the state saturates
    aligned = bound << ALIGN_BITS
    decay = int(population.current_decay.min())
    if aligned > 2 * STATE_HALF and aligned * DECAY_ONE > CURRENT_LIMIT * decay:
        raise NetworkError(
            f"{population.name}: its activation can reach {bound} with a current_decay of {decay}, "
            "so the current can accumulate beyond 32 bits; use smaller weights or a larger decay"
        )
