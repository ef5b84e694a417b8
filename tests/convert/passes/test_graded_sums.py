"""Graded sums: every spike of every population stays."""

from dataclasses import replace

import pytest
from traces import assert_same
from trained import TABLES, make_network, random_spikes, to_integers, to_uint8

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.convert.passes.graded_sums import use_graded_sums
from pumice.deploy.lava import run as run_lava
from pumice.runtime import Network, Population, Projection, SumPool, Trace
from pumice.runtime.engines import cpu, reference
from pumice.runtime.verify import RunFunction


def drop_sums(trace: Trace, plain: Network) -> Trace:
    """Restrict a trace to the populations of `plain`."""
    names = {p.name for p in plain.populations}
    spikes = {name: array for name, array in trace.spikes.items() if name in names}
    counts = {name: array for name, array in trace.counts.items() if name in names}
    return replace(trace, spikes=spikes, counts=counts)


@pytest.mark.parametrize(
    "engine", [reference.run, cpu.run, run_onnx, pytest.param(run_lava, marks=pytest.mark.lava)]
)
def test_graded_sums_keep_all_spikes(engine: RunFunction) -> None:
    plain = to_integers(make_network({"name": "sew_resnet18", "width": 4, "stages": 2}))
    graded = use_graded_sums(plain)
    inputs = to_uint8(random_spikes((2, 16, 16), 3))
    trace = engine(graded, inputs)
    assert_same(drop_sums(trace, plain), reference.run(plain, inputs))
    sums = [p for p in graded.populations if p.value_bits > 1]
    assert [p.value_bits for p in sums] == [2, 2, 2, 2]
    assert [int(trace.spikes[p.name].max()) for p in sums] == [2, 3, 2, 3]


def test_a_sum_replaces_one_projection_per_source() -> None:
    plain = to_integers(make_network(TABLES["sew add"]))
    graded = use_graded_sums(plain)
    before, after = (
        sum(p.connection.sum_abs_weights().size for p in n.projections) for n in (plain, graded)
    )
    assert len(plain.projections) == 39 and after < before
    assert (
        max(len(graded.incoming(p.name)) for p in graded.topological_order if p.value_bits == 1)
        == 1
    )


def test_different_weights_are_not_summed() -> None:
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
