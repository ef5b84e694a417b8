"""Random networks whose messages have a sign or more than 8 bits: `@given(message_runs())`.

Delta encoders, sigma-delta populations with feedback and skips, read-outs, and LIF neurons that
read signed values. Weights of up to 254 and thresholds of zero let sums wrap at 24 bits.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import connections, to_valid_weights

from pumice.runtime import Dense, EarlyExit, Network, Population, Projection, Sparse, SumPool
from pumice.runtime.connections import Connection
from pumice.runtime.early_exit import NEVER_EXIT

Draw = Any  # argument of a composite strategy
Shape = tuple[int, ...]
Events = dict[str, NDArray[Any]]


@st.composite
def message_runs(draw: Draw, narrow: bool = False) -> tuple[Network, Events]:
    """Draw a network of one input and one to four further populations, and events for it.

    The input of a `narrow` one is of up to 8 bits, without a sign.
    """
    encodes = draw(st.booleans())
    wide = (8, 16) if encodes else (2, 8, 13, 24)
    source = draw(_inputs((1, 3, 8) if narrow else wide, narrow))
    populations, projections = [source], []
    if encodes:
        encoder = _encoder("encoder", source, draw(st.sampled_from((0, 1, 3, 20))))
        populations.append(encoder)
        exponent = draw(st.sampled_from((0, -1, -3))) if source.value_type is np.uint8 else 0
        encode = Projection("encode", "input", "encoder", _one_to_one(source.shape), exponent)
        projections.append(encode)
    for layer in range(draw(st.integers(0 if encodes else 1, 3))):
        neurons, incoming = draw(_layers(f"layer{layer}", populations))
        populations.append(neurons)
        projections += incoming
    if draw(st.booleans()) and not encodes:
        readers = draw(_readers(source))
        populations.append(readers[0])
        projections.append(readers[1])
    sender = next(p for p in reversed(populations) if p.kind in ("delta", "sigma_delta"))
    classes = draw(st.integers(1, 5))
    populations.append(Population("sums", (classes,), "integrator", align_bits=0))
    weights = draw(_dense(sender.neurons, classes))
    projections.append(Projection("read", sender.name, "sums", weights, draw(_exponents())))
    network = Network(tuple(populations), tuple(projections))
    if classes > 1 and draw(st.sampled_from((False, False, True))):
        margins = st.lists(st.sampled_from((0, 2, 5_000, NEVER_EXIT)), min_size=1, max_size=6)
        network = replace(network, early_exit=EarlyExit(tuple(draw(margins))))
    return network, draw(_events(source))


@st.composite
def _inputs(draw: Draw, bits: tuple[int, ...], narrow: bool) -> Population:
    flat = st.tuples(st.integers(1, 24))
    image = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 7))
    shape, value_bits = draw(st.one_of(flat, image)), draw(st.sampled_from(bits))
    signed = not narrow and draw(st.sampled_from((True, True, False)))
    value_bits -= value_bits == 16 and not signed
    return Population("input", shape, "input", value_bits=value_bits, signed=signed)


@st.composite
def _events(draw: Draw, source: Population) -> Events:
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    shape = (draw(st.integers(1, 8)), draw(st.integers(1, 4)), *source.shape)
    scale = draw(st.sampled_from((1.0, 0.1, 0.01)))
    values = (rng.integers(source.min_value, source.max_value + 1, shape) * scale).astype(np.int64)
    return {"input": values * (rng.random(shape) < draw(st.sampled_from((1.0, 0.3, 0.05))))}


def _encoder(name: str, source: Population, threshold: int) -> Population:
    return Population(name, source.shape, "delta", threshold=threshold)


def _one_to_one(shape: Shape) -> Connection:
    if len(shape) == 3:
        return SumPool((1, 1), (1, 1))
    index = np.arange(shape[0])
    return Sparse(np.ones(shape[0], np.int16), index, index, (shape[0], shape[0]))


@st.composite
def _dense(draw: Draw, sources: int, targets: int) -> Dense:
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    top = draw(st.sampled_from((4, 40, 254)))
    return Dense(to_valid_weights(rng.integers(-top, top + 1, (targets, sources)).astype(np.int16)))


def _exponents() -> st.SearchStrategy[int]:
    return st.sampled_from((0, 0, 0, 1, 3))


def _divisible(connection: Connection, exponent: int) -> Connection:
    """Round weights towards zero to what 2^exponent leaves integers."""
    if isinstance(connection, SumPool):
        return replace(
            connection, weight=int(np.fix(connection.weight * 2.0**exponent)) << -exponent
        )
    whole = np.fix(connection.weights * 2.0**exponent).astype(np.int16) << -exponent
    return replace(connection, weights=whole)


@st.composite
def _layers(
    draw: Draw, name: str, earlier: list[Population]
) -> tuple[Population, list[Projection]]:
    senders = [p for p in earlier if p.kind != "cuba"]
    first = draw(st.sampled_from([senders[-1], *senders]))
    connection, shape = draw(connections(first.shape))
    incoming = [(first.name, connection, draw(st.sampled_from((0, 0, 1, 3))))]
    neurons = int(np.prod(shape))
    if draw(st.sampled_from((False, True))):
        other = draw(st.sampled_from(senders))
        incoming.append((other.name, draw(_dense(other.neurons, neurons)), 1))
    if draw(st.sampled_from((False, False, True))):
        incoming.append((name, draw(_dense(neurons, neurons)), draw(st.integers(1, 2))))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    per_channel = draw(st.booleans())
    population = Population(
        name,
        shape,
        "sigma_delta",
        threshold=draw(st.sampled_from((0, 1, 5, 40))),
        bias=rng.integers(-90, 90, shape[:1]) if per_channel else draw(st.sampled_from((0, 7, -3))),
        bias_exponent=draw(st.sampled_from((6, 6, 0, 7))),
    )
    projections = []
    for number, (source, each, delay) in enumerate(incoming):
        exponent = draw(_exponents())
        if draw(st.sampled_from((False, False, True))):
            exponent = -1
            each = _divisible(each, exponent)
        projections.append(Projection(f"{name}-{number}", source, name, each, exponent, delay))
    return population, projections


@st.composite
def _readers(draw: Draw, source: Population) -> tuple[Population, Projection]:
    """LIF neurons that read the values of the input, whose sums stay within 24 bits."""
    top = min(254, ((1 << 23) - 1) // (max(source.max_value, -source.min_value) * source.neurons))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    weights = to_valid_weights(rng.integers(-top, top + 1, (3, source.neurons)).astype(np.int16))
    reach = int(np.abs(weights).sum(axis=1).max()) * source.max_value
    threshold = min(reach // draw(st.sampled_from((2, 10, 50))), 131071)
    neurons = Population("readers", (3,), threshold=threshold, voltage_decay=500)
    return neurons, Projection("readers", "input", "readers", Dense(weights))
