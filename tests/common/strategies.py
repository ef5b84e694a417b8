"""Random networks and events for tests: `@given(runs())` draws a network and events.

The graph is drawn by hypothesis, so a failure shrinks to few populations, small shapes and plain
connections; the numbers in its arrays come from a drawn seed. Thresholds are scaled to the largest
activation, so that deep populations spike; extremes (all weights 254, states that wrap or
saturate, thresholds of zero) are mixed in.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import assume, reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from pumice.runtime import Conv, Dense, EarlyExit, Network, Population, Projection, Sparse, SumPool
from pumice.runtime.arithmetic import ACTIVATION_LIMIT
from pumice.runtime.connections import Connection, conv_output_size
from pumice.runtime.early_exit import NEVER_EXIT
from pumice.runtime.errors import NetworkError
from pumice.runtime.population import RESONATORS, Component

Shape = tuple[int, ...]
Events = dict[str, NDArray[np.uint8]]
Draw = Any  # argument of a composite strategy
# Ranges of weights: the last three are extremes.
WEIGHTS = ((1, 1), (-64, 256), (-256, 256), (0, 255), (254, 254), (-256, -256), (255, 255))


@st.composite
def networks(draw: Draw, resonators: bool = True) -> Network:
    """Draw a valid `Network` of one or two inputs and one to four further populations.

    With `resonators`, some are of resonate-and-fire neurons.
    """
    populations = [draw(_inputs("input"))]
    if draw(st.sampled_from((False, False, False, True))):
        populations.append(draw(_inputs("second")))
    layers = draw(st.integers(1, 4))
    projections: list[Projection] = []
    for layer in range(layers):
        last = layer == layers - 1
        population, forward = draw(_layers(f"layer{layer}", populations, last, resonators))
        populations.append(population)
        projections += forward
    outputs = [
        p.name for p in populations if p.kind != "input" and (p.value_bits == 1 or p.max_spikes > 1)
    ]
    output = draw(st.sampled_from(outputs[::-1]))
    try:
        return Network(tuple(populations), tuple(projections), output, {"seed": "drawn"})
    except NetworkError as error:
        assume("the accumulator holds" not in str(error))  # graded spikes times many weights
        raise


@st.composite
def events(draw: Draw, network: Network) -> Events:
    """Draw events for each input of `network`: 1 to 8 steps, batch 1 to 4, any activity.

    Up to 20 steps where neurons resonate, so that phases pass zero.
    """
    resonates = any(p.kind in RESONATORS for p in network.populations)
    timesteps, batch = draw(st.integers(1, 20 if resonates else 8)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    rate = draw(st.sampled_from((1.0, 0.5, 0.5, 0.2, 0.2, 0.05, 0.0)))
    events_by_name = {}
    for population in network.inputs:
        shape = (timesteps, batch, *population.shape)
        values = rng.integers(1, population.max_value + 1, shape)
        events_by_name[population.name] = (values * (rng.random(shape) < rate)).astype(np.uint8)
    return events_by_name


@st.composite
def runs(draw: Draw, resonators: bool = True) -> tuple[Network, Events]:
    """Draw a network and events for it."""
    network = draw(networks(resonators))
    return network, draw(events(network))


@st.composite
def stopping_runs(draw: Draw, resonators: bool = True) -> tuple[Network, Events]:
    """Draw a network whose samples may stop early, at margins of any size, and events for it."""
    network, given = draw(runs(resonators))
    assume(network.population(network.output).neurons > 1)
    margins = st.sampled_from((0, 0, 1, 2, 64, 5_000, 300_000, NEVER_EXIT))
    thresholds = draw(st.lists(margins, min_size=1, max_size=6))
    return replace(network, early_exit=EarlyExit(tuple(thresholds))), given


@st.composite
def connections(draw: Draw, source: Shape) -> tuple[Connection, Shape]:
    """Draw a connection from a population of shape `source`, and a shape it can reach."""
    flat = ("dense", "sparse")
    kind = draw(st.sampled_from(flat if len(source) == 1 else (*flat, "conv", "conv", "sum_pool")))
    if kind in flat:
        target = draw(st.integers(1, 24))
        return draw(_flat(kind, int(np.prod(source)), target)), (target,)
    kernel, stride, padding = draw(_pairs(1, 3)), draw(_pairs(1, 3)), draw(_pairs(0, 2))
    dilation = draw(_pairs(1, 2)) if kind == "conv" else (1, 1)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    room = [size + 2 * p for size, p in zip(source[1:], padding, strict=True)]
    kernel = tuple(k if reach[a] <= room[a] else 1 for a, k in enumerate(kernel))
    if kind == "sum_pool":
        pool = SumPool(kernel, stride, padding, draw(st.sampled_from((1, 37, 254, -255))))
        return pool, (source[0], *conv_output_size(pool, source))
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if source[0] % g == 0]))
    wide = (1, 2, 3, 9) if source[1] * source[2] <= 20 else (1, 2, 3)
    outputs = groups * draw(st.sampled_from(wide))
    weights = draw(_weights((outputs, source[0] // groups, *kernel)))
    conv = Conv(weights, stride, padding, dilation, groups)
    return conv, (outputs, *conv_output_size(conv, source))


@st.composite
def _inputs(draw: Draw, name: str) -> Population:
    flat = st.tuples(st.integers(1, 24))
    image = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 7))
    bits = draw(st.sampled_from((1, 1, 1, 3, 8)))
    return Population(name, draw(st.one_of(flat, image, image)), kind="input", value_bits=bits)


@st.composite
def _layers(
    draw: Draw, name: str, earlier: list[Population], last: bool, resonators: bool
) -> tuple[Population, list[Projection]]:
    """Draw the next population, most often from the one before it, and all that reaches it."""
    sources = [earlier[-1], *earlier]
    first = draw(st.sampled_from(sources))
    connection, shape = draw(connections(first.shape))
    incoming = [(first, connection, draw(st.sampled_from((0, 0, 0, 1, 3))))]
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        source = draw(st.sampled_from(sources))
        delay = draw(st.sampled_from((0, 0, 1, 5)))
        incoming.append((source, draw(_into(source.shape, shape)), delay))
    integrator = last and draw(st.booleans())
    bits = 1 if last else draw(st.sampled_from((1, 1, 1, 2, 8)))
    complex_kind = ""
    if resonators and bits == 1 and not integrator:
        complex_kind = draw(st.sampled_from(("",) * 6 + ("rf", "rf", "rf_iz")))
    types = draw(neuron_types(bits)) if not (integrator or complex_kind) else {}
    spiking = Population(name, shape, value_bits=bits, **types)
    if not integrator and draw(st.sampled_from((False, False, True))):
        incoming.append((spiking, draw(_into(shape, shape)), draw(st.integers(1, 3))))
    if complex_kind and draw(st.sampled_from((True, True, True, False))):
        source = draw(st.sampled_from(sources))
        incoming.append((source, draw(_into(source.shape, shape)), 0))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    current_decay = draw(_parameters(rng, shape, (4096, 1024, 1, 0, 4095), 4096))
    room = min(ACTIVATION_LIMIT, max(1 << 18, int(np.min(current_decay)) << 12)) // len(incoming)
    parts: list[Component] = ["real"]
    if complex_kind:
        parts = draw(st.permutations(("real", "imag")))
    reach, projections = 0, []
    for number, (source, connection, delay) in enumerate(incoming):
        bound = int(connection.sum_abs_weights().max(initial=0)) * source.max_value
        exponent = min(draw(st.sampled_from((0, 0, 1, -1, -3, -8, 7))), _highest(bound, room))
        reach += scale_bound(bound, exponent)
        label = f"{source.name}-{name}-{number}"
        part = parts[number] if number < len(parts) else draw(st.sampled_from(parts))
        projections.append(Projection(label, source.name, name, connection, exponent, delay, part))
    scale = draw(st.sampled_from((0.02, 0.02, 0.1, 0.1, 0.3, 1.0, 0.0)))
    top = min(int(reach * scale), 131071)
    if complex_kind:
        return draw(_resonators(name, shape, complex_kind, rng, top)), projections
    if "reset_value" in types:
        lowest = -top if types["reset"] == "value" else 1
        scaled = draw(_parameters(rng, shape, (top, top // 3, 1, lowest), top))
        types["reset_value"] = np.maximum(scaled, lowest)
    if types.get("reset") == "adaptive":
        types["threshold_step"] = draw(_parameters(rng, shape, (top, top // 3, 0), top))
        for decay in ("threshold_decay", "refractory_decay"):
            types[decay] = draw(_parameters(rng, shape, (300, 0, 4096, 1), 4096))
    if draw(st.sampled_from((False, False, False, True))):
        types["min_voltage"] = -draw(_parameters(rng, shape, (top, top // 3, 0), top))
    population = Population(
        name,
        shape,
        value_bits=bits,
        kind="integrator" if integrator else "cuba",
        **types,
        current_decay=current_decay,
        voltage_decay=draw(_parameters(rng, shape, (0, 128, 4096, 1), 4096)),
        threshold=draw(_parameters(rng, shape, (top, top // 3, 0), top)),
        bias=draw(_parameters(rng, shape, (0, 0, 1, -37, 4095, -4096), min(top, 4095))),
        bias_exponent=draw(st.sampled_from((6, 0, 7, 3))),
    )
    return population, projections


@st.composite
def _resonators(
    draw: Draw, name: str, shape: Shape, kind: Any, rng: np.random.Generator, top: int
) -> Population:
    """Draw resonate-and-fire neurons, whose states shrink, last or, beyond a circle, grow."""
    return Population(
        name,
        shape,
        kind,
        sin_decay=draw(_parameters(rng, shape, (1000, 2900, 4095, 1, 0), 4095)),
        cos_decay=draw(_parameters(rng, shape, (3900, 2900, 4095, 0, 1), 4095)),
        threshold=draw(_parameters(rng, shape, (0, top, top // 3, top // 30), top)),
    )


@st.composite
def neuron_types(draw: Draw, bits: int) -> dict[str, Any]:
    """Draw a reset, and for some a refractory period or several spikes in a timestep.

    Half of all are reset to zero without either. A `reset_value` of 1 stands for one to be drawn.
    """
    resets = ("zero",) * 4 + ("value", "subtract", "delayed_subtract")
    reset = draw(st.sampled_from((*resets, "adaptive", "adaptive") if bits == 1 else resets))
    types: dict[str, Any] = {"reset": reset}
    if reset == "adaptive":
        return types
    if reset != "zero":
        types["reset_value"] = 1
    if reset != "delayed_subtract" and draw(st.sampled_from((False, False, False, True))):
        types["refractory"] = draw(st.sampled_from((1, 2, 5, 255)))
    if reset == "subtract" and bits == 1 and draw(st.booleans()):
        types["max_spikes"] = draw(st.sampled_from((2, 3, 7, 10, 255)))
    return types


def _highest(bound: int, room: int) -> int:
    """Compute the highest exponent that keeps `bound` within `room`; none: another draw."""
    fits = [e for e in range(7, -9, -1) if scale_bound(bound, e) + (e < 0) <= room]
    return fits[0] if fits else reject()


def scale_bound(bound: int, exponent: int) -> int:
    """Scale `bound` by 2^exponent, rounded down."""
    return bound << exponent if exponent >= 0 else bound >> -exponent


@st.composite
def _parameters(
    draw: Draw, rng: np.random.Generator, shape: Shape, choices: tuple[int, ...], top: int
) -> Any:
    """Draw one value, or values from 0 to `top` for each channel or each neuron."""
    form = draw(st.sampled_from(("one", "channels", "neurons")))
    if form == "one":
        return draw(st.sampled_from(choices))
    return rng.integers(0, top + 1, shape[:1] if form == "channels" else shape)


@st.composite
def _into(draw: Draw, source: Shape, target: Shape) -> Connection:
    """Draw a connection between two given shapes: a convolution where size is kept."""
    if len(source) == len(target) == 3 and source[1:] == target[1:] and draw(st.booleans()):
        kernel = draw(st.sampled_from(((1, 1), (3, 3), (1, 3), (3, 1))))
        padding = (kernel[0] // 2, kernel[1] // 2)
        return Conv(draw(_weights((target[0], source[0], *kernel))), (1, 1), padding)
    kind = draw(st.sampled_from(("dense", "sparse")))
    flat: Connection = draw(_flat(kind, int(np.prod(source)), int(np.prod(target))))
    return flat


@st.composite
def _flat(draw: Draw, kind: str, sources: int, targets: int) -> Connection:
    if kind == "dense":
        return Dense(draw(_weights((targets, sources))))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    there = rng.random((targets, sources)) < draw(st.sampled_from((0.3, 0.05, 1.0, 0.0)))
    rows, columns = np.nonzero(there)
    weights = to_valid_weights(draw(_weights((targets, sources)))[there])
    return Sparse(weights, rows, columns, (targets, sources))


@st.composite
def _weights(draw: Draw, shape: Shape) -> NDArray[np.int16]:
    """Draw valid weights: small integers, at random or at an extreme."""
    low, high = draw(st.sampled_from(WEIGHTS))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    weights = rng.integers(low, high + 1, shape).astype(np.int16)
    if draw(st.sampled_from((False, False, False, True))):
        weights.reshape(-1)[:1] *= -1
    return to_valid_weights(weights)


def to_valid_weights(weights: NDArray[np.int16]) -> NDArray[np.int16]:
    """Clip to 8-bit weights: even ones where the sign is mixed."""
    if weights.min(initial=0) < 0 < weights.max(initial=0):
        return np.clip(weights // 2 * 2, -256, 254).astype(np.int16)
    return np.clip(weights, -255, 255).astype(np.int16)


def _pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))
