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
from numpy.typing import NDArray

from ...arithmetic import ALIGN_BITS, DECAY_ONE, DELTA_BITS, STATE_HALF
from ...connections import Conv, Sparse, SumPool
from ...errors import EngineError
from ...network import Network, activation_bound, is_modular
from ...neuron_types import LIF_FEATURES, MESSAGE_FEATURES, require_features
from ...population import ENCODERS, Population
from ...projection import Projection
from .costs import Costs
from .layouts import compile_connection
from .planes import Plane, list_planes
from .tables import (
    ADAPTIVE,
    BLOCK,
    CONV,
    CURRENT,
    DELAYED,
    DELTA,
    FORMAT,
    GENERAL,
    GENERAL_VALUES,
    HEADER,
    KINDS,
    LANES,
    LEAK,
    LONG_ROUNDS,
    MAX_BYTES,
    MAX_STEPS,
    PART_BITS,
    PERIOD,
    PLAIN,
    PLANE,
    POPULATION,
    PROJECTION,
    SEVERAL,
    SIGMA_DELTA,
    SMALL_ROWS,
    SUBTRACT,
    SUM,
    TO_VALUE,
    TO_ZERO,
    UNREACHABLE,
    WEIGHT_MARGIN,
    WRAP,
    ArrayBuilders,
    CoreTables,
    Fields,
    hwc_order,
    make_table,
    padded_stride,
)

RESETS = {
    "value": TO_VALUE,
    "subtract": SUBTRACT,
    "delayed_subtract": DELAYED,
    "adaptive": ADAPTIVE,
}


def compile_network(network: Network, costs: Costs, plastic: Collection[str] = ()) -> CoreTables:
    """Compile `network`: layers take products from the activity on at which `costs` favor them.

    Weights of the `plastic` projections may become anything from 0 to 255.
    """
    require_features(network, "the CPU engine", (*LIF_FEATURES, *MESSAGE_FEATURES))
    planes = list_planes(network)
    places = {plane.population.name: place for place, plane in enumerate(planes) if plane.is_first}
    steps = _round_steps(network, planes, places)
    builders = ArrayBuilders(sum(_weight_room(p) for p in network.projections))
    populations: list[Fields] = []
    projections: list[Fields] = []
    first = history = masks = past = 0
    for plane in planes:
        population = plane.population
        incoming = network.incoming(population.name) if plane.is_first else ()
        delays = [p.delay for p in network.projections if p.source == population.name]
        rows, sources = _incoming(builders, population, incoming, planes, costs, plastic)
        accumulator, reach = _accumulator(population, sources, rows)
        if reach < 0:
            reach = activation_bound(network, population)
        fields = {
            **accumulator,
            **_population(builders, plane, reach),
            "unit": _partition_unit(population, network.incoming(population.name)),
            "first": first,
            "history": history,
            "masks": masks,
            "past": past,
            "delay": max(delays, default=0),
            "into_first": len(projections),
            "into_last": len(projections) + len(rows),
        }
        _mark_twins(rows, sources)
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


def _population(builders: ArrayBuilders, plane: Plane, reach: int) -> Fields:
    """Return the fields of neurons whose activation stays within `reach`.

    Parameters are stored for a few rows where they repeat.
    """
    population = plane.population
    shape = population.shape
    reach <<= ALIGN_BITS
    no_current = bool((population.current_decay == DECAY_ONE).all())
    leaks = not (population.voltage_decay == 0).all()
    encodes = population.kind in ENCODERS
    threshold = population.threshold << (DELTA_BITS if encodes else ALIGN_BITS)
    factors: tuple[NDArray[np.int32], ...] = (
        DECAY_ONE - population.current_decay,
        DECAY_ONE - population.voltage_decay,
    )
    levels: tuple[NDArray[np.int32], ...] = (
        np.full_like(threshold, UNREACHABLE) if population.kind == "integrator" else threshold,
        population.bias << population.bias_exponent + (ALIGN_BITS if encodes else 0),
    )
    reset = _reset(population)
    if reset != TO_ZERO:
        lowest = np.maximum(population.min_voltage << ALIGN_BITS, 1 - STATE_HALF)
        adaptive = population.reset == "adaptive"
        amount = population.threshold_step if adaptive else population.reset_value
        levels = (*levels, amount << ALIGN_BITS, lowest)
        if adaptive:
            further = population.threshold_decay, population.refractory_decay
            factors = *factors, DECAY_ONE - further[0], DECAY_ONE - further[1]
    repeats = len(shape) == 3 and all(value.shape != shape for value in (*factors, *levels))
    period = population.neurons
    if repeats:
        row_neurons = shape[0] * shape[2]
        period = min(period, row_neurons * max(1, PERIOD // row_neurons))
    if is_modular(population) or encodes:
        update = {"sigma_delta": SIGMA_DELTA, "delta": DELTA}.get(population.kind, SUM)
    elif (
        reset != TO_ZERO or population.value_bits > 1 or not (no_current or reach <= 2 * STATE_HALF)
    ):
        update = GENERAL_VALUES if no_current else GENERAL
    elif no_current and reach < STATE_HALF:
        update = LEAK if leaks else PLAIN
    else:
        update = WRAP if no_current else CURRENT
    return {
        "kind": PLANE if encodes and not plane.is_first else KINDS[population.kind],
        "neurons": population.neurons,
        "channels": shape[0],
        "stride": padded_stride(population.neurons),
        "period": period,
        "max_value": plane.sent.max_value,
        "factors": builders.factors.add(_parameter_rows(factors, shape, period)),
        "levels": builders.levels.add(_parameter_rows(levels, shape, period)),
        "update": update,
        "uniform": int(all((v == v.flat[0]).all() for v in (*factors, *levels))),
        "reset": reset,
        "refractory": population.refractory,
    }


def _parameter_rows(
    values: Sequence[NDArray[np.int32]], shape: tuple[int, ...], period: int
) -> NDArray[np.int32]:
    """Join parameters of the first `period` neurons, channels last, each repeated over `shape`."""
    rows = np.empty((len(values), period), np.int32)
    for row, value in zip(rows, values, strict=True):
        if value.size == 1:
            row[:] = value.flat[0]
        else:
            row[:] = np.broadcast_to(value, shape).reshape(-1)[hwc_order(shape)[:period]]
    return rows.reshape(-1)


def _reset(population: Population) -> int:
    """Return the reset of a population, as the core names it."""
    if population.max_spikes > 1:
        return SEVERAL
    if population.reset == "zero":
        return TO_VALUE if population.refractory or population.bounded else TO_ZERO
    return RESETS[population.reset]


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
    wide = not direct or messages or highest > 2**15 - 1 or lowest > 2**15
    reach = max(highest, lowest) << common if direct else -1
    for row in rows:
        if wide:
            row["by_target"] = 0
    left = common if messages else ALIGN_BITS + common
    return {"wide": int(wide), "left": left}, 0 if messages else reach


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
        sizes[key] = max(sizes[key], together * population["neurons"])
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
                rows.append({"source": place, "neurons": population.neurons, **row})
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
