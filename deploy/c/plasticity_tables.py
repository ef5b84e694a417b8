"""Tables of the firmware's plasticity, as `source/pumice_plasticity.h` names them."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Network, Sparse
from ...runtime.plasticity import PlasticityRule
from .projections import sort_synapses

Rules = Mapping[str, PlasticityRule]


@dataclass(frozen=True, eq=False)
class PlasticityTables:
    """Plasticity rules of a network, compiled for the firmware.

    Attributes:
        names: Projection of each rule.
        rules: Fields of each rule, `pm_rule`.
        orders: For each rule, the index in the projection's `Sparse` of each synapse.
        tags: Tags of all synapses, uint8.
        sizes: Fields of `pm_plasticity_sizes`.
    """

    names: tuple[str, ...]
    rules: tuple[Mapping[str, Any], ...]
    orders: tuple[NDArray[np.int64], ...]
    tags: NDArray[np.uint8]
    sizes: Mapping[str, int]

    @property
    def table_bytes(self) -> int:
        """Bytes of the constants in flash."""
        return self.tags.nbytes + self.rule_words.nbytes

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the buffers in RAM: weights, traces and generators."""
        return self.sizes["weights"] + self.sizes["traces"] + 4 * len(self.rules)

    @property
    def rule_words(self) -> NDArray[np.int32]:
        """The rules as their structures lie in memory, int32."""
        words = [v for rule in self.rules for value in rule.values() for v in np.atleast_1d(value)]
        return np.array(words, "<i4")

    @property
    def sizes_crc(self) -> int:
        """CRC-32 of the sizes."""
        return zlib.crc32(np.array(list(self.sizes.values()), "<i4").tobytes())

    @property
    def crc(self) -> int:
        """CRC-32 of the sizes and the tables; the register goes on from that of the sizes."""
        return zlib.crc32(self.tags.tobytes() + self.rule_words.tobytes(), self.sizes_crc)

    def read_weights(self, plastic: NDArray[np.uint8]) -> dict[str, NDArray[np.int16]]:
        """Bring the firmware's plastic weights into the order of each projection's `Sparse`."""
        found = {}
        for name, rule, order in zip(self.names, self.rules, self.orders, strict=True):
            weights = np.empty(len(order), np.int16)
            weights[order] = plastic[rule["weights"] : rule["weights"] + len(order)]
            found[name] = weights
        return found


def compile_plasticity(
    network: Network,
    rules: Rules,
    projections: Sequence[Mapping[str, int]],
    numbers: Mapping[str, int],
) -> PlasticityTables | None:
    """Compile validated `rules`; None where there are none.

    Args:
        network: Network that learns.
        rules: Plasticity rule by name of the projection.
        projections: Fields of each projection, by target.
        numbers: Number of each population.
    """
    listed = [p for name in numbers for p in network.incoming(name)]
    assert len(listed) == len(projections)
    used = {"weights": 0, "tags": 0, "traces": 0}
    rows, orders, tags = [], [], []
    for number, projection in enumerate(listed):
        connection = projection.connection
        if projection.name not in rules or not isinstance(connection, Sparse):
            continue
        rule = rules[projection.name]
        source, target = (network.population(n) for n in (projection.source, projection.target))
        order = sort_synapses(connection, source.shape, target.shape)
        rows.append(
            {
                "projection": number,
                "source": numbers[source.name],
                "target": numbers[target.name],
                "weights": used["weights"],
                "synapses": len(order),
                "tags": used["tags"],
                "before": used["traces"],
                "after": used["traces"] + 2 * source.neurons,
                "potentiation": rule.potentiation,
                "depression": rule.depression,
                "exponent": rule.exponent,
                "impulse": rule.impulse,
                "kept_before": rule.pre_decay_factors,
                "kept_after": rule.post_decay_factors,
                "seed": int(np.uint32(rule.seed & 0xFFFFFFFF).view(np.int32)),
            }
        )
        used["weights"] += len(order)
        used["tags"] += 2 * len(order)
        used["traces"] += 2 * (source.neurons + target.neurons)
        orders.append(order)
        tags.append(rule.tags[:, order].reshape(-1))
    if not rows:
        return None
    sizes = {"rule_count": len(rows)} | {n: used[n] for n in ("tags", "weights", "traces")}
    names = tuple(p.name for p in listed if p.name in rules)
    return PlasticityTables(
        names, tuple(rows), tuple(orders), np.concatenate(tags).astype(np.uint8), sizes
    )
