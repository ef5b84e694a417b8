"""Printable summaries of a network (layers, bits, parameters) and of a program (cores)."""

from dataclasses import dataclass

import numpy as np

from .connections import Connection, SumPool, connection_kind
from .network import Network
from .op_counts import fan_out
from .population import Population
from .program import Program
from .projection import Projection
from .text_table import TextTable, count_of

COLUMNS = ("population", "kind", "shape", "incoming", "weight bits", "parameters", "synapses")
RIGHT_ALIGNED = COLUMNS[4:]
PROGRAM_COLUMNS = ("population", "shape", "neurons", "slices", "largest slice", "cores")
MAX_LISTED = 3


@dataclass(frozen=True)
class LayerSummary:
    """One population with its incoming projections.

    Attributes:
        name: Name of the population.
        kind: "input", "cuba", "integrator" or another kind of `Population`.
        shape: `(neurons,)` or `(channels, height, width)`.
        incoming: Each projection as "kind from source", with its delay where it has one.
        weight_bits: Largest bit width among the incoming weights, 0 without any.
        parameters: Number of stored weights of the incoming projections.
        synapses: Number of synapses they form.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    incoming: tuple[str, ...]
    weight_bits: int
    parameters: int
    synapses: int


@dataclass(frozen=True, repr=False)
class NetworkSummary:
    """Summary of a network, one layer a row; prints as a table, in notebooks as HTML."""

    layers: tuple[LayerSummary, ...]
    output: str

    @property
    def neurons(self) -> int:
        """Number of neurons, input neurons left out."""
        return sum(int(np.prod(each.shape)) for each in self.layers if each.kind != "input")

    @property
    def parameters(self) -> int:
        """Number of stored weights."""
        return sum(each.parameters for each in self.layers)

    @property
    def synapses(self) -> int:
        """Number of synapses."""
        return sum(each.synapses for each in self.layers)

    def __str__(self) -> str:
        """Format as a table of text."""
        return str(self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> TextTable:
        rows = tuple(map(_cells, self.layers))
        return TextTable(COLUMNS, rows, RIGHT_ALIGNED, footer=self._totals())

    def _totals(self) -> str:
        return (
            f"{self.neurons:,} neurons, {self.parameters:,} parameters, "
            f"{self.synapses:,} synapses; output {self.output}"
        )


def summarize_network(network: Network) -> NetworkSummary:
    """Summarize `network`: its inputs, then its populations in topological order."""
    layers = []
    for population in (*network.inputs, *network.topological_order):
        incoming = network.incoming(population.name)
        layers.append(
            LayerSummary(
                population.name,
                population.kind,
                population.shape,
                tuple(_describe_projection(each) for each in incoming)
                or _list_encoders(network, population),
                max((weight_bits(each.connection) for each in incoming), default=0),
                sum(_count_weights(each.connection) for each in incoming),
                sum(_count_synapses(network, each) for each in incoming),
            )
        )
    return NetworkSummary(tuple(layers), network.output)


def summarize_program(program: Program) -> TextTable:
    """Summarize a program: slices and cores by population, and the fullest core."""
    rows = []
    for population in program.network.topological_order:
        placed = list(program.slices(population.name))
        largest = max((part for _, part in placed), key=lambda part: part.neurons)
        rows.append(
            (
                population.name,
                " x ".join(map(str, population.shape)),
                f"{population.neurons:,}",
                f"{len(placed):,}",
                " x ".join(map(str, largest.shape)),
                f"{len({core for core, _ in placed}):,}",
            )
        )
    fractions = {
        resource: max(core.usage.get(resource, 0) for core in program.cores) / limit
        for resource, limit in program.limits.items()
        if limit
    }
    cores, chips = count_of(len(program.cores), "core"), count_of(program.chips, "chip")
    footer = f"{cores} on {chips} of {program.target}"
    if fractions:
        resource = max(fractions, key=lambda key: fractions[key])
        footer += f"; up to {fractions[resource]:.0%} of {resource} in use"
    right_aligned = ("neurons", "slices", "cores")
    return TextTable(PROGRAM_COLUMNS, tuple(rows), right_aligned, footer=footer)


def weight_bits(connection: Connection) -> int:
    """Compute the bit width of a connection's weights.

    It is that of the integers k in `weights = k * d`, `d` their greatest common divisor: in two's
    complement where signs are mixed, else of the magnitude; 0 where all are zero.
    """
    if isinstance(connection, SumPool):
        return int(connection.weight != 0)
    weights = connection.weights.astype(np.int64)
    divisor = int(np.gcd.reduce(weights, axis=None)) if weights.size else 0
    if not divisor:
        return 0
    low, high = int(weights.min()) // divisor, int(weights.max()) // divisor
    if low < 0 < high:
        return max(high.bit_length(), (-low - 1).bit_length()) + 1
    return max(high, -low).bit_length()


def _list_encoders(network: Network, population: Population) -> tuple[str, ...]:
    """Kinds of the encoders, if `population` is the input that they feed."""
    kinds = [each.kind for each in network.encoders] if population.kind == "input" else []
    return tuple(f"{kind} encoder" for kind in kinds)


def _describe_projection(projection: Projection) -> str:
    delay = f", delay {projection.delay}" if projection.delay else ""
    kind = connection_kind(projection.connection)
    imaginary = " (imag)" if projection.component == "imag" else ""
    return f"{kind} from {projection.source}{imaginary}{delay}"


def _count_weights(connection: Connection) -> int:
    return 0 if isinstance(connection, SumPool) else int(connection.weights.size)


def _count_synapses(network: Network, projection: Projection) -> int:
    source = network.population(projection.source)
    return int(fan_out(projection.connection, source.shape).sum(dtype=np.int64))


def _cells(layer: LayerSummary) -> tuple[str, ...]:
    incoming = list(layer.incoming[:MAX_LISTED])
    if len(layer.incoming) > MAX_LISTED:
        incoming.append(f"{len(layer.incoming) - MAX_LISTED} more")
    return (
        layer.name,
        "spiking" if layer.kind == "cuba" else layer.kind,
        " x ".join(map(str, layer.shape)),
        "; ".join(incoming),
        str(layer.weight_bits) if layer.parameters else "",
        f"{layer.parameters:,}" if layer.parameters else "",
        f"{layer.synapses:,}" if layer.synapses else "",
    )
