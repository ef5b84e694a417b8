"""Cost of an inference on a target: counted operations, priced in energy and in time."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...runtime import Network, Program, Trace
from ...runtime.encoders.inputs import count_network_encoder_ops
from ...runtime.neurobench import neurobench_metrics
from ...runtime.population import SPIKING
from ..targets.target import Energy, Target, read_target
from .energy import EnergyEstimate, Range, estimate_energy
from .latency import Latency, estimate_latency
from .traffic import Traffic, count_traffic_by_step
from .workload import Workload, count_workload_by_step

STATIC_POWER_NOTE = "static power is excluded: it depends on the board and was not measured"


@dataclass(frozen=True)
class Cost:
    """Cost of one inference on a target by each of its price lists, as means over samples.

    Attributes:
        target: Name of the target.
        title: Title of the target.
        workload: Events, updates and synaptic operations.
        energies: Energy by each price list.
        energy_by_step: By price list, the energy of an inference that stops after 1, 2, ...
            timesteps, (min, max) in joules.
        traffic: Messages; None without a placement.
        latencies: Latency by each list of times; empty without a placement.
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
    """Estimate the cost of the inferences in `trace` on `target`.

    Args:
        network: The network.
        trace: A run of it with every spike recorded (`record="all"`).
        target: The target.
        program: Its placement on that target; without it, messages and latency are left out.

    Raises:
        EngineError: The trace lacks spikes.
    """
    workloads = count_workload_by_step(network, trace, target)
    traffic: tuple[Traffic | None, ...] = (None,) * len(workloads)
    loads = None
    if program:
        traffic, loads = count_traffic_by_step(program, trace, target)
    estimates = {
        name: [
            estimate_energy(target, name, workload, messages, ann_mac_energy(target, name))
            for workload, messages in zip(workloads, traffic, strict=True)
        ]
        for name in target.energy
    }
    return Cost(
        target.name,
        target.title,
        workloads[-1],
        tuple(by_step[-1] for by_step in estimates.values()),
        {name: tuple(each.total for each in by_step) for name, by_step in estimates.items()},
        traffic[-1],
        tuple(estimate_latency(target, name, loads) for name in target.time) if loads else (),
    )


def ann_mac_energy(target: Target, model: str) -> Energy:
    """Energy of one multiply-accumulate in the ANN baseline used for comparison with a price list.

    For a list of arithmetic, a multiplication and an addition by the same list.
    """
    own = target.energy[model].graded_operation
    return own if own and target.chip is None else default_mac_energy()


def default_mac_energy() -> Energy:
    """Energy of one multiply-accumulate in the ANN baseline: 4.6 pJ, 32-bit floats at 45 nm."""
    price = read_target("cmos45").energy["float32"].graded_operation
    assert price
    return price


def costs_to_dict(network: Network, trace: Trace, costs: Iterable[Cost]) -> dict[str, Any]:
    """Convert costs to JSON values, and under `neurobench` NeuroBench's metrics, by their names.

    Joules and seconds are ranges, [min, max].
    """
    costs = list(costs)
    spikes = sum(
        float(trace.counts[p.name].sum())
        for p in network.topological_order
        if p.name in trace.counts
    )
    neurons = sum(p.neurons for p in network.topological_order if p.kind in SPIKING)
    encoder = count_network_encoder_ops(network)
    return {
        "timesteps": trace.timesteps,
        "samples": trace.batch,
        **({"encoder_per_timestep": asdict(encoder)} if network.encoders else {}),
        "spikes_per_inference": spikes / trace.batch,
        "spikes_per_neuron_per_step": spikes / max(neurons, 1) / trace.batch / trace.timesteps,
        "neurobench": neurobench_metrics(network, trace),
        "excludes": STATIC_POWER_NOTE,
        "targets": [_cost_to_dict(cost) for cost in costs],
    }


def _cost_to_dict(cost: Cost) -> dict[str, Any]:
    workload = {k: v for k, v in vars(cost.workload).items() if k != "network"}
    return {
        "target": cost.target,
        "title": cost.title,
        "workload": {k: dict(v) if hasattr(v, "items") else v for k, v in workload.items()},
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
