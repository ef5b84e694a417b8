"""A sum by fan-out and the same sum by graded spikes: every spike of every population."""

from dataclasses import replace

import pytest
from traces import assert_same
from trained import TABLES, as_bytes, converted, events, network

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.convert.passes.graded_sums import use_graded_sums
from pumice.deploy.lava import run as run_lava
from pumice.runtime import Network, Population, Projection, SumPool, Trace
from pumice.runtime.engines import cpu, reference
from pumice.runtime.verify import RunFunction


def without_sums(trace: Trace, plain: Network) -> Trace:
    """The trace of the populations that `plain` has."""
    names = {p.name for p in plain.populations}
    spikes = {name: array for name, array in trace.spikes.items() if name in names}
    counts = {name: array for name, array in trace.counts.items() if name in names}
    return replace(trace, spikes=spikes, counts=counts)


@pytest.mark.parametrize(
    "engine", [reference.run, cpu.run, run_onnx, pytest.param(run_lava, marks=pytest.mark.lava)]
)
def test_adding_by_fan_out_is_adding_by_graded_spikes(engine: RunFunction) -> None:
    plain = converted(network({"name": "sew_resnet18", "width": 4, "stages": 2}))
    graded = use_graded_sums(plain)
    given = as_bytes(events((2, 16, 16), 3))
    found = engine(graded, given)
    assert_same(without_sums(found, plain), reference.run(plain, given))
    sums = [p for p in graded.populations if p.value_bits > 1]
    assert [p.value_bits for p in sums] == [2, 2, 2, 2]
    assert [int(found.spikes[p.name].max()) for p in sums] == [2, 3, 2, 3]


def test_each_sum_takes_the_place_of_as_many_projections_as_it_has_sources() -> None:
    plain = converted(network(TABLES["sew add"]))
    graded = use_graded_sums(plain)
    before, after = (
        sum(p.connection.sum_abs_weights().size for p in n.projections) for n in (plain, graded)
    )
    assert len(plain.projections) == 39 and after < before
    assert (
        max(len(graded.incoming(p.name)) for p in graded.topological_order if p.value_bits == 1)
        == 1
    )


def test_weights_that_differ_are_left_alone() -> None:
    spikes = [Population(name, (1, 2, 2), kind="input") for name in ("a", "b", "c")]
    weights = {"a": 4, "b": 4, "c": 6}
    projections = tuple(
        Projection(name, name, "out", SumPool((2, 2), (2, 2), weight=weight))
        for name, weight in weights.items()
    )
    network = Network((*spikes, Population("out", (1, 1, 1))), projections)
    graded = use_graded_sums(network)
    assert [p.source for p in graded.incoming("out")] == ["b.sum", "c"]
    assert [p.source for p in graded.incoming("b.sum")] == ["a", "b"]
