import json
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from chips import chip, chips
from hypothesis import given, settings
from numpy.typing import NDArray
from placement_oracle import adjacency, neuron_indices
from strategies import runs

from pumice.deploy.cost.estimate import (
    STATIC_POWER_NOTE,
    Cost,
    costs_to_dict,
    default_mac_energy,
    estimate_cost,
)
from pumice.deploy.cost.latency import estimate_latency
from pumice.deploy.cost.traffic import count_traffic
from pumice.deploy.cost.workload import count_workload
from pumice.deploy.placement.place import place
from pumice.deploy.targets.target import Target, read_target
from pumice.report.profiles import default_energies
from pumice.runtime import Dense, EarlyExit, Network, Population, Program, Projection, Trace
from pumice.runtime.engines.reference import run
from pumice.runtime.errors import EngineError, PlacementError
from pumice.runtime.op_counts import count_ops
from pumice.runtime.population import SPIKING

Events = dict[str, NDArray[np.uint8]]

# Two of three inputs send an event, one step after the other; all of `hidden` fires on either.
NETWORK = Network(
    (
        Population("in", (3,), "input"),
        Population("hidden", (4,), voltage_decay=4096, threshold=1),
        Population("out", (2,), "integrator"),
    ),
    (
        Projection("up", "in", "hidden", Dense(np.full((4, 3), 2))),
        Projection("on", "hidden", "out", Dense(np.full((2, 4), 2))),
    ),
)
EVENTS = np.zeros((4, 1, 3), np.uint8)
EVENTS[0, 0, 0] = EVENTS[1, 0, 2] = 1
TRACE = run(NETWORK, EVENTS, "all")
LOIHI_1 = read_target("loihi1")


def three_core_program() -> Program:
    """`hidden` on two cores of two neurons, `out` on a third, one core per tile, in a row."""
    return place(NETWORK, chip(neurons=2, cores=3, width=3, height=1, cores_per_tile=1))


def with_loihi_1_prices(target: Target) -> Target:
    """`target` with the prices of Loihi 1."""
    lists = {"energy": LOIHI_1.energy, "time": LOIHI_1.time, "sources": LOIHI_1.sources}
    return target.model_copy(update=lists)


CHIP = with_loihi_1_prices(chip(neurons=2, cores=3, width=3, height=1, cores_per_tile=1))


def cost() -> Cost:
    return estimate_cost(NETWORK, TRACE, CHIP, three_core_program())


def test_workload_by_hand() -> None:
    """Two events reach 4 synapses each, 8 spikes 2 each; 4 + 2 neurons are active in two steps."""
    workload = count_workload(NETWORK, TRACE, LOIHI_1)
    assert workload.events == {"in": 2, "hidden": 8}
    assert workload.synaptic_operations == {"up": 8, "on": 16}
    assert workload.active == {"hidden": 8, "out": 4}
    assert workload.idle == {"hidden": 8, "out": 4}
    assert workload.synapses == 12 + 8


def test_traffic_by_hand() -> None:
    """An input sends to both slices of `hidden`; these send to `out`, at most 2 hops away."""
    traffic, loads = count_traffic(three_core_program(), TRACE, CHIP)
    assert traffic.messages == {"in": 4, "hidden": 8}
    hops = {
        round(abs(a.x - b.x))
        for a in three_core_program().cores
        for b in three_core_program().cores
    }
    assert hops == {0, 1, 2}
    place_of = {
        part.population: core.x for core in three_core_program().cores for part in core.slices
    }
    distances = [
        abs(core.x - place_of["out"])
        for core in three_core_program().cores
        if core.slices[0].population == "hidden"
    ]
    assert traffic.hops_x == {"in": 0, "hidden": 4 * sum(distances)}
    assert traffic.hops_y == traffic.crossings == {"in": 0, "hidden": 0}
    assert loads.longest_route == (max(distances), 0)


def test_energy_on_loihi_1_by_hand() -> None:
    """24 operations at 23.6 pJ, 12 updates at 52 and 12 at 81 pJ, 12 messages at 1.7 pJ."""
    estimate = cost().energies[0]
    kinds = {kind: high for kind, (_, high) in estimate.sum_by("kind").items()}
    assert estimate.model == "davies2018" and estimate.error == 0
    assert kinds["dense operations"] == pytest.approx(24 * 23.6e-12)
    assert kinds["idle updates"] == pytest.approx(12 * 52e-12)
    assert kinds["active updates"] == pytest.approx(12 * 81e-12)
    assert kinds["messages"] == pytest.approx(12 * 1.7e-12)
    assert estimate.ann_energy == pytest.approx(20 * 4.6e-12)
    assert estimate.break_even == pytest.approx(4.6 / 23.6)


def test_a_fitted_list_widens_its_total_by_its_error() -> None:
    estimate = cost().energies[1]
    low = sum(each[0] for each in estimate.sum_by("kind").values())
    high = sum(each[1] for each in estimate.sum_by("kind").values())
    assert estimate.total == pytest.approx((low * (1 - 0.117), high * (1 + 0.117)))
    assert estimate.certainty == "published"


@pytest.mark.parametrize("name", ["loihi1", "loihi2", "cmos45", "generic8"])
def test_every_energy_item_is_a_count_times_a_constant(name: str) -> None:
    """The table can be reproduced from the target's file and the counts."""
    target = read_target(name)
    program = place(NETWORK, target) if target.chip else None
    energies = estimate_cost(NETWORK, TRACE, target, program).energies
    assert len(energies) >= 2 and energies[0].items
    for estimate in energies:
        prices = {
            getattr(target.energy[estimate.model], key).range
            for key in type(target.energy[estimate.model]).model_fields
            if hasattr(getattr(target.energy[estimate.model], key), "range")
        }
        assert {item.price for item in estimate.items} <= prices
        operations = sum(i.count[0] for i in estimate.items if i.kind.endswith("operations"))
        updates = sum(i.count[0] for i in estimate.items if i.kind.endswith("updates"))
        assert operations == 24 and updates in (0, 24)
        assert "static power" in estimate.excludes


@pytest.mark.parametrize("key", ["kind", "population"])
def test_the_total_is_the_sum_of_its_parts(key: Literal["kind", "population"]) -> None:
    for estimate in cost().energies:
        parts = [estimate.sum_by(key)[name] for name in estimate.sum_by(key)]
        lines = [item.joules for item in estimate.items]
        for end in (0, 1):
            assert sum(p[end] for p in parts) == pytest.approx(sum(line[end] for line in lines))
            assert sum(p[end] for p in parts) > 0


def test_graded_values_cost_a_multiplication_or_several_binary_messages() -> None:
    populations = (Population("in", (3,), "input", value_bits=8), *NETWORK.populations[1:])
    graded = replace(NETWORK, populations=populations)
    trace = run(graded, EVENTS * 200, "all")
    estimate = estimate_cost(graded, trace, read_target("cmos45")).energies[0]
    assert estimate.sum_by("kind")["graded operations"] == pytest.approx((8 * 4.6e-12,) * 2)
    loihi = estimate_cost(graded, trace, LOIHI_1, place(graded, LOIHI_1)).energies[0]
    item = next(i for i in loihi.items if i.population == "hidden" and "operations" in i.kind)
    assert item.count == (8, 64)
    assert item.joules == pytest.approx((8 * 23.6e-12, 64 * 23.6e-12))
    assert next(i for i in loihi.items if i.population == "in").count == (2, 16)


def count_event_by_event(program: Program, trace: Trace) -> dict[str, float]:
    """Follow each event of each sample through each synapse, and count the slices it reaches."""
    network, counts = program.network, {"operations": 0, "active": 0, "messages": 0}
    synapses = {p.name: adjacency(network, p) for p in network.projections}
    reached: set[tuple[str, int, int, int]] = set()
    for projection in network.projections:
        sent = trace.spikes[projection.source].reshape(trace.timesteps, trace.batch, -1)
        slices = [neuron_indices(network, part) for _, part in program.slices(projection.target)]
        for step, sample, neuron in np.argwhere(sent).tolist():
            targets = np.flatnonzero(synapses[projection.name][:, neuron])
            counts["operations"] += len(targets)
            counts["messages"] += sum(bool(np.isin(targets, part).any()) for part in slices)
            arrival = step + projection.delay
            if arrival < trace.timesteps:
                reached |= {(projection.target, arrival, sample, t) for t in targets.tolist()}
    counts["active"] = len(reached)
    return {key: value / trace.batch for key, value in counts.items()}


@settings(max_examples=40)
@given(runs(), chips())
def test_counts_equal_those_of_following_each_event(
    run_inputs: tuple[Network, Events], target: Target
) -> None:
    network, events = run_inputs
    try:
        program = place(network, target)
    except (PlacementError, EngineError):
        return
    trace = run(network, events, "all")
    workload = count_workload(network, trace, target)
    traffic, loads = count_traffic(program, trace, target)
    expected = count_event_by_event(program, trace)
    assert sum(workload.synaptic_operations.values()) == pytest.approx(expected["operations"])
    assert sum(workload.active.values()) == pytest.approx(expected["active"])
    assert sum(traffic.messages.values()) == pytest.approx(expected["messages"])
    everything = count_ops(network, trace)
    updates = sum(workload.active.values()) + sum(workload.idle.values())
    assert updates == pytest.approx(everything.total_neuron_updates)
    assert loads.active.sum() / trace.batch == pytest.approx(expected["active"])
    spikes = sum(
        n for name, n in workload.events.items() if network.population(name).kind in SPIKING
    )
    assert loads.spikes.sum() / trace.batch == pytest.approx(spikes)
    if all(projection.delay == 0 for projection in network.projections):
        operations = sum(float(each.sum()) for each in loads.synaptic_operations.values())
        assert operations / trace.batch == pytest.approx(expected["operations"])
        assert loads.received.sum() / trace.batch == pytest.approx(expected["messages"])


def test_step_latency_is_that_of_the_busiest_core_by_hand() -> None:
    """Times of table 2: an operation 3.5, an update 5.3 or 8.4, a message 2.1, a hop 4.1 ns.

    Chip steps 1 and 2 are the steps 0 and 1 of `hidden`, 2 and 3 those of `out`, which is idle
    before. In step 2 each slice of `hidden` updates 2 active neurons (16.8 ns), with 2 operations
    (7 ns) and 2 messages (4.2 ns), and `out` updates 2 active ones (16.8), with 8 (28 ns).
    """
    latency = cost().latencies[0]
    hop = max(
        distances := [
            abs(a.x - b.x)
            for a in three_core_program().cores
            for b in three_core_program().cores
            if a.slices[0].population == "hidden" and b.slices[0].population == "out"
        ]
    )
    assert len(distances) == 2
    assert latency.max_step == pytest.approx((28e-9 + 113e-9, (16.8 + 28 + 4.1 * hop + 465) * 1e-9))
    assert latency.depth == 2
    # Six chip steps: two with `out` active, one with `hidden` alone, three idle.
    busy, first, idle = 28 + 113, 16.8 + 113, 10.6 + 113
    assert latency.inference[0] == pytest.approx((2 * busy + first + 3 * idle) * 1e-9)


def test_the_longest_step_is_the_sum_of_its_items() -> None:
    for latency in cost().latencies:
        total = sum(item.count * item.price for item in latency.max_step_items)
        assert latency.max_step[1] == pytest.approx(total * (1 + latency.error))
    first = {item.kind: item.count for item in cost().latencies[0].max_step_items}
    assert first["active updates"] == 2 and first["dense operations"] == 8


def test_busy_time_of_a_core_by_hand() -> None:
    """`out`: 2 active of 4 steps (2 of 4 updates each), 8 operations in two; 5.3, 8.4, 3.5 ns."""
    latency, program = cost().latencies[0], three_core_program()
    out = next(k for k, core in enumerate(program.cores) if core.slices[0].population == "out")
    assert latency.busy_per_core[out] == pytest.approx(
        (2 * 2 * 5.3 + 2 * 2 * 8.4 + 16 * 3.5) / 4 * 1e-9
    )


def test_energy_by_step_is_that_of_an_inference_that_stops_there() -> None:
    full = cost()
    for estimate in full.energies:
        assert full.energy_by_step[estimate.model][-1] == pytest.approx(estimate.total)
    for steps in (1, 2, 3):
        shorter = run(NETWORK, EVENTS[:steps], "all")
        stopped = estimate_cost(NETWORK, shorter, CHIP, three_core_program())
        for estimate in stopped.energies:
            assert full.energy_by_step[estimate.model][steps - 1] == pytest.approx(estimate.total)


def test_neurons_of_a_sample_that_has_stopped_are_not_updated() -> None:
    """Two samples, of which the second has no events and runs to the fourth step."""
    weights = Dense(np.array([[2, 2, 2, 2], [-2, -2, -2, -2]]))
    projections = NETWORK.projections[0], replace(NETWORK.projections[1], connection=weights)
    stopping = replace(NETWORK, projections=projections, early_exit=EarlyExit((0,) * 3))
    events = np.concatenate([EVENTS, np.zeros_like(EVENTS)], axis=1)
    trace = run(stopping, events, "all")
    assert trace.steps.tolist() == [1, 4]
    workload = count_workload(stopping, trace, LOIHI_1)
    assert workload.active == {"hidden": 4 / 2, "out": 2 / 2}
    assert workload.idle == {"hidden": 4 * 5 / 2 - 2, "out": 2 * 5 / 2 - 1}


def test_pipelined_throughput_is_independent_of_depth() -> None:
    latency = cost().latencies[0]
    assert 1 / latency.throughput[1] == pytest.approx(4 * latency.mean_step[0])
    assert 1 / latency.throughput[0] == pytest.approx(4 * latency.mean_step[1])
    assert latency.inference[0] > 4 * latency.mean_step[0]


def test_one_core_is_slower_than_many() -> None:
    one = place(NETWORK, chip())
    _, loads = count_traffic(one, TRACE, chip())
    assert (
        estimate_latency(CHIP, "davies2018", loads).mean_step[1] > cost().latencies[0].mean_step[0]
    )
    assert len(one.cores) == 1 and loads.longest_route == (0, 0)


def test_the_report_shows_two_price_lists_with_sources_and_exclusions() -> None:
    loihi, cmos = default_energies(NETWORK, TRACE)
    assert (loihi.model, cmos.model) == (
        "Loihi 1, pre-silicon simulation",
        "CMOS at 45 nm, floating point",
    )
    assert loihi.joules["synaptic operations"] == pytest.approx((24 * 23.6e-12,) * 2)
    assert loihi.joules["neuron updates"] == pytest.approx((12 * 133e-12,) * 2)
    assert cmos.total == pytest.approx((24 * 0.9e-12,) * 2)
    for energy in (loihi, cmos):
        assert "static power" in energy.excludes and "not measured" in energy.excludes
        assert len(energy.source) > 20


def test_ann_mac_energy_is_that_of_horowitz() -> None:
    assert default_mac_energy().range == pytest.approx((4.6e-12, 4.6e-12))


def test_costs_convert_to_json_with_neurobench_names() -> None:
    document = json.loads(json.dumps(costs_to_dict(NETWORK, TRACE, [cost()])))
    assert document["neurobench"]["SynapticOperations"]["Effective_ACs"] == 24
    assert document["spikes_per_inference"] == 8 and document["excludes"] == STATIC_POWER_NOTE
    assert document["spikes_per_neuron_per_step"] == 8 / 4 / 4
    energy = document["targets"][0]["energy"][0]
    assert energy["total"][1] == pytest.approx(sum(i["joules"][1] for i in energy["items"]))
    assert document["targets"][0]["latency"][1]["model"] == "sanafe"


def test_cost_estimation_requires_every_spike() -> None:
    with pytest.raises(EngineError, match="every spike.* run with record='all'"):
        default_energies(NETWORK, run(NETWORK, EVENTS, "output"))


def test_sigma_delta_messages_and_neurons_have_prices_of_their_own() -> None:
    """Of the input 3, 3, 0 two changes are sent to two read-outs; 3 neurons are updated 3 times.

    At 45 nm an operation on a message is 3.2 pJ, the weight of the encoder on a graded value 0.3.
    """
    network = Network(
        (
            Population("in", (1,), "input", value_bits=2),
            Population("change", (1,), "delta"),
            Population("sum", (2,), "integrator", align_bits=0),
        ),
        (
            Projection("encode", "in", "change", Dense(np.array([[1]]))),
            Projection("read", "change", "sum", Dense(np.array([[2], [4]]))),
        ),
    )
    trace = run(network, np.array([3, 3, 0], np.uint8).reshape(3, 1, 1), "all")
    cost = estimate_cost(network, trace, read_target("cmos45"))
    found = next(each for each in cost.energies if each.model == "int8")
    by_kind = {item.kind: item for item in found.items}
    assert by_kind["sigma-delta operations"].count == (4, 4)
    assert by_kind["graded operations"].count == (2, 2)
    assert found.total[1] == pytest.approx(4 * 3.2e-12 + 2 * 0.3e-12)
    own = read_target("generic8")
    cost = estimate_cost(network, trace, own, place(network, own))
    found = next(each for each in cost.energies if each.model == "arithmetic")
    updates = found.sum_by("kind")
    total = updates["idle updates"][1] + updates["active updates"][1]
    assert total == pytest.approx(9 * 0.2e-12)


def test_resonators_have_a_price_of_their_own() -> None:
    """Four multiplications of 3.1 pJ and four additions of 0.1, for 2 neurons in 3 timesteps."""
    network = Network(
        (
            Population("in", (1,), "input"),
            Population("out", (2,), "rf", sin_decay=900, cos_decay=3900, threshold=1),
        ),
        (
            Projection("real", "in", "out", Dense(np.array([[2], [4]]))),
            Projection("imag", "in", "out", Dense(np.array([[2], [4]])), component="imag"),
        ),
    )
    trace = run(network, np.array([1, 0, 1], np.uint8).reshape(3, 1, 1), "all")
    target = read_target("generic8")
    cost = estimate_cost(network, trace, target, place(network, target))
    found = next(each for each in cost.energies if each.model == "arithmetic")
    updates = found.sum_by("kind")
    total = updates["idle updates"][1] + updates["active updates"][1]
    assert total == pytest.approx(6 * 12.8e-12)
    assert updates["dense operations"][1] == pytest.approx(8 * 0.1e-12)
