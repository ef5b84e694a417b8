"""Targets as data: what a chip holds, how long it takes and what it costs, each with its source.

A target is a TOML file, one of those in `deploy/targets` or a user's own. Every limit, time and
energy is a table:

    neurons = { value = 1024, unit = "neurons", source = "davies2018", certainty = "published" }

`source` names an entry of the file's table `sources`. `certainty` is "published" by the vendor or
in a paper, "derived" from published values, or "assumed". `least` and `most` may bound a value
that is known as a range. A target without a chip prices arithmetic and places nothing.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...runtime.config import load_config
from ...runtime.errors import RecipeError

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
}
FOLDER = "pumice.deploy.targets"


class FrozenModel(BaseModel):
    """What is read from a file, never changed, and knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limit(FrozenModel, Generic[Unit]):
    """A whole number that something may not exceed."""

    value: int = Field(ge=0, strict=True)
    unit: Unit
    source: NonEmptyStr
    certainty: Certainty
    note: str = ""


class Option(FrozenModel, Generic[Unit]):
    """How a chip does something, where that is one of several ways."""

    value: Unit
    source: NonEmptyStr
    certainty: Certainty
    note: str = ""


class Price(FrozenModel, Generic[Unit]):
    """An energy or a time; `least` and `most` are `value` where no range is known."""

    value: float = Field(ge=0)
    unit: Unit
    source: NonEmptyStr
    certainty: Certainty
    least: float | None = Field(default=None, ge=0)
    most: float | None = Field(default=None, ge=0)
    note: str = ""

    @model_validator(mode="after")
    def _check_range(self) -> "Price[Unit]":
        low, high = (self.value if x is None else x for x in (self.least, self.most))
        if not low <= self.value <= high:
            raise ValueError(f"{self.value} is not within its range {low} to {high}")
        return self

    @property
    def range(self) -> tuple[float, float]:
        """The least and the most, in joules or seconds, or as a share."""
        scale = UNIT_SCALES[self.unit]
        low, high = (self.value if x is None else x for x in (self.least, self.most))
        return low * scale, high * scale


Energy = Price[Literal["fJ", "pJ", "nJ"]]
Time = Price[Literal["ps", "ns", "us"]]
Quantity = TypeVar("Quantity", Energy, Time)


class Prices(FrozenModel, Generic[Quantity]):
    """One price list: what each thing that is counted costs, and what it leaves out.

    `operation` is an event meeting a synapse; a kind of connection, or a graded value, may have a
    price of its own. `idle_update` and `active_update` are a neuron's step without and with input,
    `spike` one that is sent, `message` its copy to one core, `arrival` that copy read there, `hop`
    its way from tile to tile. `error` is the mean error that the list's authors found, in percent.
    """

    about: NonEmptyStr
    excludes: NonEmptyStr
    operation: Quantity
    dense_operation: Quantity | None = None
    sparse_operation: Quantity | None = None
    conv_operation: Quantity | None = None
    graded_operation: Quantity | None = None
    idle_update: Quantity | None = None
    active_update: Quantity | None = None
    spike: Quantity | None = None
    message: Quantity | None = None
    arrival: Quantity | None = None
    hop_x: Quantity | None = None
    hop_y: Quantity | None = None
    error: Price[Literal["percent"]] | None = None

    def operation_price(self, kind: Literal["dense", "sparse", "conv"], graded: bool) -> Quantity:
        """Return the price of a synaptic operation of that kind of connection."""
        own: Quantity | None = getattr(self, f"{kind}_operation")
        if graded and self.graded_operation is not None:
            return self.graded_operation
        return own or self.operation


class Times(Prices[Time]):
    """A price list in time; `barrier` ends every step."""

    barrier: Time


class Chip(FrozenModel):
    """How many cores there are, and how they lie: tiles in a mesh, chips in a row."""

    chips: Limit[Literal["chips"]]
    cores: Limit[Literal["cores"]]
    width: Limit[Literal["tiles"]]
    height: Limit[Literal["tiles"]]
    cores_per_tile: Limit[Literal["cores"]]

    @model_validator(mode="after")
    def _room(self) -> "Chip":
        room = self.width.value * self.height.value * self.cores_per_tile.value
        if not 1 <= self.cores.value <= room:
            raise ValueError(f"{self.cores.value} cores, but the mesh has room for {room}")
        return self


class Core(FrozenModel):
    """What one core holds; what is left out is not limited.

    A `group` is a set of neurons of one population with the same decays and threshold. `axons_in`
    are the lists of synapses that messages select. `axons_out` are a population's senders: pixels
    where all that it projects to shares convolutions, else neurons. `routes` are pairs of a sender
    and where it sends: each "slice", or slices that hold the same "kernels" once, and only those.
    `entries` are all that fills tables: neurons, words, axons and routes together.
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
    """What one neuron holds. Graded values beyond `message_bits` go as one message a bit."""

    state_bits: Limit[Literal["bits"]]
    message_bits: Limit[Literal["bits"]]
    fan_in: Limit[Literal["synapses"]] | None = None
    fan_out: Limit[Literal["synapses"]] | None = None


class Synapse(FrozenModel):
    """How synapses are stored: as lists in words, each with a head of `list_bits`.

    A synapse takes the bits of its layer's weights, those of its delay, and an index in the target
    core. A list longer than `list_synapses` is cut. `convolution` says what selects a list of a
    convolution, whose kernel a core then holds once: a "projection", a "pixel" of the source (its
    channels follow one another), or each "neuron", which shares nothing.
    """

    weight_bits: Limit[Literal["bits"]]
    delay: Limit[Literal["steps"]]
    word_bits: Limit[Literal["bits"]]
    list_bits: Limit[Literal["bits"]]
    dense_index_bits: Limit[Literal["bits"]]
    sparse_index_bits: Limit[Literal["bits"]]
    list_synapses: Limit[Literal["synapses"]] | None = None
    convolution: Option[Literal["projection", "pixel", "neuron"]]


class Target(FrozenModel):
    """A chip, or arithmetic in some technology: its limits and its price lists."""

    name: NonEmptyStr
    title: NonEmptyStr
    about: NonEmptyStr
    sources: dict[str, NonEmptyStr]
    chip: Chip | None = None
    core: Core | None = None
    neuron: Neuron | None = None
    synapse: Synapse | None = None
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


Constant = Limit[Any] | Price[Any] | Option[Any]


def iter_constants(part: FrozenModel, prefix: str = "") -> Iterator[tuple[str, Constant]]:
    """Yield every limit, time and energy of a target with its key, such as `core.neurons`."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        tables = value.items() if isinstance(value, dict) else [("", value)]
        for key, inner in tables:
            path = ".".join(filter(None, (prefix, name, key)))
            if isinstance(inner, Limit | Price | Option):
                yield path, inner
            elif isinstance(inner, FrozenModel):
                yield from iter_constants(inner, path)


def list_targets() -> list[str]:
    """Return the names of the targets that come with pumice."""
    names = (file.name for file in resources.files(FOLDER).iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def read_target(name: str) -> Target:
    """Return the target in the TOML file `name`, or the shipped one of that name.

    Raises `RecipeError`, naming file, line and key, where a key is missing or unknown, or a value
    is of the wrong type, unit or range.
    """
    path = Path(name)
    if name in list_targets() and not path.exists():
        with resources.as_file(resources.files(FOLDER) / f"{name}.toml") as shipped:
            return load_config(Target, shipped)
    if not path.is_file():
        raise RecipeError(
            f"{name}: no such file or shipped target; there are {', '.join(list_targets())}"
        )
    return load_config(Target, path)
