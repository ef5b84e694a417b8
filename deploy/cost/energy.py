"""What an inference costs in energy: counted work times listed prices, item by item."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..targets.target import (
    Certainty,
    Energy,
    Prices,
    Target,
    iter_constants,
)
from .workload import Traffic, Workload, op_kind

Range = tuple[float, float]
CERTAINTIES: tuple[Certainty, ...] = ("published", "derived", "assumed")


@dataclass(frozen=True)
class EnergyItem:
    """One line of the bill: `count` things of a `kind` in one inference, each at `price` joules.

    Both are ranges, from the least to the most. A population bears the synaptic operations and
    updates of its own neurons, and the spikes and messages that it sends.
    """

    population: str
    kind: str
    count: Range
    price: Range

    @property
    def joules(self) -> Range:
        """What the line comes to."""
        return self.count[0] * self.price[0], self.count[1] * self.price[1]


@dataclass(frozen=True)
class EnergyEstimate:
    """What one inference costs by one price list.

    `certainty` is that of the least certain price in it. `artificial` is what the same connections
    cost an artificial network, each multiplied and added once, `break_even` how many synaptic
    operations a connection may have at which the operations alone cost as much. `error` is the
    share by which the list's authors found it wrong, as a mean; the total is widened by it.
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
        """All items together, in joules."""
        least, most = _total_joules(self.items)
        return least * (1 - self.error), most * (1 + self.error)

    def sum_by(self, key: str) -> Mapping[str, Range]:
        """Return the joules by "kind" or by "population", before the error of the list."""
        names = dict.fromkeys(getattr(item, key) for item in self.items)
        return {
            name: _total_joules(tuple(item for item in self.items if getattr(item, key) == name))
            for name in names
        }


def estimate_energy(
    target: Target, model: str, work: Workload, traffic: Traffic | None, product: Energy
) -> EnergyEstimate:
    """Return what `work` costs by the price list `model` of `target`.

    Without `traffic` no message is priced. `product` is what an artificial network pays for each
    connection: a multiplication and an addition.
    """
    prices = target.energy[model]
    items = [*_operation_items(prices, work), *_update_items(prices, work)]
    if traffic:
        items += _message_items(prices, work, traffic)
    used = [constant for _, constant in iter_constants(prices)]
    return EnergyEstimate(
        model,
        prices.about,
        tuple(dict.fromkeys(target.sources[constant.source] for constant in used)),
        prices.excludes,
        max((constant.certainty for constant in used), key=CERTAINTIES.index),
        tuple(items),
        prices.error.range[1] if prices.error else 0.0,
        work.connections * product.range[1],
        product.range[1] / prices.operation.range[1],
    )


def _operation_items(prices: Prices[Energy], work: Workload) -> Iterator[EnergyItem]:
    for projection in work.network.projections:
        count, kind = work.synaptic_operations[projection.name], op_kind(projection)
        graded = work.network.population(projection.source).value_bits > 1
        what = "graded" if graded and prices.graded_operation else kind
        most = count * work.messages_per_event[projection.source]
        price = prices.operation_price(kind, graded).range
        yield EnergyItem(projection.target, f"{what} operations", (count, most), price)


def _update_items(prices: Prices[Energy], work: Workload) -> Iterator[EnergyItem]:
    for kind, counts, price in (
        ("idle updates", work.idle, prices.idle_update),
        ("active updates", work.active, prices.active_update),
    ):
        if price:
            for name, count in counts.items():
                yield EnergyItem(name, kind, (count, count), price.range)
    if prices.spike:
        for name in work.active:
            if name in work.events:
                yield EnergyItem(name, "spikes", (work.events[name],) * 2, prices.spike.range)


def _message_items(
    prices: Prices[Energy], work: Workload, traffic: Traffic
) -> Iterator[EnergyItem]:
    for kind, counts, price in (
        ("messages", traffic.messages, prices.message),
        ("arrivals", traffic.messages, prices.arrival),
        ("hops along x", traffic.hops_x, prices.hop_x),
        ("hops along y", traffic.hops_y, prices.hop_y),
    ):
        if price:
            for name, count in counts.items():
                yield EnergyItem(
                    name, kind, (count, count * work.messages_per_event[name]), price.range
                )


def _total_joules(items: tuple[EnergyItem, ...]) -> Range:
    return sum(item.joules[0] for item in items), sum(item.joules[1] for item in items)
