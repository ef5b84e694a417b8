"""The placement problem: a network, a target, and the numbers that follow from the two."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime import Network, Population, Projection, Slice
from ...runtime.errors import PlacementError
from ...runtime.neuron_types import MESSAGE_FEATURES, RESONATOR_FEATURES, list_features
from ..passes.schedule import schedule
from ..targets.target import Chip, Core, Neuron, Synapse, Target
from .slice_fan_in import SliceFanIn, compute_slice_fan_in
from .synaptic_memory import has_shared_kernel, synapse_bits

RESOURCES = (
    "neurons",
    "groups",
    "synapse_words",
    "axons_in",
    "axons_out",
    "routes",
    "entries",
)
NO_LIMIT = 1 << 60
ResourceVector = NDArray[np.int64]  # (resources,)


@dataclass(frozen=True)
class PlacementProblem:
    """A network to be placed on a target, computed once and passed to every stage of placement.

    Attributes:
        network: The network to place.
        target: The target, which has all four of the tables below.
        chip: Number and arrangement of the target's cores.
        neuron: Limits of a neuron.
        synapse: Storage format of synapses.
        lags: By projection, the number of steps that its messages travel.
        synapse_bits: By projection, the bits of each of its synapses.
        messages_per_event: By projection, the number of messages that carry one value.
        limits: Capacity of a core by resource, int64 (resources,), in the order of `RESOURCES`.
        route: Destination of a route, "slice" or "kernels" (see `Core.route` of the target).
    """

    network: Network
    target: Target
    chip: Chip
    neuron: Neuron
    synapse: Synapse
    lags: Mapping[str, int]
    synapse_bits: Mapping[str, int]
    messages_per_event: Mapping[str, int]
    limits: ResourceVector
    route: str

    def outgoing(self, name: str) -> tuple[Projection, ...]:
        """Projections whose source is the population `name`."""
        return tuple(p for p in self.network.projections if p.source == name)

    def slice_fan_in(self, projection: Projection, part: Slice) -> SliceFanIn:
        """Synapses of `projection` on the slice `part` of its target, by source neuron."""
        network = self.network
        source, target = (network.population(n) for n in (projection.source, projection.target))
        return compute_slice_fan_in(projection.connection, source.shape, target.shape, part)

    def routes_per_pixel(self, population: Population) -> bool:
        """True if one route serves all channels of a pixel: all targets share their kernels."""
        out = self.outgoing(population.name)
        return bool(out) and all(has_shared_kernel(self.synapse, p.connection) for p in out)


def make_problem(network: Network, target: Target) -> PlacementProblem:
    """Build the placement problem of `network` on `target`.

    Raises:
        PlacementError: `target` has no cores or does not hold a neuron type, or `network` is not a
            `Network`.
        EngineError: A cycle of the network has more hops than delay (see `schedule`).
    """
    if not isinstance(network, Network):
        raise PlacementError(
            f"placement: the model is a {type(network).__name__}, needs a Network; convert it first"
        )
    if not (target.chip and target.core and target.neuron and target.synapse):
        raise PlacementError(
            f"{target.name}: a microcontroller, which holds a network whole; export firmware: "
            "network.to_c(folder)"
            if target.mcu
            else f"{target.name}: a price list of arithmetic, has no cores to place a network on; "
            "choose a target with cores, such as loihi2"
        )
    check_features(network, target)
    lags = schedule(network).lags
    synapse, message = target.synapse, target.neuron.message_bits.value
    return PlacementProblem(
        network,
        target,
        target.chip,
        target.neuron,
        synapse,
        lags,
        {p.name: synapse_bits(synapse, p, lags[p.name]) for p in network.projections},
        {
            p.name: -(-network.population(p.source).value_bits // max(message, 1))
            for p in network.projections
        },
        _core_limits(target.core, synapse),
        target.core.route.value,
    )


def _core_limits(core: Core, synapse: Synapse) -> ResourceVector:
    own = {key: getattr(core, key, None) for key in RESOURCES}
    limits = {key: limit.value if limit else NO_LIMIT for key, limit in own.items()}
    limits["synapse_words"] = core.synaptic_memory.value // synapse.word_bits.value
    return np.array([limits[key] for key in RESOURCES], np.int64)


def resources_to_dict(vector: ResourceVector) -> dict[str, int]:
    """Convert a vector over `RESOURCES` to a mapping by name."""
    return dict(zip(RESOURCES, vector.tolist(), strict=True))


def check_features(network: Network, target: Target) -> None:
    """Raise `PlacementError` for the first population that needs what neurons of `target` lack."""
    features = target.neuron.features if target.neuron else None
    for population in network.populations:
        for name in list_features(population):
            if not features or name not in features.value:
                remedy = "a reset to zero alone"
                if name in MESSAGE_FEATURES or name in RESONATOR_FEATURES:
                    remedy = "LIF neurons" if name in RESONATOR_FEATURES else "neurons that spike"
                raise PlacementError(
                    f"{population.name}: needs a {name}, which {target.name} does not hold; train "
                    f"with {remedy}, or choose a target that lists it"
                )


def list_assumed_features(network: Network, target: Target) -> list[str]:
    """List the neuron types of `network` that `target` is only assumed to hold, in words."""
    features = target.neuron.features if target.neuron else None
    if features is None or features.certainty == "published":
        return []
    note = f": {features.note}" if features.note else ""
    return [
        f"{population.name}: {name}: {features.certainty} of {target.name}{note}"
        for population in network.populations
        for name in list_features(population)
    ]
