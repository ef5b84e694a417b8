"""The fast engine learns: loops of its own over what `plasticity` says, equal bit for bit.

Steps run in the fast engine, and the weights in its layout change between them.
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
    """Return `network` after it ran through `events` and learned, as `plasticity.learn` does.

    `events` uint8 (timesteps, samples, *input shape). Raises `NetworkError` where a rule does not
    fit, `EngineError` where events do not.
    """
    validate_rules(network, rules)
    given = validate_events(network, events)
    timesteps, samples = next(iter(given.values())).shape[:2]
    running = replace(network)  # with a layout of its own, whose weights change
    learning = {name: _PlasticProjection(running, name, rule) for name, rule in rules.items()}
    for sample in range(samples):
        states = engine.initial_state(running, 1)
        for each in learning.values():
            each.reset_traces()
        spikes: Mapping[str, NDArray[np.uint8]] = {}
        for t in range(timesteps):
            shown = {name: array[t : t + 1, sample : sample + 1] for name, array in given.items()}
            delivered = spikes
            spikes = engine.run_from_state(running, states, shown, threads=1).spikes
            if delivered:
                for each in learning.values():
                    each.update(delivered)
        for each in learning.values():
            each.update(spikes)
    return replace(
        network,
        projections=tuple(
            replace(p, connection=replace(p.connection, weights=learning[p.name].weights))
            if p.name in learning and isinstance(p.connection, Sparse)
            else p
            for p in network.projections
        ),
    )


class _PlasticProjection:
    """What one projection carries from step to step: weights, traces, and its generator."""

    def __init__(self, network: Network, name: str, rule: PlasticityRule) -> None:
        layout, index = engine.compiled_network(network), _projection_index(network, name)
        projection = next(p for p in network.projections if p.name == name)
        connection: Any = projection.connection
        self.rule, self.projection = rule, projection
        self.rows, self.columns = connection.rows, connection.columns
        self.weights = connection.weights.astype(np.int32)
        self.sizes = connection.shape[::-1]
        first = int(layout.projections[index]["weights"])
        # The layout lists synapses by source; `order` takes ours there.
        self.order = np.argsort(self.columns, kind="stable")
        self.compiled_weights = layout.weights[first : first + self.weights.size]
        self.seed = rule.seed
        self.reset_traces()

    def reset_traces(self) -> None:
        """Start a sample with silent traces."""
        self.pre_traces, self.post_traces = (np.zeros((2, size), np.int32) for size in self.sizes)

    def update(self, spikes: Mapping[str, NDArray[np.uint8]]) -> None:
        """Let one step's spikes change the weights, here and in the layout."""
        rule = self.rule
        self.seed, r, r_weight = next_random(self.seed)
        sent = spikes[self.projection.source].reshape(-1)
        came = spikes[self.projection.target].reshape(-1)
        decay_traces(self.pre_traces, *rule.pre_decay_factors, sent, rule.impulse, r)
        decay_traces(self.post_traces, *rule.post_decay_factors, came, rule.impulse, r)
        constants = rule.potentiation, rule.depression, rule.exponent, r_weight
        update_weights(
            self.weights, self.rows, self.columns, rule.tags, self.pre_traces, self.post_traces, sent, came,
            *constants,
        )  # fmt: skip
        self.compiled_weights[:] = self.weights[self.order]


def _projection_index(network: Network, name: str) -> int:
    """Return where the layout lists the projection: by the running order of its targets."""
    listed = [
        p.name
        for q in (*network.inputs, *network.topological_order)
        for p in network.incoming(q.name)
    ]
    return listed.index(name)


@njit(cache=True)
def decay_traces(
    traces: Words, kept1: int, kept2: int, spikes: NDArray[np.uint8], impulse: int, r: int
) -> None:
    """Let traces (2, neurons) decay, and add where there is a spike."""
    for i in range(traces.shape[1]):
        traces[0, i] = min(((traces[0, i] * kept1 + r) >> 12) + impulse * spikes[i], 127)
        traces[1, i] = min(((traces[1, i] * kept2 + r) >> 12) + impulse * spikes[i], 127)


@njit(cache=True)
def update_weights(
    weights: Words,
    rows: Words,
    columns: Words,
    tags: NDArray[Any],
    x: Words,
    y: Words,
    sent: NDArray[np.uint8],
    came: NDArray[np.uint8],
    potentiation: int,
    depression: int,
    exponent: int,
    r: int,
) -> None:
    """Change the weights of the synapses on either side of which there was a spike."""
    for k in range(len(weights)):
        i, j = rows[k], columns[k]
        if not (sent[j] or came[i]):
            continue
        w = np.int64(weights[k])
        moved = np.int64(0)
        for trace in range(2):
            tag = np.int64(tags[trace, k])
            if came[i]:
                moved += ((potentiation * tag * x[trace, j] * (255 - w)) >> 14) << exponent
            if sent[j]:
                moved += ((-depression * tag * y[trace, i] * w) >> 14) << exponent
        w = (w * 128 + moved + r) >> 7
        weights[k] = 0 if w < 0 else 255 if w > 255 else w
