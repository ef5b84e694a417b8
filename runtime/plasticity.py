"""On-chip STDP in integers: plasticity rules and the reference that learns by them.

The form is that of Loihi's learning rules (sums of products of traces, tags and weights; 7-bit
traces, 8-bit weights, stochastic rounding), with two traces of different time constants on each
side. The mixture of both in a synapse's two tags gives it its own STDP window. With s_j and s_i the
spikes of a synapse's source and target, x1, x2 the traces of the source, y1, y2 of the target:

    x <- (x decay_factor + r) >> 12, then + impulse where s_j, at most 127    (y likewise with s_i)
    a <- (w << 7) + s_i (p1 + p2) + s_j (q1 + q2)
    p <- ((potentiation t x (255 - w)) >> 14) << exponent                  (t1 with x1, t2 with x2)
    q <- ((-depression t y w) >> 14) << exponent                           (t1 with y1, t2 with y2)
    w <- clip((a + r') >> 7, 0, 255)

>> rounds down. r (12 bits) and r' (7 bits) are drawn once per timestep for all synapses, as in
Lava; the generator is this module's own. Spikes are delivered before weights change: those of
timestep t change the weights that the spikes of timestep t + 1 meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arithmetic import neuron_step, shift
from .arrays import Integers, ValueEquality, as_int, as_readonly
from .connections import Sparse
from .engines.reference import accumulate
from .errors import NetworkError
from .events import Events, validate_events
from .network import Network
from .population import RESONATORS

TRACE_LIMIT, WEIGHT_LIMIT = 127, 255
TRACE_BITS, ROUND_BITS, PRODUCT_BITS = 12, 7, 14
LIMITS = {"impulse": (1, 127), "potentiation": (0, 7), "depression": (0, 7), "exponent": (0, 9)}
Words = NDArray[np.int64]
Spikes = dict[str, NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class PlasticityRule(ValueEquality):
    """Plasticity rule of one projection; see the module's equations.

    Attributes:
        pre_decay_factors: Fraction that each of the two traces of a source keeps per timestep, in
            1/4096.
        post_decay_factors: The same of a target.
        tags: uint8 (2, synapses), in the order of the projection's `Sparse`; 32 is one.
        potentiation: Factor of potentiation, 0 to 7.
        depression: Factor of depression, 0 to 7.
        exponent: Left shift of weight changes, 0 to 9.
        impulse: Increment of a trace by a spike, 1 to 127.
        seed: Initial state of the generator for stochastic rounding.

    Raises:
        NetworkError: A number does not fit its register.
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
        for factor in (*self.pre_decay_factors, *self.post_decay_factors):
            if not 0 <= factor < 1 << TRACE_BITS:
                raise NetworkError(f"plasticity: a decay factor is {factor}, needs 0 to 4095")


def next_random(state: int) -> tuple[int, int, int]:
    """Advance the generator; returns its next state, and r and r' of a timestep.

    state <- (1664525 state + 1013904223) mod 2^32 (Knuth and Lewis); its upper bits are used.
    """
    state = (1664525 * state + 1013904223) & 0xFFFFFFFF
    return state, state >> 20, (state >> 13) & 0x7F


def validate_rules(network: Network, rules: Mapping[str, PlasticityRule]) -> None:
    """Raise `NetworkError` where a rule does not fit the projection it is for."""
    projections = {projection.name: projection for projection in network.projections}
    if rules and network.early_exit:
        raise NetworkError(
            "plasticity: the network stops early, but synapses learn at every timestep; "
            "leave out its early exit"
        )
    for population in network.populations if rules else ():
        if population.kind in RESONATORS:
            raise NetworkError(
                f"plasticity: {population.name} is resonate-and-fire; networks that learn are of "
                "LIF neurons"
            )
    for name, rule in rules.items():
        if name not in projections:
            raise NetworkError(
                f"plasticity: no projection {name!r}; there are {', '.join(projections)}"
            )
        connection = projections[name].connection
        if not isinstance(connection, Sparse) or projections[name].delay != 1:
            raise NetworkError(f"{name}: is plastic, needs to be sparse with a delay of 1")
        if rule.tags.shape != (2, connection.weights.size):
            raise NetworkError(
                f"{name}: tags of shape {rule.tags.shape}, needs (2, {connection.weights.size})"
            )
        if connection.weights.size and connection.weights.min() < 0:
            raise NetworkError(f"{name}: a weight is {connection.weights.min()}, needs 0 to 255")
        for end in (projections[name].source, projections[name].target):
            population = network.population(end)
            if population.kind == "integrator" or population.value_bits > 1:
                raise NetworkError(
                    f"{name}: is plastic, but {end} sends no spikes of one bit to learn from"
                )


def saturate_weights(network: Network, rules: Mapping[str, PlasticityRule]) -> Network:
    """Set all plastic weights of `network` to their upper bound, for bounds on activations.

    Raises:
        NetworkError: The sum of these weights leaves 24 bits.
    """
    projections = []
    for projection in network.projections:
        connection = projection.connection
        if projection.name in rules and isinstance(connection, Sparse):
            largest = np.full_like(connection.weights, WEIGHT_LIMIT)
            projection = replace(projection, connection=replace(connection, weights=largest))
        projections.append(projection)
    return replace(network, projections=tuple(projections))


def learn(network: Network, rules: Mapping[str, PlasticityRule], events: Events) -> Network:
    """Run `network` with plasticity and return it with the learned weights: the numpy reference.

    Args:
        network: Network to train.
        rules: Plasticity rule by name of the projection.
        events: uint8 (timesteps, samples, *input shape); samples follow one another, each from zero
            state, with the weights that the last one left.

    Raises:
        NetworkError: A rule does not fit.
        EngineError: The events do not fit the inputs.
    """
    return learn_and_record(network, rules, events)[0]


def learn_and_record(
    network: Network, rules: Mapping[str, PlasticityRule], events: Events
) -> tuple[Network, Spikes]:
    """Run `network` with plasticity; return it with the learned weights, and all spikes.

    Args and errors are those of `learn`.

    Returns:
        The network, and by population that is no input, uint8 (timesteps, samples, *shape).
    """
    validate_rules(network, rules)
    validated = validate_events(network, events)
    timesteps, samples = next(iter(validated.values())).shape[:2]
    seeds = {name: rule.seed for name, rule in rules.items()}
    spikes = {
        p.name: np.zeros((timesteps, samples, *p.shape), np.uint8)
        for p in network.topological_order
    }
    for index in range(samples):
        sample = {name: array[:, index : index + 1] for name, array in validated.items()}
        recorded = {name: array[:, index : index + 1] for name, array in spikes.items()}
        network = _learn_sample(network, rules, sample, recorded, seeds)
    return network, spikes


def _learn_sample(
    network: Network,
    rules: Mapping[str, PlasticityRule],
    sample: Spikes,
    recorded: Spikes,
    seeds: dict[str, int],
) -> Network:
    """Learn from one sample; writes spikes to `recorded` and `seeds`, the generators' states."""
    now = {p.name: np.zeros((1, *p.shape), np.uint8) for p in network.populations}
    states = {
        p.name: tuple(np.zeros((1, *p.shape), np.int64) for _ in p.states)
        for p in network.topological_order
    }
    traces = {name: _zero_traces(network, name) for name in rules}
    history = [now]
    for t in range(len(next(iter(sample.values())))):
        now = {name: array[t] for name, array in sample.items()}
        for population in network.topological_order:
            total = np.zeros((1, *population.shape), np.int64)
            for projection in network.incoming(population.name):
                if projection.delay <= t:
                    sent = now if not projection.delay else history[-projection.delay]
                    values = sent[projection.source].astype(np.int64)
                    sums = accumulate(projection.connection, values)
                    total += shift(sums, projection.weight_exponent).reshape(total.shape)
            after, spikes = neuron_step(population, states[population.name], total)
            states[population.name] = after
            now = {**now, population.name: spikes}
            recorded[population.name][t] = spikes
        if t:  # the spikes of the last timestep have been delivered: now they change weights
            network = _learn_step(network, rules, traces, history[-1], seeds)
        history.append(now)
    return _learn_step(network, rules, traces, history[-1], seeds)


def _zero_traces(network: Network, name: str) -> tuple[Words, Words]:
    """Allocate the traces of a projection's sources and targets, int64 (2, neurons)."""
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
    """Update weights by the spikes of one timestep; advances `traces` and `seeds` in place."""
    projections = []
    for projection in network.projections:
        if projection.name in rules and isinstance(projection.connection, Sparse):
            rule, name = rules[projection.name], projection.name
            seeds[name], r, r_weight = next_random(seeds[name])
            pre, post = (
                spikes[end].reshape(-1).astype(np.int64)
                for end in (projection.source, projection.target)
            )
            traces[name] = (
                _decay_traces(traces[name][0], rule.pre_decay_factors, pre, rule.impulse, r),
                _decay_traces(traces[name][1], rule.post_decay_factors, post, rule.impulse, r),
            )
            weights = apply_stdp(projection.connection, rule, traces[name], pre, post, r_weight)
            projection = replace(
                projection, connection=replace(projection.connection, weights=weights)
            )
        projections.append(projection)
    return replace(network, projections=tuple(projections))


def _decay_traces(
    traces: Words, factors: tuple[int, int], spikes: Words, impulse: int, r: int
) -> Words:
    decayed = (traces * np.array(factors)[:, None] + r) >> TRACE_BITS
    updated: Words = np.minimum(decayed + impulse * spikes, TRACE_LIMIT)
    return updated


def apply_stdp(
    connection: Sparse,
    rule: PlasticityRule,
    traces: tuple[Words, Words],
    pre: Words,
    post: Words,
    r: int,
) -> Words:
    """Compute the weights, int64 (synapses,), after one timestep.

    Args:
        connection: Synapses with their present weights.
        rule: Plasticity rule.
        traces: Traces of the sources and of the targets, each (2, neurons).
        pre: Spikes of the sources.
        post: Spikes of the targets.
        r: Random bits for stochastic rounding.
    """
    weights = connection.weights.astype(np.int64)
    tags = rule.tags.astype(np.int64)
    x, y = traces[0][:, connection.columns], traces[1][:, connection.rows]
    up = (rule.potentiation * tags * x * (WEIGHT_LIMIT - weights)) >> PRODUCT_BITS
    down = (-rule.depression * tags * y * weights) >> PRODUCT_BITS
    change = post[connection.rows] * (up << rule.exponent).sum(axis=0)
    change = change + pre[connection.columns] * (down << rule.exponent).sum(axis=0)
    updated: Words = ((weights << ROUND_BITS) + change + r) >> ROUND_BITS
    return np.clip(updated, 0, WEIGHT_LIMIT)
