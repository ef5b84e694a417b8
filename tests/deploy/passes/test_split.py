import numpy as np
import pytest
from chips import chip, chips
from hypothesis import given, settings
from numpy.typing import NDArray
from placement_oracle import adjacency
from strategies import runs
from traces import assert_same
from zoo import EVENTS, ZOO

from bench import shapes
from pumice.deploy.passes.split import (
    SplitNetwork,
    connection_to_coo,
    merge_trace,
    split_by_core,
)
from pumice.deploy.placement.place import place
from pumice.deploy.targets.target import Target, read_target
from pumice.runtime import Dense, Network, Population, Program, Projection, Sparse, Trace
from pumice.runtime.engines.reference import run
from pumice.runtime.errors import EngineError, PlacementError
from pumice.runtime.trace import select_recorded

Events = dict[str, NDArray[np.uint8]]


def run_split(program: Program, events: Events) -> tuple[SplitNetwork, Trace]:
    """Run the slices of `program` and merge their traces."""
    split = split_by_core(program)
    return split, merge_trace(program, split, run(split.network, events, "states"))


@settings(max_examples=25)
@given(runs(), chips())
def test_split_networks_equal_the_original(
    run_inputs: tuple[Network, Events], target: Target
) -> None:
    network, events = run_inputs
    try:
        program = place(network, target)
    except (PlacementError, EngineError):
        return
    split, trace = run_split(program, events)
    assert_same(trace, select_recorded(network, run(network, events, "states"), "states"))
    for name in {p.name for p in network.topological_order} - set(split.unsplit):
        slices = [part for part in split.parts.values() if part.population == name]
        assert slices == [part for _, part in program.slices(name)]


def test_the_zoo_split_into_small_cores_equals_the_original() -> None:
    program = place(ZOO, chip(neurons=11, cores=128, chips=4))
    split, trace = run_split(program, EVENTS)
    assert_same(trace, run(ZOO, EVENTS, "states"))
    assert len(split.network.topological_order) > 1.5 * len(ZOO.topological_order)


def test_a_population_on_three_cores_is_split_in_three() -> None:
    populations = Population("in", (4,), "input"), Population("out", (5,), threshold=range(5))
    weights = np.arange(1, 21).reshape(5, 4)
    network = Network(populations, (Projection("p", "in", "out", Dense(weights)),))
    split = split_by_core(place(network, chip(neurons=2)))
    assert [p.name for p in split.network.topological_order] == ["out--0", "out--1", "out--2"]
    for projection, rows in zip(split.network.projections, ([0, 1], [2, 3], [4]), strict=True):
        connection = projection.connection
        assert isinstance(connection, Sparse)
        assert connection.weights.tolist() == weights[rows].ravel().tolist()


def test_a_network_at_the_activation_limit_can_be_split() -> None:
    """Each target has one source slice, so two slices reach no more than one projection did."""
    populations = (
        Population("in", (4,), "input", value_bits=8),
        Population("a", (4,), value_bits=8),
        Population("b", (2,), "integrator", current_decay=4096),
    )
    weights = np.kron(np.eye(2), [[255, 255]])
    projections = (
        Projection("p", "in", "a", Dense(np.eye(4))),
        Projection("q", "a", "b", Dense(weights), 6),
    )
    program = place(Network(populations, projections), chip(neurons=2))
    assert [p.name for p in split_by_core(program).network.topological_order] == [
        "a--0",
        "a--1",
        "b",
    ]


@pytest.mark.parametrize(("exponent", "weight"), [(-1, 2), (0, -256)])
def test_a_source_that_cannot_be_accumulated_in_parts_is_not_split(
    exponent: int, weight: int
) -> None:
    populations = Population("in", (4,), "input"), Population("a", (6,)), Population("b", (6,))
    weights = np.full((6, 6), weight)
    weights[-1, -1] = 2
    network = Network(
        populations,
        (
            Projection("p", "in", "a", Dense(np.ones((6, 4)))),
            Projection("q", "a", "b", Dense(weights), exponent),
        ),
    )
    assert "a" in split_by_core(place(network, chip(neurons=2))).unsplit


@pytest.mark.parametrize("name", [projection.name for projection in ZOO.projections])
def test_coo_synapses_are_those_of_the_connection(name: str) -> None:
    projection = next(each for each in ZOO.projections if each.name == name)
    source, target = (ZOO.population(n) for n in (projection.source, projection.target))
    rows, columns, weights = connection_to_coo(projection.connection, source.shape, target.shape)
    synapses = np.zeros((target.neurons, source.neurons), int)
    np.add.at(synapses, (rows, columns), weights != 0)
    assert synapses.max(initial=0) <= 1
    assert np.all(adjacency(ZOO, projection)[synapses > 0] == 1)


def test_the_demo_network_split_on_loihi_1_equals_the_original() -> None:
    network = shapes.conv_net((2, 16, 16), (1, 2), 128)
    program = place(network, read_target("loihi1"))
    events = (np.random.default_rng(1).random((3, 1, 2, 16, 16)) < 0.1).astype(np.uint8)
    split, trace = run_split(program, {"input": events})
    assert len(split.network.topological_order) == sum(1 for _ in program.slices()) > 4
    assert_same(trace, run(network, events, "states"))
