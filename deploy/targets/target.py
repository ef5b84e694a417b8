"""Targets: limits, times and energies of a chip as data, each with its source.

A target is a TOML file, one of those in `deploy/targets` or a user's own. Every limit, time and
energy is a table:

    neurons = { value = 1024, unit = "neurons", source = "davies2018", certainty = "published" }

`source` names an entry of the file's table `sources`. `certainty` is "published" (by the vendor or
in a paper), "derived" (from published values) or "assumed". `min` and `max` may bound a value that
is known as a range. A target without a chip prices arithmetic and places nothing.
"""

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...runtime.config import load_config
from ...runtime.errors import RecipeError
from ...runtime.suggest import suggest

NeuronFeature = Literal[
    "reset to a value",
    "soft reset",
    "delayed soft reset",
    "refractory period",
    "several spikes per timestep",
    "minimum voltage",
    "threshold adaptation",
    "delta encoder",
    "sigma-delta neuron",
    "read-out of sigma-delta messages",
    "signed or wide input",
    "resonate-and-fire neuron",
    "resonate-and-fire neuron with a reset",
]
Certainty = Literal["published", "derived", "assumed"]
Unit = TypeVar("Unit", bound=str)
NonEmptyStr = Annotated[str, Field(min_length=1)]
UNIT_SCALES = {
    "fJ": 1e-15,
    "pJ": 1e-12,
    "nJ": 1e-9,
    "ps": 1e-12,
    "ns": 1e-9,
    "us": 1e-6,
    "percent": 1e-2,
    "MHz": 1e6,
    "cycles": 1.0,
}
FOLDER = "pumice.deploy.targets"


class FrozenModel(BaseModel):
    """Base of all tables: immutable, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limit(FrozenModel, Generic[Unit]):
    """An integer limit."""

    value: int = Field(ge=0, strict=True)
    unit: Unit
    source: NonEmptyStr
    certainty: Certainty
    note: str = ""


class Option(FrozenModel, Generic[Unit]):
    """One of several mechanisms that a chip may implement."""

    value: Unit
    source: NonEmptyStr
    certainty: Certainty
    note: str = ""


class Features(FrozenModel, Generic[Unit]):
    """Features of neurons that a chip implements."""

    value: tuple[Unit, ...]
    source: NonEmptyStr
    certainty: Certainty
    note: str = ""


class Price(FrozenModel, Generic[Unit]):
    """An energy or a time; `min` and `max` default to `value` if no range is known."""

    value: float = Field(ge=0)
    unit: Unit
    source: NonEmptyStr
    certainty: Certainty
    min: float | None = Field(default=None, ge=0)
    max: float | None = Field(default=None, ge=0)
    note: str = ""

    @model_validator(mode="after")
    def _check_range(self) -> "Price[Unit]":
        low, high = (self.value if x is None else x for x in (self.min, self.max))
        if not low <= self.value <= high:
            raise ValueError(f"{self.value} is not within its range {low} to {high}")
        return self

    @property
    def range(self) -> tuple[float, float]:
        """Minimum and maximum, in joules or seconds, or as a fraction."""
        scale = UNIT_SCALES[self.unit]
        low, high = (self.value if x is None else x for x in (self.min, self.max))
        return low * scale, high * scale


Energy = Price[Literal["fJ", "pJ", "nJ"]]
Time = Price[Literal["ps", "ns", "us"]]
Quantity = TypeVar("Quantity", Energy, Time)


class Prices(FrozenModel, Generic[Quantity]):
    """A price list: the energy or the time of each countable operation.

    Attributes:
        about: Title of the list.
        excludes: What its figures leave out.
        operation: A synaptic operation: one event at one synapse. A kind of connection, or a graded
            value, may have a price of its own.
        dense_operation: The same in a dense connection.
        sparse_operation: The same in a sparse connection.
        conv_operation: The same in a convolution or a pooling.
        graded_operation: The same for a graded value.
        sigma_delta_operation: The same for a message of a delta or sigma-delta neuron, of 24 bits.
        idle_update: One step of a neuron without input.
        active_update: One step of a neuron with input.
        sigma_delta_update: One step of a delta or sigma-delta neuron, or of their read-out, which
            has no decays, with or without input.
        resonator_update: One step of a resonate-and-fire neuron, with or without input.
        spike: A spike that is generated.
        message: Its copy that is sent to one core.
        arrival: That copy read at the core.
        hop_x: A hop of a message from tile to tile along x.
        hop_y: A hop along y.
        error: Mean error that the authors of the list report, in percent.
    """

    about: NonEmptyStr
    excludes: NonEmptyStr
    operation: Quantity
    dense_operation: Quantity | None = None
    sparse_operation: Quantity | None = None
    conv_operation: Quantity | None = None
    graded_operation: Quantity | None = None
    sigma_delta_operation: Quantity | None = None
    idle_update: Quantity | None = None
    active_update: Quantity | None = None
    sigma_delta_update: Quantity | None = None
    resonator_update: Quantity | None = None
    spike: Quantity | None = None
    message: Quantity | None = None
    arrival: Quantity | None = None
    hop_x: Quantity | None = None
    hop_y: Quantity | None = None
    error: Price[Literal["percent"]] | None = None

    def operation_price(self, kind: Literal["dense", "sparse", "conv"], graded: bool) -> Quantity:
        """Price of a synaptic operation of a kind of connection."""
        own: Quantity | None = getattr(self, f"{kind}_operation")
        if graded and self.graded_operation is not None:
            return self.graded_operation
        return own or self.operation


class Times(Prices[Time]):
    """A price list in time; `barrier` is the synchronization that ends every step."""

    barrier: Time


class Chip(FrozenModel):
    """Number and arrangement of cores: tiles in a mesh, chips in a row."""

    chips: Limit[Literal["chips"]]
    cores: Limit[Literal["cores"]]
    width: Limit[Literal["tiles"]]
    height: Limit[Literal["tiles"]]
    cores_per_tile: Limit[Literal["cores"]]

    @model_validator(mode="after")
    def _check_mesh(self) -> "Chip":
        positions = self.width.value * self.height.value * self.cores_per_tile.value
        if not 1 <= self.cores.value <= positions:
            raise ValueError(f"{self.cores.value} cores, but the mesh has room for {positions}")
        return self


class Core(FrozenModel):
    """Capacity of one core; a key that is left out is unlimited.

    Attributes:
        neurons: Number of neurons.
        synaptic_memory: Bits of synaptic memory.
        groups: Number of parameter sets: neurons of one population with the same decays and
            threshold are a group.
        axons_in: Number of input axons, each a list of synapses that a message selects.
        axons_out: Number of senders: pixels if all targets of the population share their kernels,
            else neurons.
        routes: Number of pairs of a sender and a destination.
        route: Destination of a route: a "slice", or all slices that hold the same "kernels" (dense
            and sparse targets then need none).
        entries: Number of table entries: neurons, synapse words, axons and routes together.
    """

    neurons: Limit[Literal["neurons"]]
    synaptic_memory: Limit[Literal["bits"]]
    groups: Limit[Literal["groups"]] | None = None
    axons_in: Limit[Literal["axons"]] | None = None
    axons_out: Limit[Literal["axons"]] | None = None
    routes: Limit[Literal["routes"]] | None = None
    route: Option[Literal["slice", "kernels"]]
    entries: Limit[Literal["entries"]] | None = None


class Neuron(FrozenModel):
    """Limits of one neuron.

    Attributes:
        state_bits: Bits of a current or a voltage.
        message_bits: Bits of the value in a message; values of more bits take one message per bit.
        fan_in: Number of synapses on a neuron.
        fan_out: Number of synapses of a neuron on others.
        features: Neuron types beyond the LIF neuron that is reset to zero, none by default.
    """

    state_bits: Limit[Literal["bits"]]
    message_bits: Limit[Literal["bits"]]
    fan_in: Limit[Literal["synapses"]] | None = None
    fan_out: Limit[Literal["synapses"]] | None = None
    features: Features[NeuronFeature] | None = None


class Synapse(FrozenModel):
    """Storage format of synapses: lists in memory words, each with a header.

    A synapse occupies the bits of its layer's weights, those of its delay, and an index in the
    target core.

    Attributes:
        weight_bits: Maximum bits of a weight.
        delay: Maximum number of steps that a message waits.
        word_bits: Bits of a memory word.
        list_bits: Bits of a list's header.
        dense_index_bits: Bits of the index in a dense connection.
        sparse_index_bits: Bits of the index in a sparse connection, and in unshared convolutions.
        list_synapses: Maximum length of a list; longer lists are split.
        convolution: What selects the lists of a convolution, whose kernel a core then stores once:
            a "projection", a "pixel" of the source (its channels follow one another), or each
            "neuron", which shares nothing.
    """

    weight_bits: Limit[Literal["bits"]]
    delay: Limit[Literal["steps"]]
    word_bits: Limit[Literal["bits"]]
    list_bits: Limit[Literal["bits"]]
    dense_index_bits: Limit[Literal["bits"]]
    sparse_index_bits: Limit[Literal["bits"]]
    list_synapses: Limit[Literal["synapses"]] | None = None
    convolution: Option[Literal["projection", "pixel", "neuron"]]


class Microcontroller(FrozenModel):
    """A microcontroller that runs exported firmware.

    Attributes:
        processor: Processor that the firmware is compiled for and emulated on.
        flash: Bytes for code and constants.
        ram: Bytes for buffers and the stack, in one piece.
        clock: Clock of the processor.
        instruction: Cycles of an instruction, a mean over a program.
        cycle: Energy of a cycle while the processor runs.
        excludes: What the energy and the time leave out.
    """

    processor: Literal["cortex-m4", "cortex-m7", "rv32imac"]
    flash: Limit[Literal["bytes"]]
    ram: Limit[Literal["bytes"]]
    clock: Price[Literal["MHz"]]
    instruction: Price[Literal["cycles"]]
    cycle: Energy
    excludes: NonEmptyStr


class Target(FrozenModel):
    """A chip, a microcontroller, or arithmetic in some technology: limits and price lists."""

    name: NonEmptyStr
    title: NonEmptyStr
    about: NonEmptyStr
    sources: dict[str, NonEmptyStr]
    chip: Chip | None = None
    core: Core | None = None
    neuron: Neuron | None = None
    synapse: Synapse | None = None
    mcu: Microcontroller | None = None
    energy: dict[str, Prices[Energy]] = {}
    time: dict[str, Times] = {}

    @model_validator(mode="after")
    def _check_complete(self) -> "Target":
        parts = {key: getattr(self, key) for key in ("chip", "core", "neuron", "synapse")}
        absent = [key for key, part in parts.items() if part is None]
        if 0 < len(absent) < len(parts):
            raise ValueError(f"table [{absent[0]}] is missing; give all of {', '.join(parts)}")
        for key, constant in iter_constants(self):
            if constant.source not in self.sources:
                raise ValueError(f"{key}: source {constant.source!r} is not in table [sources]")
        return self


Constant = Limit[Any] | Price[Any] | Option[Any] | Features[Any]
TargetLike = Target | str | os.PathLike[str]  # a target, the name of a shipped one, or a path


def iter_constants(part: FrozenModel, prefix: str = "") -> Iterator[tuple[str, Constant]]:
    """Yield every limit, time and energy of a target with its key, such as `core.neurons`."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        tables = value.items() if isinstance(value, dict) else [("", value)]
        for key, inner in tables:
            path = ".".join(filter(None, (prefix, name, key)))
            if isinstance(inner, Limit | Price | Option | Features):
                yield path, inner
            elif isinstance(inner, FrozenModel):
                yield from iter_constants(inner, path)


def list_targets() -> list[str]:
    """List the names of the targets that are shipped with pumice."""
    names = (file.name for file in resources.files(FOLDER).iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def read_target(name: str | os.PathLike[str]) -> Target:
    """Read a target from the TOML file `name`, or the shipped target of that name.

    Raises:
        RecipeError: There is none, a key is missing or unknown, or a value is of the wrong type,
            unit or range; the message names file, line and key.
    """
    path = Path(name)
    if str(name) in list_targets() and not path.is_file():
        with resources.as_file(resources.files(FOLDER) / f"{name}.toml") as shipped:
            return load_config(Target, shipped)
    if not path.is_file():
        raise RecipeError(
            f"{name}: no such file or shipped target; {suggest(str(name), list_targets())} (see "
            "'pumice targets')"
        )
    return load_config(Target, path)


def as_target(target: TargetLike) -> Target:
    """Read `target` if it is a name or a path; see `read_target`."""
    if isinstance(target, Target):
        return target
    if not isinstance(target, str | os.PathLike):
        raise RecipeError(f"target: is a {type(target).__name__}, needs a Target, a name or a path")
    return read_target(target)
