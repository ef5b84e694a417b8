"""Learning on the chip, in integers: what a step of STDP does to the weights of a projection.

The form is that of Loihi's learning rules (sums of products of traces, tags and weights; traces of
7 bits, weights of 8, rounding by chance), with two traces of unlike time constants on each side. A
synapse's own mixture of them, in its two tags, gives it a window of its own. With s_j and s_i the
spikes of a synapse's source and target, x1, x2 the traces of the source, y1, y2 of the target:

    x <- (x kept + r) >> 12, then + impulse where s_j, at most 127         (y alike, where s_i)
    a <- (w << 7) + s_i (p1 + p2) + s_j (q1 + q2)
    p <- ((potentiation t x (255 - w)) >> 14) << exponent                  (t1 with x1, t2 with x2)
    q <- ((-depression t y w) >> 14) << exponent                           (t1 with y1, t2 with y2)
    w <- clip((a + r') >> 7, 0, 255)

>> rounds down. r (12 bits) and r' (7 bits) are drawn once a step for all, as Lava does it; the
generator is this module's own. Spikes are delivered before they teach: what those of step t change
holds for the spikes of step t + 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arithmetic import lif_step, shift
from .arrays import Integers, ValueEquality, as_int, as_readonly
from .connections import Sparse
from .engines.reference import accumulate
from .errors import NetworkError
from .events import Events, validate_events
from .network import Network

TRACE_LIMIT, WEIGHT_LIMIT = 127, 255
TRACE_BITS, ROUND_BITS, PRODUCT_BITS = 12, 7, 14
LIMITS = {"impulse": (1, 127), "potentiation": (0, 7), "depression": (0, 7), "exponent": (0, 9)}
Words = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlasticityRule(ValueEquality):
    """The rule of one projection; see the module's equations.

    `kept_before`, `kept_after`: what the two traces of a source and of a target keep a step, in
    1/4096. `tags`: uint8 (2, synapses), in the order of the projection's `Sparse`; 32 stands for
    one. Raises `NetworkError` where a number does not fit its register.
    """

    pre_decay_factors: tuple[int, int]
    post_decay_factors: tuple[int, int]
    tags: Integers
    potentiation: int = 1
    depression: int = 1
    exponent: int = 4
    impulse: int = 16
    seed: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", as_readonly(self.tags, np.uint8, "tags"))
        for name, (low, high) in LIMITS.items():
            value = as_int(getattr(self, name), name)
            if not low <= value <= high:
                raise NetworkError(f"plasticity: {name} is {value}, needs {low} to {high}")
        for kept in (*self.pre_decay_factors, *self.post_decay_factors):
            if not 0 <= kept < 1 << TRACE_BITS:
                raise NetworkError(f"plasticity: a trace keeps {kept}, needs 0 to 4095")


def next_random(state: int) -> tuple[int, int, int]:
    """Return the next state of the generator, and r and r' of a step.

    state <- (1664525 state + 1013904223) mod 2^32 (Knuth and Lewis); its upper bits are used.
    """
    state = (1664525 * state + 1013904223) & 0xFFFFFFFF
    return state, state >> 20, (state >> 13) & 0x7F


def validate_rules(network: Network, rules: Mapping[str, PlasticityRule]) -> None:
    """Raise `NetworkError` where a rule names no projection that can learn."""
    named = {projection.name: projection for projection in network.projections}
    for name, rule in rules.items():
        if name not in named:
            raise NetworkError(f"plasticity: no projection {name!r}; there are {', '.join(named)}")
        connection = named[name].connection
        if not isinstance(connection, Sparse) or named[name].delay != 1:
            raise NetworkError(f"{name}: learns, so it needs to be sparse with a delay of 1")
        if rule.tags.shape != (2, connection.weights.size):
            raise NetworkError(
                f"{name}: tags of shape {rule.tags.shape}, needs (2, {connection.weights.size})"
            )
        if connection.weights.size and connection.weights.min() < 0:
            raise NetworkError(f"{name}: a weight is {connection.weights.min()}, needs 0 to 255")


def learn(network: Network, rules: Mapping[str, PlasticityRule], events: Events) -> Network:
    """Return `network` after it ran through `events` and learned: the reference, in plain numpy.

    `events` uint8 (timesteps, samples, *input shape): samples come one after the other, each from
    silence, with the weights that the last one left. `rules` by the name of the projection.
    Raises `NetworkError` where a rule does not fit, `EngineError` where events do not.
    """
    validate_rules(network, rules)
    given = validate_events(network, events)
    timesteps, samples = next(iter(given.values())).shape[:2]
    seeds = {name: rule.seed for name, rule in rules.items()}
    for sample in range(samples):
        shown = {name: array[:, sample : sample + 1] for name, array in given.items()}
        network = _learn_sample(network, rules, shown, timesteps, seeds)
    return network


def _learn_sample(
    network: Network,
    rules: Mapping[str, PlasticityRule],
    shown: dict[str, NDArray[np.uint8]],
    timesteps: int,
    seeds: dict[str, int],
) -> Network:
    """Return `network` after one sample; `seeds` hold the state of each rule's generator."""
    now = {p.name: np.zeros((1, *p.shape), np.uint8) for p in network.populations}
    states = {p.name: (np.zeros((1, *p.shape), np.int64),) * 2 for p in network.topological_order}
    traces = {name: _zero_traces(network, name) for name in rules}
    past = [now]
    for t in range(timesteps):
        now = {name: array[t] for name, array in shown.items()}
        for population in network.topological_order:
            total = np.zeros((1, *population.shape), np.int64)
            for projection in network.incoming(population.name):
                if projection.delay <= t:
                    sent = now if not projection.delay else past[-projection.delay]
                    values = sent[projection.source].astype(np.int64)
                    summed = accumulate(projection.connection, values)
                    total += shift(summed, projection.weight_exponent).reshape(total.shape)
            current, voltage, fired = lif_step(population, *states[population.name], total)
            states[population.name] = current, voltage
            now = {**now, population.name: fired}
        if t:  # the spikes of the step before have been delivered: now they teach
            network = _learn_step(network, rules, traces, past[-1], seeds)
        past.append(now)
    return _learn_step(network, rules, traces, past[-1], seeds)


def _zero_traces(network: Network, name: str) -> tuple[Words, Words]:
    """Return the traces of a projection's sources and targets, int64 (2, neurons)."""
    projection = next(p for p in network.projections if p.name == name)
    source, target = network.population(projection.source), network.population(projection.target)
    return np.zeros((2, source.neurons), np.int64), np.zeros((2, target.neurons), np.int64)


def _learn_step(
    network: Network,
    rules: Mapping[str, PlasticityRule],
    traces: dict[str, tuple[Words, Words]],
    spikes: Mapping[str, NDArray[np.uint8]],
    seeds: dict[str, int],
) -> Network:
    """Return `network` with the weights that one step's spikes leave; advances the traces."""
    projections = []
    for projection in network.projections:
        if projection.name in rules and isinstance(projection.connection, Sparse):
            rule, name = rules[projection.name], projection.name
            seeds[name], r, r_weight = next_random(seeds[name])
            before, after = (
                spikes[end].reshape(-1).astype(np.int64)
                for end in (projection.source, projection.target)
            )
            traces[name] = (
                _decay_traces(traces[name][0], rule.pre_decay_factors, before, rule.impulse, r),
                _decay_traces(traces[name][1], rule.post_decay_factors, after, rule.impulse, r),
            )
            weights = apply_stdp(projection.connection, rule, traces[name], before, after, r_weight)
            projection = replace(
                projection, connection=replace(projection.connection, weights=weights)
            )
        projections.append(projection)
    return replace(network, projections=tuple(projections))


def _decay_traces(
    traces: Words, kept: tuple[int, int], spikes: Words, impulse: int, r: int
) -> Words:
    less = (traces * np.array(kept)[:, None] + r) >> TRACE_BITS
    found: Words = np.minimum(less + impulse * spikes, TRACE_LIMIT)
    return found


def apply_stdp(
    connection: Sparse,
    rule: PlasticityRule,
    traces: tuple[Words, Words],
    before: Words,
    after: Words,
    r: int,
) -> Words:
    """Return the weights after a step with spikes `before` (sources) and `after` (targets)."""
    weights = connection.weights.astype(np.int64)
    tags = rule.tags.astype(np.int64)
    x, y = traces[0][:, connection.columns], traces[1][:, connection.rows]
    up = (rule.potentiation * tags * x * (WEIGHT_LIMIT - weights)) >> PRODUCT_BITS
    down = (-rule.depression * tags * y * weights) >> PRODUCT_BITS
    moved = after[connection.rows] * (up << rule.exponent).sum(axis=0)
    moved = moved + before[connection.columns] * (down << rule.exponent).sum(axis=0)
    found: Words = ((weights << ROUND_BITS) + moved + r) >> ROUND_BITS
    return np.clip(found, 0, WEIGHT_LIMIT)
