from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
import pytest
from chips import chip, chips
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from placement_oracle import adjacency, slice_usage, synapse_multiplicity
from strategies import networks

from bench import shapes
from pumice.deploy.placement.lower_bound import min_cores
from pumice.deploy.placement.place import place, solve_placement
from pumice.deploy.placement.problem import list_assumed_features, make_problem
from pumice.deploy.targets.target import Target, read_target
from pumice.runtime import Conv, Dense, Network, Population, Program, Projection
from pumice.runtime.errors import EngineError, PlacementError


def dense(*sizes: int, **parameters: Any) -> Network:
    """Flat populations `l0` (the input), `l1`, ... of these sizes, one after the other."""
    populations = [
        Population(f"l{k}", (n,), "input" if k == 0 else "cuba", **parameters if k else {})
        for k, n in enumerate(sizes)
    ]
    projections = [
        Projection(f"p{k}", f"l{k - 1}", f"l{k}", Dense(np.ones((sizes[k], sizes[k - 1])) * 255))
        for k in range(1, len(sizes))
    ]
    return Network(tuple(populations), tuple(projections))


def check(program: Program, target: Target) -> None:
    """Recount everything: each neuron and synapse is on one core, and every limit is kept."""
    on_cores = {p.name: np.zeros(p.shape, int) for p in program.network.topological_order}
    for _, part in program.slices():
        on_cores[part.population][part.index] += 1
    assert all((count == 1).all() for count in on_cores.values())
    for name, counts in synapse_multiplicity(program).items():
        projection = next(p for p in program.network.projections if p.name == name)
        assert np.array_equal(counts, adjacency(program.network, projection))
    assert target.core
    for core in program.cores:
        recounted = [slice_usage(program, target, part) for part in core.slices]
        for resource, used in core.usage.items():
            if resource in ("routes", "entries"):
                continue
            assert used == sum(each.get(resource, 0) for each in recounted), resource
        if target.core.route.value == "slice":
            assert core.usage["routes"] == sum(each.get("routes", 0) for each in recounted)
        parts = ("neurons", "synapse_words", "axons_in", "axons_out", "routes")
        assert core.usage["entries"] == sum(core.usage[key] for key in parts)
        for resource, limit in program.limits.items():
            assert core.usage[resource] <= limit


def place_and_check(network: Network, target: Target) -> None:
    """Place and recount, or raise in one line that has the excess."""
    try:
        program = place(network, target)
    except (PlacementError, EngineError) as error:
        assert "\n" not in str(error) and ("too many" in str(error) or "raise the d" in str(error))
        return
    check(program, target)
    assert min_cores(make_problem(network, target)) <= len(program.cores)


@settings(max_examples=50)
@given(networks(), chips())
def test_every_neuron_and_synapse_is_placed_once_within_the_limits(
    network: Network, target: Target
) -> None:
    place_and_check(network, target)


@pytest.mark.slow
@settings(max_examples=500, derandomize=False)
@seed(6)
@given(networks(), chips())
def test_five_hundred_networks_and_targets_are_placed_within_the_limits(
    network: Network, target: Target
) -> None:
    place_and_check(network, target)


def test_most_random_networks_can_be_placed() -> None:
    """Ensures that the tests above do not merely test errors."""
    core_counts = []

    @settings(max_examples=60, database=None)
    @given(networks(), chips())
    def count(network: Network, target: Target) -> None:
        try:
            core_counts.append(len(place(network, target).cores))
        except (PlacementError, EngineError):
            core_counts.append(0)

    count()
    assert np.count_nonzero(core_counts) > 0.6 * len(core_counts)
    assert np.count_nonzero(np.array(core_counts) > 1) > 0.3 * len(core_counts)


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 16), st.integers(1, 40))
def test_lower_bound_is_at_most_the_optimum_of_one_layer(
    inputs: int, outputs: int, neurons: int, words: int
) -> None:
    """Slices of as many neurons as a core holds are optimal: dividing only shortens lists."""
    target = chip(neurons=neurons, synaptic_memory=64 * inputs * words, dense_index_bits=0)
    feasible = [m for m in range(1, neurons + 1) if -(-(8 * m + 10) // 64) <= words]
    optimum = -(-outputs // max(feasible))
    network = dense(inputs, outputs)
    assert min_cores(make_problem(network, target)) <= optimum
    assert len(place(network, target).cores) == optimum


NETWORKS: dict[str, Callable[[], Network]] = {
    "digits": lambda: shapes.conv_net((2, 16, 16), (1, 2), 128),
    "nmnist": lambda: shapes.conv_net((2, 34, 34), (2, 2), 512),
    "pilotnet": shapes.pilotnet,
    "mnist": lambda: shapes.dense_net(784, 128, 64, 10),
    "oxford": lambda: shapes.dense_net(200, 256, 200),
}


@pytest.mark.parametrize("name", ["loihi1", "loihi2", "generic8"])
@pytest.mark.parametrize("network", NETWORKS)
def test_known_networks_take_few_cores(network: str, name: str) -> None:
    solution = solve_placement(make_problem(NETWORKS[network](), read_target(name)))
    assert len(solution.program.cores) <= 1.15 * solution.lower_bound


def test_placement_is_deterministic() -> None:
    target = read_target("loihi2")
    one, two = (place(NETWORKS["nmnist"](), target) for _ in range(2))
    assert one == two


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_a_large_residual_network_is_placed_on_several_chips(name: str) -> None:
    network, target = shapes.sew_resnet18(), read_target(name)
    assert sum(p.neurons for p in network.topological_order if p.kind == "cuba") - 512 == 876_544
    start = process_time()
    solution = solve_placement(make_problem(network, target))
    assert process_time() - start < 60
    assert solution.program.chips > 1
    assert len(solution.program.cores) <= 1.15 * solution.lower_bound


def test_small_populations_share_a_core() -> None:
    assert len(place(dense(4, 5, 6, 7), chip(neurons=18)).cores) == 1
    assert len(place(dense(4, 5, 6, 7), chip(neurons=18, groups=2)).cores) == 2


def test_communicating_cores_are_neighbors() -> None:
    """A chain of eight layers, one per core: messages take one hop."""
    program = place(dense(*[4] * 9), chip(neurons=4, cores=128, cores_per_tile=1))
    order = sorted(program.cores, key=lambda core: core.slices[0].population)
    hops = [abs(a.x - b.x) + abs(a.y - b.y) for a, b in zip(order, order[1:], strict=False)]
    assert hops == [1] * 7


def test_cores_are_numbered_on_each_chip() -> None:
    program = place(dense(3, 20), chip(neurons=4, chips=3, cores=2))
    assert [(core.chip, core.number) for core in program.cores] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip


IMAGE = Network(
    (Population("in", (1, 4, 4), "input"), Population("conv", (8, 4, 4), threshold=range(8))),
    (Projection("c", "in", "conv", Conv(np.ones((8, 1, 3, 3)) * 255, (1, 1), (1, 1))),),
)


@pytest.mark.parametrize(
    ("network", "limits", "message"),
    [
        (
            dense(4, 33),
            {"neurons": 4, "chips": 2, "cores": 4},
            "network: 33 neurons, but the 8 cores of tiny hold 32: 1 too many; use fewer channels",
        ),
        (
            dense(101, 2),
            {"axons_in": 100},
            "l1: one neuron needs 101 axons_in, but a core of tiny has 100: 1 too many; use fewer",
        ),
        (
            dense(101, 2),
            {"synaptic_memory": 6400},
            "l1: one neuron needs 101 synapse_words, but a core of tiny has 100: 1 too many; use",
        ),
        (
            dense(4, 3, 70),
            {"routes": 10, "neurons": 6, "axons_in": 5},
            "l1: no partition of its 3 neurons fits the cores of tiny and reaches all targets: a "
            "neuron needs 12 routes, but a core has 10: 2 too many; use fewer or smaller targets",
        ),
        (
            dense(4, 300),
            {"synaptic_memory": 64 * 4, "chips": 1, "cores": 100},
            "network: needs at least 150 cores, but tiny has 100 (1 chips of 100): 50 too many, "
            "limited by synapse_words; use fewer channels",
        ),
        (
            dense(4, 3),
            {"weight_bits": 4},
            "p1: weights of 8 bits, but tiny stores 4: 4 too many; quantize them to 4 bits",
        ),
        (dense(4, 3), {"fan_in": 3}, "l1: a fan-in of 4 synapses, but tiny has 3: 1 too many"),
        (dense(4, 3), {"fan_out": 2}, "l0: a fan-out of 3 synapses, but tiny has 2: 1 too many"),
        (IMAGE, {"fan_out": 71}, "in: a fan-out of 72 synapses, but tiny has 71: 1 too many"),
        (IMAGE, {"fan_in": 8}, "conv: a fan-in of 9 synapses, but tiny has 8: 1 too many"),
        (dense(4, 3), {"state_bits": 16}, "tiny: a neuron's state has 16 bits, but the arithmet"),
    ],
)
def test_placement_errors_name_limit_excess_and_remedy(
    network: Network, limits: dict[str, int], message: str
) -> None:
    with pytest.raises(PlacementError) as caught:
        place(network, chip(**limits))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_network_at_the_limit_is_placed() -> None:
    assert len(place(dense(4, 32), chip(neurons=4, chips=2, cores=4)).cores) == 8


def test_a_skip_beyond_the_maximum_delay_raises() -> None:
    hops = dense(2, 2, 2, 2)
    skip = Projection("skip", "l0", "l3", Dense(np.ones((2, 2))))
    network = Network(hops.populations, (*hops.projections, skip))
    assert place(network, chip(delay=2))
    with pytest.raises(PlacementError, match="skip: its messages wait 2 steps, but tiny delays by"):
        place(network, chip(delay=1))


def test_channels_of_different_thresholds_are_different_groups() -> None:
    program = place(IMAGE, chip(groups=4))
    assert [part.shape for _, part in program.slices()] == [(4, 4, 4)] * 2


def test_arithmetic_has_no_cores() -> None:
    with pytest.raises(PlacementError, match="cmos45: a price list of arithmetic, has no cores"):
        place(IMAGE, read_target("cmos45"))


def test_neuron_types_are_those_that_the_target_holds() -> None:
    neurons = Population("soft", (4,), threshold=9, reset="subtract", reset_value=9)
    weights = Projection("w", "in", "soft", Dense(np.ones((4, 3))))
    network = Network((Population("in", (3,), "input"), neurons), (weights,))
    with pytest.raises(PlacementError, match="soft: needs a soft reset, which loihi1 does"):
        place(network, "loihi1")
    place(network, "loihi2")
    (note,) = list_assumed_features(network, read_target("loihi2"))
    assert note == "soft: soft reset: assumed of loihi2: by microcode of the neuron; " + (
        "not tried on a chip"
    )
    assert list_assumed_features(network, read_target("loihi1")) == []
