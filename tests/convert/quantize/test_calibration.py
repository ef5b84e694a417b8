"""Post-training quantisation: what the search finds is better, and told as it is."""

from dataclasses import replace

import numpy as np
import pytest
from graphs import simulate
from numpy.typing import NDArray

from pumice.convert.quantize.calibration import calibrate
from pumice.convert.quantize.float_network import (
    FloatNetwork,
    FloatPopulation,
    FloatProjection,
    set_weight_bits,
    use_per_channel_scales,
)
from pumice.convert.quantize.quantize import quantize_network
from pumice.deploy.placement.synaptic_memory import stored_weight_bits
from pumice.runtime.engines import reference

rng = np.random.default_rng(1)
EVENTS = (rng.random((6, 24, 2, 6, 6)) < 0.3).astype(np.uint8)


def drawn(*shape: int, size: float) -> NDArray[np.float32]:
    """Weights with a few that are much larger than the rest, as trained ones have."""
    scale = size / np.sqrt(np.prod(shape[1:]))
    return np.asarray(rng.standard_t(3, shape) * scale, np.float32)


def made() -> FloatNetwork:
    conv = FloatPopulation("conv", (6, 6, 6), (0.1 * rng.normal(size=6)).astype(np.float32))
    loop = FloatPopulation("loop", (20,), np.zeros(20, np.float32), 1.0, 0.5, 0.5)
    out = FloatPopulation("out", (5,), np.zeros(5, np.float32), 0.0, spiking=False)
    synapses = (
        FloatProjection("a", "in", "conv", "conv", drawn(6, 2, 3, 3, size=3), padding=(1, 1)),
        FloatProjection("b", "conv", "loop", "dense", drawn(20, 216, size=5)),
        FloatProjection("c", "loop", "loop", "dense", drawn(20, 20, size=0.5), delay=1),
        FloatProjection("d", "loop", "out", "dense", drawn(5, 20, size=1)),
    )
    return FloatNetwork("in", (2, 6, 6), 1, (conv, loop, out), synapses, "out")


GRAPH = made()


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("bits", [4, 8])
def test_searching_changes_fewer_spikes_than_rounding(bits: int, each: bool) -> None:
    graph = set_weight_bits(use_per_channel_scales(GRAPH) if each else GRAPH, bits)
    _, told = calibrate(graph, EVENTS)
    for layer in told[:2]:
        assert layer.error < layer.uncalibrated_error and layer.weight_bits == bits
    assert told[2].error <= told[2].uncalibrated_error


def test_the_spikes_told_of_are_those_of_the_network() -> None:
    graph, told = calibrate(set_weight_bits(GRAPH, 5), EVENTS)
    found = reference.run(quantize_network(graph)[0], EVENTS)
    exact = simulate(GRAPH, EVENTS)
    for layer in told[:2]:
        changed = int((found.spikes[layer.name] != exact[layer.name]).sum())
        assert (layer.spike_errors, layer.spikes) == (changed, int(exact[layer.name].sum()))
        assert layer.error == changed / layer.spikes


def test_a_scale_for_each_channel_changes_fewer_spikes() -> None:
    one, each = (calibrate(g, EVENTS)[1] for g in (GRAPH, use_per_channel_scales(GRAPH)))
    assert sum(layer.spike_errors for layer in each) < sum(layer.spike_errors for layer in one)


def test_without_a_search_the_graph_stays_as_it_is() -> None:
    graph, told = calibrate(GRAPH, EVENTS, search=False)
    assert all(a is b for a, b in zip(graph.projections, GRAPH.projections, strict=True))
    assert all(
        layer.error == layer.uncalibrated_error and layer.clip_fraction == 1.0 for layer in told
    )


def test_bits_are_chosen_by_the_population_reached() -> None:
    graph = set_weight_bits(set_weight_bits(GRAPH, 6), {"loop": 4})
    assert [s.weight_bits for s in graph.projections] == [6, 4, 4, 6]
    network, _ = quantize_network(calibrate(graph, EVENTS)[0])
    held = [stored_weight_bits(p.connection) for p in network.projections]
    assert all(bits <= s.weight_bits for bits, s in zip(held, graph.projections, strict=True))


def test_what_rounds_exactly_is_left_alone() -> None:
    weights = (rng.integers(-127, 128, (20, 72)) / 127).astype(np.float32)
    weights[0, 0] = 1.0
    neurons = FloatPopulation("only", (20,), np.zeros(20, np.float32))
    graph = FloatNetwork(
        "in",
        (2, 6, 6),
        1,
        (neurons,),
        (FloatProjection("a", "in", "only", "dense", weights),),
        "only",
    )
    kept, (told,) = calibrate(graph, EVENTS)
    assert (told.spike_errors, told.clip_fraction) == (0, 1.0) and told.spikes > 0
    assert kept.projections[0] is graph.projections[0]


def test_a_pool_and_the_read_out_keep_one_scale() -> None:
    pool = FloatPopulation("pool", (2, 3, 3), np.zeros(2, np.float32), 0.5, voltage_decay=1.0)
    synapses = FloatProjection(
        "p", "in", "pool", "sum_pool", np.ones(1, np.float32), (2, 2), kernel=(2, 2)
    )
    out = replace(GRAPH.populations[2], name="out")
    weights = drawn(5, 18, size=1)
    graph = FloatNetwork(
        "in", (2, 6, 6), 1, (pool, out), (synapses, FloatProjection("o", "pool", "out", "dense", weights)),
        "out",
    )  # fmt: skip
    assert [n.per_channel for n in use_per_channel_scales(graph).populations] == [False, False]
    assert calibrate(use_per_channel_scales(graph), EVENTS)[1][0].spike_errors == 0
