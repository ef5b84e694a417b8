"""On-chip learning in the C core, equal to `plasticity.learn` bit for bit."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...connections import Sparse
from ...errors import EngineError, MissingPackage
from ...events import Events, validate_events
from ...network import Network
from ...neuron_types import LIF_FEATURES, require_features
from ...plasticity import PlasticityRule, validate_rules
from ...projection import Projection
from .compile import compile_network
from .costs import COSTS
from .engine import VARIANTS, CompiledNetwork
from .layouts import sort_order
from .library import NOT_BUILT, core
from .planes import list_planes, split_values
from .tables import hwc_order


def learn(
    network: Network,
    rules: Mapping[str, PlasticityRule],
    events: Events,
    variant: str | None = None,
) -> Network:
    """Return `network` with the weights that it has after it ran through `events` and learned.

    `events` uint8 (timesteps, samples, *input shape): samples come one after the other, each from
    silence. Raises `NetworkError` where a rule does not fit, `EngineError` where events do not.
    """
    if core is None:
        raise MissingPackage(NOT_BUILT)
    validate_rules(network, rules)
    given = validate_events(network, events)
    timesteps, samples = next(iter(given.values())).shape[:2]
    require_features(network, "learning", LIF_FEATURES)
    ordered = list_planes(network)
    tables = compile_network(network, COSTS["scalar"], rules)
    compiled = CompiledNetwork(tables, ordered)
    learners = {name: Learner(network, compiled, name, rule) for name, rule in rules.items()}
    arrays = tuple(
        split_values(plane, given[plane.population.name])
        if plane.population.kind == "input"
        else None
        for plane in ordered
    )
    with compiled.workspace() as own:
        state = own.state
        error = core.learn(
            compiled.core,
            variant or VARIANTS[0],
            (state.current, state.voltage, state.past, state.clock, state.score, own.history),
            own.memory,
            timesteps,
            samples,
            arrays,
            (None,) * len(ordered),
            np.zeros(compiled.neurons + 2, np.int32),
            tuple(learner.arrays for learner in learners.values()),
        )
    if error:
        raise EngineError("core: learning has failed")
    return replace(
        network,
        projections=tuple(
            replace(p, connection=replace(p.connection, weights=learners[p.name].weights()))
            if p.name in learners and isinstance(p.connection, Sparse)
            else p
            for p in network.projections
        ),
    )


class Learner:
    """One plastic projection: its rule as the core reads it, and its traces."""

    def __init__(
        self, network: Network, compiled: CompiledNetwork, name: str, rule: PlasticityRule
    ) -> None:
        names = [plane.population.name for plane in compiled.planes]
        listed = [p.name for each in names for p in network.incoming(each)]
        number = listed.index(name)
        projection = next(p for p in network.projections if p.name == name)
        connection: Any = projection.connection
        targets, sources = connection.shape
        self.order = _source_order(network, projection, connection)
        first = int(compiled.tables.column("weights")[number])
        self.held = compiled.tables.weights[first : first + connection.weights.size]
        parameters = [number, rule.potentiation, rule.depression, rule.exponent, rule.impulse]
        parameters += [*rule.pre_decay_factors, *rule.post_decay_factors, rule.seed & 0xFFFFFFFF]
        self.arrays: tuple[NDArray[Any], ...] = (
            np.array(parameters, np.int64),
            np.ascontiguousarray(rule.tags[:, self.order]),
            np.zeros((2, sources), np.int32),
            np.zeros((2, targets), np.int32),
            np.zeros(sources, np.uint8),
            np.zeros(targets, np.uint8),
        )

    def weights(self) -> NDArray[np.int16]:
        """Return the weights in the order of the connection."""
        found = np.empty(len(self.held), np.int16)
        found[self.order] = self.held
        return found


def _source_order(network: Network, projection: Projection, sparse: Sparse) -> NDArray[np.int64]:
    """Return the order in which the tables list the synapses of `sparse`."""
    rows, columns = (
        np.argsort(hwc_order(network.population(name).shape))
        for name in (projection.target, projection.source)
    )
    return sort_order(columns[sparse.columns], rows[sparse.rows])
