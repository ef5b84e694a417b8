"""STDP on the CPU engine, bit for bit equal to the reference in `pumice.runtime.plasticity`.

Timesteps run on the CPU engine; between them, compiled loops update the weights of its compiled
network in place.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...connections import Sparse
from ...events import Events, validate_events
from ...network import Network
from ...plasticity import PlasticityRule, next_random, validate_rules
from . import engine

Words = NDArray[np.int32]


def learn(network: Network, rules: Mapping[str, PlasticityRule], events: Events) -> Network:
    """Run `network` with plasticity and return it with the learned weights.

    Args:
        network: Network to train.
        rules: Plasticity rule by name of the projection.
        events: uint8 (timesteps, samples, *input shape); samples follow one another, each from zero
            state, with the weights that the last one left.

    Raises:
        NetworkError: A rule does not fit.
        EngineError: The events do not fit the inputs.
    """
    validate_rules(network, rules)
    validated = validate_events(network, events)
    timesteps, samples = next(iter(validated.values())).shape[:2]
    copy = replace(network)  # compiled on its own, since its weights change in place
    plastic = {name: _PlasticProjection(copy, name, rule) for name, rule in rules.items()}
    for sample in range(samples):
        states = engine.initial_state(copy, 1)
        for projection in plastic.values():
            projection.reset_traces()
        spikes: Mapping[str, NDArray[np.uint8]] = {}
        for t in range(timesteps):
            now = {name: a[t : t + 1, sample : sample + 1] for name, a in validated.items()}
            delivered = spikes
            spikes = engine.run_from_state(copy, states, now, threads=1).spikes
            if delivered:
                for projection in plastic.values():
                    projection.update(delivered)
        for projection in plastic.values():
            projection.update(spikes)
    return replace(
        network,
        projections=tuple(
            replace(p, connection=replace(p.connection, weights=plastic[p.name].weights))
            if p.name in plastic and isinstance(p.connection, Sparse)
            else p
            for p in network.projections
        ),
    )


class _PlasticProjection:
    """Weights, traces and generator of one plastic projection."""

    def __init__(self, network: Network, name: str, rule: PlasticityRule) -> None:
        compiled, index = engine.compiled_network(network), _projection_index(network, name)
        projection = next(p for p in network.projections if p.name == name)
        connection: Any = projection.connection
        self.rule, self.projection = rule, projection
        self.rows, self.columns = connection.rows, connection.columns
        self.weights = connection.weights.astype(np.int32)
        self.sizes = connection.shape[::-1]
        first = int(compiled.projections[index]["weights"])
        # The compiled network lists synapses by source; `order` maps ours to that.
        self.order = np.argsort(self.columns, kind="stable")
        self.compiled_weights = compiled.weights[first : first + self.weights.size]
        self.seed = rule.seed
        self.reset_traces()

    def reset_traces(self) -> None:
        """Reset all traces to zero, at the start of a sample."""
        self.pre_traces, self.post_traces = (np.zeros((2, size), np.int32) for size in self.sizes)

    def update(self, spikes: Mapping[str, NDArray[np.uint8]]) -> None:
        """Update the weights by the spikes of one timestep, here and in the compiled network."""
        rule, x, y = self.rule, self.pre_traces, self.post_traces
        self.seed, r, r_weight = next_random(self.seed)
        pre = spikes[self.projection.source].reshape(-1)
        post = spikes[self.projection.target].reshape(-1)
        decay_traces(x, *rule.pre_decay_factors, pre, rule.impulse, r)
        decay_traces(y, *rule.post_decay_factors, post, rule.impulse, r)
        constants = rule.potentiation, rule.depression, rule.exponent, r_weight
        update_weights(
            self.weights, self.rows, self.columns, rule.tags, x, y, pre, post, *constants
        )
        self.compiled_weights[:] = self.weights[self.order]


def _projection_index(network: Network, name: str) -> int:
    """Find the index of a projection in the compiled network."""
    names = [
        p.name
        for q in (*network.inputs, *network.topological_order)
        for p in network.incoming(q.name)
    ]
    return names.index(name)


@njit(cache=True)
def decay_traces(
    traces: Words, factor1: int, factor2: int, spikes: NDArray[np.uint8], impulse: int, r: int
) -> None:
    """Decay traces (2, neurons) and add an impulse for each spike, in place."""
    for i in range(traces.shape[1]):
        traces[0, i] = min(((traces[0, i] * factor1 + r) >> 12) + impulse * spikes[i], 127)
        traces[1, i] = min(((traces[1, i] * factor2 + r) >> 12) + impulse * spikes[i], 127)


@njit(cache=True)
def update_weights(
    weights: Words,
    rows: Words,
    columns: Words,
    tags: NDArray[Any],
    x: Words,
    y: Words,
    pre: NDArray[np.uint8],
    post: NDArray[np.uint8],
    potentiation: int,
    depression: int,
    exponent: int,
    r: int,
) -> None:
    """Update, in place, the weights of synapses with a spike on either side."""
    for k in range(len(weights)):
        i, j = rows[k], columns[k]
        if not (pre[j] or post[i]):
            continue
        w = np.int64(weights[k])
        change = np.int64(0)
        for trace in range(2):
            tag = np.int64(tags[trace, k])
            if post[i]:
                change += ((potentiation * tag * x[trace, j] * (255 - w)) >> 14) << exponent
            if pre[j]:
                change += ((-depression * tag * y[trace, i] * w) >> 14) << exponent
        w = (w * 128 + change + r) >> 7
        weights[k] = 0 if w < 0 else 255 if w > 255 else w
