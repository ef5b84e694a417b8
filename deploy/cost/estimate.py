"""What a network costs on a target: work counted, then priced in energy and in time."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...runtime import Network, Program, Trace
from ...runtime.neurobench import neurobench_metrics
from ..targets.target import Energy, Target, read_target
from .energy import EnergyEstimate, Range, estimate_energy
from .latency import Latency, estimate_latency
from .traffic import Traffic, count_traffic_by_step
from .workload import Workload, count_workload_by_step

STATIC_POWER_NOTE = (
    "static power is not in any figure: it depends on the board and was not measured"
)


@dataclass(frozen=True)
class Cost:
    """What one inference costs on a target, by each of its price lists; means over samples.

    Messages are counted and priced, and times told, where a placement is known. `by_step` has by
    price list the joules of an inference that stops after 1, 2, ... timesteps.
    """

    target: str
    title: str
    workload: Workload
    energies: tuple[EnergyEstimate, ...]
    energy_by_step: Mapping[str, tuple[Range, ...]]
    traffic: Traffic | None = None
    latencies: tuple[Latency, ...] = ()


def estimate_cost(
    network: Network, trace: Trace, target: Target, program: Program | None = None
) -> Cost:
    """Return what `network` costs in `trace`, recorded with `record="all"`, on `target`.

    `program` is its placement on that target. Raises `EngineError` where spikes were not recorded.
    """
    works = count_workload_by_step(network, trace, target)
    traffics: tuple[Traffic | None, ...] = (None,) * len(works)
    loads = None
    if program:
        traffics, loads = count_traffic_by_step(program, trace, target)
    bills = {
        name: [
            estimate_energy(target, name, work, traffic, ann_mac_energy(target, name))
            for work, traffic in zip(works, traffics, strict=True)
        ]
        for name in target.energy
    }
    return Cost(
        target.name,
        target.title,
        works[-1],
        tuple(each[-1] for each in bills.values()),
        {name: tuple(each.total for each in stopped) for name, stopped in bills.items()},
        traffics[-1],
        tuple(estimate_latency(target, name, loads) for name in target.time) if loads else (),
    )


def ann_mac_energy(target: Target, model: str) -> Energy:
    """Return what an artificial network is said to pay for each connection beside a price list.

    Where the list is one of arithmetic, a product and a sum by the same list.
    """
    own = target.energy[model].graded_operation
    return own if own and target.chip is None else default_mac_energy()


def default_mac_energy() -> Energy:
    """Return what an artificial network pays for each connection: 4.6 pJ at 45 nm."""
    price = read_target("cmos45").energy["float32"].graded_operation
    assert price
    return price


def costs_to_dict(network: Network, trace: Trace, costs: Iterable[Cost]) -> dict[str, Any]:
    """Return all figures as JSON values; under `neurobench` those of NeuroBench, by its names.

    Joules and seconds are ranges, from the least to the most.
    """
    costs = list(costs)
    spikes = sum(
        float(trace.counts[p.name].sum())
        for p in network.topological_order
        if p.name in trace.counts
    )
    neurons = sum(p.neurons for p in network.topological_order if p.kind == "cuba")
    return {
        "timesteps": trace.timesteps,
        "samples": trace.batch,
        "spikes_per_inference": spikes / trace.batch,
        "spikes_per_neuron_per_step": spikes / max(neurons, 1) / trace.batch / trace.timesteps,
        "neurobench": neurobench_metrics(network, trace),
        "excludes": STATIC_POWER_NOTE,
        "targets": [_cost_to_dict(cost) for cost in costs],
    }


def _cost_to_dict(cost: Cost) -> dict[str, Any]:
    work = {k: v for k, v in vars(cost.workload).items() if k != "network"}
    return {
        "target": cost.target,
        "title": cost.title,
        "work": {k: dict(v) if hasattr(v, "items") else v for k, v in work.items()},
        "traffic": {k: dict(v) for k, v in vars(cost.traffic).items()} if cost.traffic else None,
        "energy": [
            {
                **{k: v for k, v in asdict(each).items() if k != "items"},
                "total": each.total,
                "by_kind": dict(each.sum_by("kind")),
                "by_population": dict(each.sum_by("population")),
                "items": [{**vars(item), "joules": item.joules} for item in each.items],
            }
            for each in cost.energies
        ],
        "energy_by_step": {model: list(each) for model, each in cost.energy_by_step.items()},
        "latency": [asdict(each) for each in cost.latencies],
    }
