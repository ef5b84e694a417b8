"""Compile a network to the flat tables that the C core reads.

Populations are in topological order, inputs first, and neurons lie channels last (height, width,
channel). Weights for events lie (input channel, kernel row, kernel column, output channel of the
group), with the kernel columns ordered such that neighbors reach neighboring targets: the targets
of an event in one row of a map are one run wherever stride and dilation allow. Weights for products
are a second copy: fours of neighboring inputs, for 16 output channels at a time. Projections into
one population with the same connection share both.
"""

from collections.abc import Collection, Sequence

import numpy as np

from ...arithmetic import ALIGN_BITS
from ...connections import Conv, Sparse, SumPool
from ...errors import EngineError
from ...network import Network, activation_bound, is_modular
from ...neuron_types import FEATURES, require_features
from ...population import ENCODERS, RESONATORS, Population
from ...projection import Projection
from .costs import Costs
from .layouts import compile_connection
from .neurons import compile_neurons
from .planes import Plane, list_planes
from .tables import (
    ADAPTIVE,
    BLOCK,
    CONV,
    FORMAT,
    HEADER,
    LANES,
    LONG_ROUNDS,
    MAX_BYTES,
    MAX_STEPS,
    PART_BITS,
    POPULATION,
    PROJECTION,
    RF,
    RF_IZ,
    SMALL_ROWS,
    WEIGHT_MARGIN,
    ArrayBuilders,
    CoreTables,
    Fields,
    make_table,
    padded_stride,
)


def compile_network(network: Network, costs: Costs, plastic: Collection[str] = ()) -> CoreTables:
    """Compile `network`: layers take products from the activity on at which `costs` favor them.

    Weights of the `plastic` projections may become anything from 0 to 255.
    """
    require_features(network, "the CPU engine", FEATURES)
    planes = list_planes(network)
    places = {plane.population.name: place for place, plane in enumerate(planes) if plane.is_first}
    steps = _round_steps(network, planes, places)
    builders = ArrayBuilders(sum(_weight_room(p) for p in network.projections))
    populations: list[Fields] = []
    projections: list[Fields] = []
    first = history = masks = past = 0
    for plane in planes:
        population = plane.population
        incoming = _real_first(network.incoming(population.name)) if plane.is_first else []
        delays = [p.delay for p in network.projections if p.source == population.name]
        rows, sources = _incoming(builders, population, incoming, planes, costs, plastic)
        real = sum(row["real"] for row in rows)
        accumulator, reach = _accumulator(population, sources, rows)
        if reach < 0:
            reach = activation_bound(network, population)
        fields = {
            **accumulator,
            **compile_neurons(builders, plane, reach),
            "unit": _partition_unit(population, network.incoming(population.name)),
            "first": first,
            "history": history,
            "masks": masks,
            "past": past,
            "delay": max(delays, default=0),
            "into_first": len(projections),
            "imaginary": len(projections) + real,
            "into_last": len(projections) + len(rows),
        }
        _mark_twins(rows[:real], sources[:real])
        _mark_twins(rows[real:], sources[real:])
        populations.append(fields)
        projections += rows
        first += population.neurons
        history += (fields["delay"] + steps) * fields["stride"]
        past += fields["delay"] * fields["stride"]
        masks += steps * fields["stride"] // BLOCK
    builders.weights.add(np.zeros(WEIGHT_MARGIN))  # are read behind the last
    _check_sizes(builders.weights.size, history)
    header = {
        "neurons": first,
        "steps": steps,
        "history": history,
        "past": past,
        "masks": masks,
        **_accumulator_sizes(populations, projections, steps),
        "output": places[network.output],
        "states": _place_further_states(populations, first),
    }
    return _assemble_tables(network, builders, populations, projections, header)


def _place_further_states(populations: list[Fields], neurons: int) -> int:
    """Place the further states of neurons behind the voltages; returns the size of both."""
    states = neurons
    for fields in populations:
        fields["further"] = states
        further = 2 if fields["reset"] == ADAPTIVE else bool(fields["refractory"])
        states += fields["neurons"] * further
    return states


def _weight_room(projection: Projection) -> int:
    """Estimate the bytes of the weights of a projection: two layouts, and what pads them."""
    connection = projection.connection
    return 1024 if isinstance(connection, SumPool) else 9 * connection.weights.size // 4 + 1024


def _check_sizes(weights: int, history: int) -> None:
    """Raise `EngineError` where bytes of the tables exceed what their offsets can count."""
    for quantity, size in (("weights", weights), ("values of a round", history)):
        if size > MAX_BYTES:
            raise EngineError(
                f"network: its {quantity} take {size} bytes in the tables of the CPU engine, which "
                f"hold {MAX_BYTES}; use the reference engine, or split the network"
            )


def _assemble_tables(
    network: Network,
    builders: ArrayBuilders,
    populations: list[Fields],
    projections: list[Fields],
    sizes: Fields,
) -> CoreTables:
    exit_rule = network.early_exit
    thresholds = np.array(exit_rule.thresholds if exit_rule else (), np.int64)
    header = {
        "format": FORMAT,
        "populations": len(populations),
        "projections": len(projections),
        "thresholds": len(thresholds),
        **sizes,
        "crc": 0,
    }
    tables = CoreTables(
        np.array([header[name] for name in HEADER], np.int32),
        make_table(POPULATION, populations),
        make_table(PROJECTION, projections),
        builders.weights.array(),
        builders.tables.array(),
        builders.targets.array(),
        builders.taps.array(),
        builders.factors.array(),
        builders.levels.array(),
        thresholds,
    )
    tables.seal()
    return tables


def _round_steps(network: Network, planes: list[Plane], places: dict[str, int]) -> int:
    """Return the steps computed of one population before the next, as feedback allows."""
    backward = [p.delay for p in network.projections if places[p.source] >= places[p.target]]
    size = sum(padded_stride(plane.population.neurons) for plane in planes)
    longest = MAX_STEPS if MAX_STEPS * size <= LONG_ROUNDS else MAX_STEPS // 2
    return min([1 if network.early_exit else longest, *backward])


def _accumulator(
    population: Population, sources: Sequence[Population], rows: list[Fields]
) -> tuple[Fields, int]:
    """Choose 16 or 32 bits for the sums of a population, and what they are shifted left by.

    Sums of 16 bits may wrap on the way: only the last has to fit. Takes the common shift off
    `rows`. Returns the largest magnitude of an activation as well, or -1 where sums are rounded
    first.
    """
    direct = all(not row["shift"] and not row["negate"] for row in rows)
    common = min((row["left"] for row in rows), default=0) if direct else 0
    highest = lowest = 0
    for source, row in zip(sources, rows, strict=True):
        row["left"] -= common
        scale = source.max_value << row["left"]
        highest += row["highest"] * scale
        lowest += row["lowest"] * scale
    messages = is_modular(population) or population.kind in ENCODERS
    narrow = highest <= 2**15 - 1 and lowest <= 2**15
    wide = not (direct and narrow) or messages or population.kind in RESONATORS
    reach = max(highest, lowest) << common if direct else -1
    for row in rows:
        if wide:
            row["by_target"] = 0
    left = common if messages else ALIGN_BITS + common
    return {"wide": int(wide), "left": left}, 0 if messages else reach


def _real_first(projections: Sequence[Projection]) -> list[Projection]:
    """Sort projections: those that add to the imaginary input of a population come last."""
    return sorted(projections, key=lambda projection: projection.component == "imag")


def _mark_twins(rows: list[Fields], sources: Sequence[Population]) -> None:
    """Let projections with the same weights that follow one another share one product."""
    lead = 0
    for number in range(1, len(rows)):
        row, first = rows[number], rows[lead]
        twins = rows[lead : number + 1]
        values = sum(s.max_value for s in sources[lead : number + 1])
        same = all(row.get(k) == first.get(k) for k in ("weights", "packed", "left", "kind"))
        fits = values < 1 << PART_BITS and all(t["parts"] == 1 and not t["shift"] for t in twins)
        if same and fits and row["kind"] == CONV and first["dense_from"]:
            first["twins"], row["dense_from"] = number - lead, 0
        else:
            lead = number


def _accumulator_sizes(
    populations: list[Fields], projections: list[Fields], steps: int
) -> dict[str, int]:
    """Return the entries of both accumulators, and the bytes of the image of a product."""
    sizes = {"sums16": 0, "sums32": 0, "image": 0}
    for population in populations:
        into = projections[population["into_first"] : population["into_last"]]
        together = 1
        for row in into:
            if row["kind"] == CONV:
                frames = steps if row["windows"] < SMALL_ROWS else 1
                together = max(together, frames)
                sizes["image"] = max(sizes["image"], frames * row["frame"])
        key = "sums32" if population["wide"] else "sums16"
        sums = 2 if population["update"] in (RF, RF_IZ) else 1
        sizes[key] = max(sizes[key], sums * together * population["neurons"])
    return sizes


def _partition_unit(population: Population, incoming: Sequence[Projection]) -> int:
    """Return the number of neurons that threads do not divide: a row of a map, or a vector.

    All of them where synapses are followed one by one, or neurons are read, or lie in a row or in
    groups.
    """
    shape = population.shape
    connections = [p.connection for p in incoming]
    alone = population.kind == "integrator" or any(isinstance(c, Sparse) for c in connections)
    if len(shape) == 3 and shape[1:] != (1, 1):
        return population.neurons if alone or shape[1] == 1 else shape[0] * shape[2]
    grouped = any(
        isinstance(c, SumPool) or (isinstance(c, Conv) and c.groups > 1) for c in connections
    )
    return population.neurons if alone or grouped else LANES


def _incoming(
    builders: ArrayBuilders,
    population: Population,
    projections: Sequence[Projection],
    planes: Sequence[Plane],
    costs: Costs,
    plastic: Collection[str],
) -> tuple[list[Fields], list[Population]]:
    """Rows of fields, one for each plane of a source, and what the planes send."""
    rows: list[Fields] = []
    sources: list[Population] = []
    for projection in projections:
        for place, plane in enumerate(planes):
            if plane.population.name == projection.source:
                row = _projection(builders, projection, plane.sent, population, costs, plastic)
                row["left"] += 8 * plane.byte
                row["negate"] ^= int(plane.negative)
                row |= {"source": place, "neurons": population.neurons}
                rows.append({**row, "real": projection.component == "real"})
                sources.append(plane.sent)
    return rows, sources


def _projection(
    builders: ArrayBuilders,
    projection: Projection,
    source: Population,
    target: Population,
    costs: Costs,
    plastic: Collection[str],
) -> Fields:
    """Return the fields of `projection`."""
    exponent = projection.weight_exponent
    learns = projection.name if projection.name in plastic else ""
    key = id(projection.connection), source.shape, source.value_bits, target.shape, learns
    if key not in builders.compiled:
        builders.compiled[key] = compile_connection(
            builders, projection.connection, source, target, costs, bool(learns)
        )
    fields = dict(builders.compiled[key])
    return fields | {
        "delay": projection.delay,
        "left": fields["halved"] + max(exponent, 0),
        "shift": max(-exponent, 0),
    }
