"""Plasticity rules in a TOML file: a table `[rules.NAME]` for each projection that learns."""

import os
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from .config import Options, load_config
from .connections import Sparse
from .errors import NetworkError
from .network import Network
from .plasticity import LIMITS, TRACE_BITS, PlasticityRule, validate_rules

Factor = Annotated[int, Field(ge=0, lt=1 << TRACE_BITS)]
Tag = Annotated[int, Field(ge=0, le=255)]


def _bound(name: str) -> Any:
    """Bounds of a rule's constant."""
    low, high = LIMITS[name]
    return Field(ge=low, le=high)


class RuleOptions(Options):
    """Plasticity rule of one projection; `pumice.runtime.plasticity` has the equations.

    - `pre_decay_factors`, `post_decay_factors`: what the two traces of a source, and of a target,
      keep per timestep, in 1/4096.
    - `tags`: the two tags of all synapses, or two lists with one value for each synapse.
    - `potentiation`, `depression`: factors, 0 to 7.
    - `exponent`: left shift of weight changes, 0 to 9.
    - `impulse`: what a spike adds to a trace, 1 to 127.
    - `seed`: first state of the generator for stochastic rounding.
    """

    pre_decay_factors: tuple[Factor, Factor]
    post_decay_factors: tuple[Factor, Factor]
    tags: tuple[Tag, Tag] | tuple[list[Tag], list[Tag]] = (32, 0)
    potentiation: Annotated[int, _bound("potentiation")] = 1
    depression: Annotated[int, _bound("depression")] = 1
    exponent: Annotated[int, _bound("exponent")] = 4
    impulse: Annotated[int, _bound("impulse")] = 16
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1


class RuleFile(Options):
    """Plasticity rules.

    - `rules`: rule by name of the projection.
    """

    rules: Annotated[dict[str, RuleOptions], Field(min_length=1)]


def read_rules(path: str | os.PathLike[str], network: Network) -> dict[str, PlasticityRule]:
    """Read the plasticity rules of `network` from the TOML file at `path`, by projection.

    Raises:
        RecipeError: The file is absent or not TOML, or a key is unknown or out of range.
        NetworkError: A rule does not fit the projection it is for.
    """
    options = load_config(RuleFile, path).rules
    connections = {p.name: p.connection for p in network.projections}
    rules = {}
    for name, rule in options.items():
        connection = connections.get(name)
        synapses = connection.weights.size if isinstance(connection, Sparse) else 1
        first, second = rule.tags
        if isinstance(first, list) and isinstance(second, list) and len(first) != len(second):
            raise NetworkError(
                f"{name}: {len(first)} and {len(second)} tags, needs two of each of the "
                f"{synapses} synapses"
            )
        tags = np.array(rule.tags, np.int64).reshape(2, -1)
        if not isinstance(first, list):
            tags = np.broadcast_to(tags, (2, synapses))
        values = rule.model_dump(exclude={"tags"})
        rules[name] = PlasticityRule(tags=tags, **values)
    validate_rules(network, rules)
    return rules
