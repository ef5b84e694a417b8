import json
from dataclasses import replace

import numpy as np
import pytest
from chips import chip, chips
from hypothesis import given, settings
from numpy.typing import NDArray
from placed import held, pairs
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

Events = dict[str, NDArray[np.uint8]]

# Three inputs of which two speak, one step after the other; all of `hidden` fires on either.
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


def spread() -> Program:
    """`hidden` on two cores of two neurons, `out` on a third, one core a tile, in a row."""
    return place(NETWORK, chip(neurons=2, cores=3, width=3, height=1, cores_per_tile=1))


def priced(target: Target) -> Target:
    """`target` with the prices of Loihi 1."""
    lists = {"energy": LOIHI_1.energy, "time": LOIHI_1.time, "sources": LOIHI_1.sources}
    return target.model_copy(update=lists)


CHIP = priced(chip(neurons=2, cores=3, width=3, height=1, cores_per_tile=1))


def cost() -> Cost:
    return estimate_cost(NETWORK, TRACE, CHIP, spread())


def test_the_work_by_hand() -> None:
    """Two events meet 4 synapses each, 8 spikes 2 each; 4 + 2 neurons are reached in two steps."""
    work = count_workload(NETWORK, TRACE, LOIHI_1)
    assert work.events == {"in": 2, "hidden": 8}
    assert work.synaptic_operations == {"up": 8, "on": 16}
    assert work.active == {"hidden": 8, "out": 4}
    assert work.idle == {"hidden": 8, "out": 4}
    assert work.synapses == 12 + 8


def test_the_messages_by_hand() -> None:
    """An input sends to both halves of `hidden`; these send to `out`, which one is 2 hops away."""
    traffic, loads = count_traffic(spread(), TRACE, CHIP)
    assert traffic.messages == {"in": 4, "hidden": 8}
    hops = {round(abs(a.x - b.x)) for a in spread().cores for b in spread().cores}
    assert hops == {0, 1, 2}
    place_of = {part.population: core.x for core in spread().cores for part in core.slices}
    ways = [
        abs(core.x - place_of["out"])
        for core in spread().cores
        if core.slices[0].population == "hidden"
    ]
    assert traffic.hops_x == {"in": 0, "hidden": 4 * sum(ways)}
    assert traffic.hops_y == traffic.crossings == {"in": 0, "hidden": 0}
    assert loads.longest_route == (max(ways), 0)


def test_the_bill_of_loihi_1_by_hand() -> None:
    """24 operations at 23.6 pJ, 12 updates at 52 and 12 at 81 pJ, 12 messages at 1.7 pJ."""
    bill = cost().energies[0]
    kinds = {kind: most for kind, (_, most) in bill.sum_by("kind").items()}
    assert bill.model == "davies2018" and bill.error == 0
    assert kinds["dense operations"] == pytest.approx(24 * 23.6e-12)
    assert kinds["idle updates"] == pytest.approx(12 * 52e-12)
    assert kinds["active updates"] == pytest.approx(12 * 81e-12)
    assert kinds["messages"] == pytest.approx(12 * 1.7e-12)
    assert bill.ann_energy == pytest.approx(20 * 4.6e-12)
    assert bill.break_even == pytest.approx(4.6 / 23.6)


def test_a_fitted_list_widens_its_total_by_its_error() -> None:
    bill = cost().energies[1]
    least = sum(each[0] for each in bill.sum_by("kind").values())
    most = sum(each[1] for each in bill.sum_by("kind").values())
    assert bill.total == pytest.approx((least * (1 - 0.117), most * (1 + 0.117)))
    assert bill.certainty == "published"


@pytest.mark.parametrize("name", ["loihi1", "loihi2", "cmos45", "generic8"])
def test_every_line_of_a_bill_is_a_count_times_a_constant(name: str) -> None:
    """A reader can work out the table again from the target's file and the counts."""
    target = read_target(name)
    told = estimate_cost(NETWORK, TRACE, target, place(NETWORK, target) if target.chip else None)
    assert len(told.energies) >= 2 and told.energies[0].items
    for bill in told.energies:
        prices = {
            getattr(target.energy[bill.model], key).range
            for key in type(target.energy[bill.model]).model_fields
            if hasattr(getattr(target.energy[bill.model], key), "range")
        }
        assert {item.price for item in bill.items} <= prices
        operations = sum(i.count[0] for i in bill.items if i.kind.endswith("operations"))
        updates = sum(i.count[0] for i in bill.items if i.kind.endswith("updates"))
        assert operations == 24 and updates in (0, 24)
        assert "static power" in bill.excludes


@pytest.mark.parametrize("key", ["kind", "population"])
def test_the_total_is_the_sum_of_its_parts(key: str) -> None:
    for bill in cost().energies:
        parts = [bill.sum_by(key)[name] for name in bill.sum_by(key)]
        lines = [item.joules for item in bill.items]
        for end in (0, 1):
            assert sum(p[end] for p in parts) == pytest.approx(sum(line[end] for line in lines))
            assert sum(p[end] for p in parts) > 0


def test_graded_values_cost_a_product_or_several_binary_messages() -> None:
    populations = (Population("in", (3,), "input", value_bits=8), *NETWORK.populations[1:])
    graded = replace(NETWORK, populations=populations)
    trace = run(graded, EVENTS * 200, "all")
    bill = estimate_cost(graded, trace, read_target("cmos45")).energies[0]
    assert bill.sum_by("kind")["graded operations"] == pytest.approx((8 * 4.6e-12,) * 2)
    loihi = estimate_cost(graded, trace, LOIHI_1, place(graded, LOIHI_1)).energies[0]
    item = next(i for i in loihi.items if i.population == "hidden" and "operations" in i.kind)
    assert item.count == (8, 64)
    assert item.joules == pytest.approx((8 * 23.6e-12, 64 * 23.6e-12))
    assert next(i for i in loihi.items if i.population == "in").count == (2, 16)


def counted_one_by_one(program: Program, trace: Trace) -> dict[str, float]:
    """Follow each event of each sample through each synapse, and count the slices it reaches."""
    network, found = program.network, {"operations": 0, "active": 0, "messages": 0}
    joined = {p.name: pairs(network, p) for p in network.projections}
    reached: set[tuple[str, int, int, int]] = set()
    for projection in network.projections:
        sent = trace.spikes[projection.source].reshape(trace.timesteps, trace.batch, -1)
        there = [held(network, part) for _, part in program.slices(projection.target)]
        for step, sample, neuron in np.argwhere(sent).tolist():
            targets = np.flatnonzero(joined[projection.name][:, neuron])
            found["operations"] += len(targets)
            found["messages"] += sum(bool(np.isin(targets, part).any()) for part in there)
            at = step + projection.delay
            if at < trace.timesteps:
                reached |= {(projection.target, at, sample, t) for t in targets.tolist()}
    found["active"] = len(reached)
    return {key: value / trace.batch for key, value in found.items()}


@settings(max_examples=40)
@given(runs(), chips())
def test_counts_are_those_of_following_each_event(
    drawn: tuple[Network, Events], target: Target
) -> None:
    network, events = drawn
    try:
        program = place(network, target)
    except (PlacementError, EngineError):
        return
    trace = run(network, events, "all")
    work = count_workload(network, trace, target)
    traffic, loads = count_traffic(program, trace, target)
    expected = counted_one_by_one(program, trace)
    assert sum(work.synaptic_operations.values()) == pytest.approx(expected["operations"])
    assert sum(work.active.values()) == pytest.approx(expected["active"])
    assert sum(traffic.messages.values()) == pytest.approx(expected["messages"])
    everything = count_ops(network, trace)
    updates = sum(work.active.values()) + sum(work.idle.values())
    assert updates == pytest.approx(everything.total_neuron_updates)
    assert loads.active.sum() / trace.batch == pytest.approx(expected["active"])
    spikes = sum(n for name, n in work.events.items() if network.population(name).kind == "cuba")
    assert loads.spikes.sum() / trace.batch == pytest.approx(spikes)
    if all(projection.delay == 0 for projection in network.projections):
        operations = sum(float(each.sum()) for each in loads.synaptic_operations.values())
        assert operations / trace.batch == pytest.approx(expected["operations"])
        assert loads.received.sum() / trace.batch == pytest.approx(expected["messages"])


def test_a_step_lasts_as_long_as_its_busiest_core_by_hand() -> None:
    """Times of table 2: an operation 3.5, an update 5.3 or 8.4, a message 2.1, a hop 4.1 ns.

    Chip steps 1 and 2 are the steps 0 and 1 of `hidden`, 2 and 3 those of `out`, which is idle
    before. In step 2 each half of `hidden` updates 2 active neurons (16.8 ns), meets 2 synapses
    (7 ns) and sends 2 messages (4.2 ns), and `out` updates 2 active ones (16.8), meeting 8 (28 ns).
    """
    told = cost().latencies[0]
    hop = max(
        ways := [
            abs(a.x - b.x)
            for a in spread().cores
            for b in spread().cores
            if a.slices[0].population == "hidden" and b.slices[0].population == "out"
        ]
    )
    assert len(ways) == 2
    assert told.max_step == pytest.approx((28e-9 + 113e-9, (16.8 + 28 + 4.1 * hop + 465) * 1e-9))
    assert told.depth == 2
    # Six chip steps: two with `out` active, one with `hidden` alone, three idle.
    busy, first, idle = 28 + 113, 16.8 + 113, 10.6 + 113
    assert told.inference[0] == pytest.approx((2 * busy + first + 3 * idle) * 1e-9)


def test_the_longest_step_adds_up_to_what_it_is_made_of() -> None:
    for told in cost().latencies:
        parts = sum(share.count * share.price for share in told.max_step_items)
        assert told.max_step[1] == pytest.approx(parts * (1 + told.error))
    first = {share.kind: share.count for share in cost().latencies[0].max_step_items}
    assert first["active updates"] == 2 and first["dense operations"] == 8


def test_each_core_is_busy_for_what_it_does_by_hand() -> None:
    """`out`: 2 active of 4 steps (2 of 4 updates each), 8 operations in two; 5.3, 8.4, 3.5 ns."""
    told, program = cost().latencies[0], spread()
    out = next(k for k, core in enumerate(program.cores) if core.slices[0].population == "out")
    assert told.busy_per_core[out] == pytest.approx(
        (2 * 2 * 5.3 + 2 * 2 * 8.4 + 16 * 3.5) / 4 * 1e-9
    )


def test_an_inference_that_stops_earlier_costs_what_was_done_by_then() -> None:
    found = cost()
    for bill in found.energies:
        assert found.energy_by_step[bill.model][-1] == pytest.approx(bill.total)
    for steps in (1, 2, 3):
        cut = run(NETWORK, EVENTS[:steps], "all")
        alone = estimate_cost(NETWORK, cut, CHIP, spread())
        for bill in alone.energies:
            assert found.energy_by_step[bill.model][steps - 1] == pytest.approx(bill.total)


def test_neurons_of_a_sample_that_has_stopped_are_not_updated() -> None:
    """Two samples, of which the second says nothing and goes on to the fourth step."""
    weights = Dense(np.array([[2, 2, 2, 2], [-2, -2, -2, -2]]))
    projections = NETWORK.projections[0], replace(NETWORK.projections[1], connection=weights)
    stopping = replace(NETWORK, projections=projections, early_exit=EarlyExit((0,) * 3))
    events = np.concatenate([EVENTS, np.zeros_like(EVENTS)], axis=1)
    trace = run(stopping, events, "all")
    assert trace.steps.tolist() == [1, 4]
    work = count_workload(stopping, trace, LOIHI_1)
    assert work.active == {"hidden": 4 / 2, "out": 2 / 2}
    assert work.idle == {"hidden": 4 * 5 / 2 - 2, "out": 2 * 5 / 2 - 1}


def test_a_pipelined_chip_takes_a_sample_every_timesteps_however_deep_it_is() -> None:
    told = cost().latencies[0]
    assert 1 / told.throughput[1] == pytest.approx(4 * told.mean_step[0])
    assert 1 / told.throughput[0] == pytest.approx(4 * told.mean_step[1])
    assert told.inference[0] > 4 * told.mean_step[0]


def test_more_cores_never_make_a_step_longer_but_for_the_way() -> None:
    one = place(NETWORK, chip())
    _, loads = count_traffic(one, TRACE, chip())
    assert (
        estimate_latency(CHIP, "davies2018", loads).mean_step[1] > cost().latencies[0].mean_step[0]
    )
    assert len(one.cores) == 1 and loads.longest_route == (0, 0)


def test_the_report_shows_two_lists_with_sources_and_what_they_leave_out() -> None:
    loihi, cmos = default_energies(NETWORK, TRACE)
    assert (loihi.model, cmos.model) == (
        "Loihi 1, pre-silicon simulation",
        "CMOS at 45 nm, floating point",
    )
    assert loihi.joules["synaptic operations"] == pytest.approx((24 * 23.6e-12,) * 2)
    assert loihi.joules["neuron updates"] == pytest.approx((12 * 133e-12,) * 2)
    assert cmos.total == pytest.approx((24 * 0.9e-12,) * 2)
    for told in (loihi, cmos):
        assert "static power" in told.excludes and "not measured" in told.excludes
        assert len(told.source) > 20


def test_the_artificial_network_pays_what_horowitz_says() -> None:
    assert default_mac_energy().range == pytest.approx((4.6e-12, 4.6e-12))


def test_the_document_is_json_with_the_names_of_neurobench() -> None:
    told = json.loads(json.dumps(costs_to_dict(NETWORK, TRACE, [cost()])))
    assert told["neurobench"]["SynapticOperations"]["Effective_ACs"] == 24
    assert told["spikes_per_inference"] == 8 and told["excludes"] == STATIC_POWER_NOTE
    assert told["spikes_per_neuron_per_step"] == 8 / 4 / 4
    energy = told["targets"][0]["energy"][0]
    assert energy["total"][1] == pytest.approx(sum(i["joules"][1] for i in energy["items"]))
    assert told["targets"][0]["latency"][1]["model"] == "sanafe"


def test_costs_need_every_spike() -> None:
    with pytest.raises(EngineError, match="every spike.* run with record='all'"):
        default_energies(NETWORK, run(NETWORK, EVENTS, "output"))
