import numpy as np
import pytest
from chips import chip, chips
from hypothesis import given, settings
from numpy.typing import NDArray
from placed import pairs
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


def followed(program: Program, events: Events) -> tuple[SplitNetwork, Trace]:
    """What the slices of `program` do, put together again."""
    cut = split_by_core(program)
    return cut, merge_trace(program, cut, run(cut.network, events, "states"))


@settings(max_examples=25)
@given(runs(), chips())
def test_slices_do_what_the_network_does(drawn: tuple[Network, Events], target: Target) -> None:
    network, events = drawn
    try:
        program = place(network, target)
    except (PlacementError, EngineError):
        return
    cut, found = followed(program, events)
    assert_same(found, select_recorded(network, run(network, events, "states"), "states"))
    for name in {p.name for p in network.topological_order} - set(cut.unsplit):
        slices = [part for part in cut.parts.values() if part.population == name]
        assert slices == [part for _, part in program.slices(name)]


def test_a_network_of_every_kind_on_small_cores_is_the_same_network() -> None:
    program = place(ZOO, chip(neurons=11, cores=128, chips=4))
    cut, found = followed(program, EVENTS)
    assert_same(found, run(ZOO, EVENTS, "states"))
    assert len(cut.network.topological_order) > 1.5 * len(ZOO.topological_order)


def test_a_population_on_three_cores_becomes_three() -> None:
    populations = Population("in", (4,), "input"), Population("out", (5,), threshold=range(5))
    weights = np.arange(1, 21).reshape(5, 4)
    network = Network(populations, (Projection("p", "in", "out", Dense(weights)),))
    cut = split_by_core(place(network, chip(neurons=2)))
    assert [p.name for p in cut.network.topological_order] == ["out--0", "out--1", "out--2"]
    for projection, rows in zip(cut.network.projections, ([0, 1], [2, 3], [4]), strict=True):
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
def test_a_source_that_cannot_be_summed_in_parts_stays_whole(exponent: int, weight: int) -> None:
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
def test_synapses_one_by_one_are_those_of_the_connection(name: str) -> None:
    projection = next(each for each in ZOO.projections if each.name == name)
    source, target = (ZOO.population(n) for n in (projection.source, projection.target))
    rows, columns, weights = connection_to_coo(projection.connection, source.shape, target.shape)
    joined = np.zeros((target.neurons, source.neurons), int)
    np.add.at(joined, (rows, columns), weights != 0)
    assert joined.max(initial=0) <= 1
    assert np.all(pairs(ZOO, projection)[joined > 0] == 1)


def test_the_network_of_the_demo_is_followed_on_loihi_1() -> None:
    network = shapes.conv_net((2, 16, 16), (1, 2), 128)
    program = place(network, read_target("loihi1"))
    events = (np.random.default_rng(1).random((3, 1, 2, 16, 16)) < 0.1).astype(np.uint8)
    cut, found = followed(program, {"input": events})
    assert len(cut.network.topological_order) == sum(1 for _ in program.slices()) > 4
    assert_same(found, run(network, events, "states"))
