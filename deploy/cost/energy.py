"""Energy of an inference: operation counts times the prices of a target's list, item by item."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ...runtime.network import Network, is_modular
from ...runtime.population import ENCODERS, RESONATORS
from ..targets.target import Certainty, Energy, Prices, Target, iter_constants
from .traffic import Traffic
from .workload import Workload, op_kind

Range = tuple[float, float]
CERTAINTIES: tuple[Certainty, ...] = ("published", "derived", "assumed")


@dataclass(frozen=True)
class EnergyItem:
    """One line of an energy estimate: `count` operations of a `kind`, each at `price` joules.

    Count and price are ranges (min, max), per inference. A population accounts for the synaptic
    operations and updates of its own neurons, and for the spikes and messages that it sends.
    """

    population: str
    kind: str
    count: Range
    price: Range

    @property
    def joules(self) -> Range:
        """Energy of the line, (min, max)."""
        return self.count[0] * self.price[0], self.count[1] * self.price[1]


@dataclass(frozen=True)
class EnergyEstimate:
    """Energy of one inference by one price list.

    Attributes:
        model: Key of the list in the target's file.
        about: Title of the list.
        sources: Sources of its prices.
        excludes: What the list leaves out.
        certainty: That of the least certain price in it.
        items: The lines of the estimate.
        error: Mean relative error that the authors of the list report; the total is widened by it.
        ann_energy: Joules of the same connections in an artificial network: one multiplication and
            one addition each.
        break_even: Number of synaptic operations per connection at which the operations alone cost
            as much.
    """

    model: str
    about: str
    sources: tuple[str, ...]
    excludes: str
    certainty: Certainty
    items: tuple[EnergyItem, ...]
    error: float
    ann_energy: float
    break_even: float

    @property
    def total(self) -> Range:
        """Energy of all items in joules, (min, max), widened by the error of the list."""
        low, high = _total_joules(self.items)
        return low * (1 - self.error), high * (1 + self.error)

    def sum_by(self, key: Literal["kind", "population"]) -> Mapping[str, Range]:
        """Sum the joules by "kind" or by "population", before the error of the list."""
        names = dict.fromkeys(getattr(item, key) for item in self.items)
        return {
            name: _total_joules(tuple(item for item in self.items if getattr(item, key) == name))
            for name in names
        }


def estimate_energy(
    target: Target, model: str, workload: Workload, traffic: Traffic | None, mac_energy: Energy
) -> EnergyEstimate:
    """Estimate the energy of a workload by the price list `model` of `target`.

    Args:
        target: The target.
        model: Key of one of its energy lists.
        workload: Operations of one inference.
        traffic: Messages of one inference; without it no message is priced.
        mac_energy: Energy of one multiply-accumulate of the artificial network it is compared with.
    """
    prices = target.energy[model]
    items = [*_operation_items(prices, workload), *_update_items(prices, workload)]
    if traffic:
        items += _message_items(prices, workload, traffic)
    used = [constant for _, constant in iter_constants(prices)]
    return EnergyEstimate(
        model,
        prices.about,
        tuple(dict.fromkeys(target.sources[constant.source] for constant in used)),
        prices.excludes,
        max((constant.certainty for constant in used), key=CERTAINTIES.index),
        tuple(items),
        prices.error.range[1] if prices.error else 0.0,
        workload.synapses * mac_energy.range[1],
        mac_energy.range[1] / prices.operation.range[1],
    )


def _operation_items(prices: Prices[Energy], workload: Workload) -> Iterator[EnergyItem]:
    for projection in workload.network.projections:
        count, kind = workload.synaptic_operations[projection.name], op_kind(projection)
        source = workload.network.population(projection.source)
        graded = source.value_bits > 1
        name: str = "graded" if graded and prices.graded_operation else kind
        price = prices.operation_price(kind, graded)
        max_count = count * workload.messages_per_event[projection.source]
        if source.kind in ENCODERS and prices.sigma_delta_operation:  # of all bits at once
            name, price, max_count = "sigma-delta", prices.sigma_delta_operation, count
        yield EnergyItem(projection.target, f"{name} operations", (count, max_count), price.range)


def _update_items(prices: Prices[Energy], workload: Workload) -> Iterator[EnergyItem]:
    for kind, counts, price in (
        ("idle updates", workload.idle, prices.idle_update),
        ("active updates", workload.active, prices.active_update),
    ):
        for name, count in counts.items():
            chosen = _own_update(prices, workload.network, name) or price
            if chosen:
                yield EnergyItem(name, kind, (count, count), chosen.range)
    if prices.spike:
        for name in workload.active:
            if name in workload.events:
                yield EnergyItem(name, "spikes", (workload.events[name],) * 2, prices.spike.range)


def _own_update(prices: Prices[Energy], network: Network, name: str) -> Energy | None:
    """Price of an update of neurons that are no LIF neurons, if there is one."""
    if takes_messages(network, name):
        return prices.sigma_delta_update
    return prices.resonator_update if network.population(name).kind in RESONATORS else None


def takes_messages(network: Network, name: str) -> bool:
    """True for delta and sigma-delta neurons and their read-outs."""
    population = network.population(name)
    return population.kind in ENCODERS or is_modular(population)


def _message_items(
    prices: Prices[Energy], workload: Workload, traffic: Traffic
) -> Iterator[EnergyItem]:
    for kind, counts, price in (
        ("messages", traffic.messages, prices.message),
        ("arrivals", traffic.messages, prices.arrival),
        ("hops along x", traffic.hops_x, prices.hop_x),
        ("hops along y", traffic.hops_y, prices.hop_y),
    ):
        if price:
            for name, count in counts.items():
                max_count = count * workload.messages_per_event[name]
                yield EnergyItem(name, kind, (count, max_count), price.range)


def _total_joules(items: tuple[EnergyItem, ...]) -> Range:
    return sum(item.joules[0] for item in items), sum(item.joules[1] for item in items)
