"""Post-training calibration: it reduces errors, and reports them correctly."""

from dataclasses import replace

import numpy as np
import pytest
from float_reference import simulate
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


def heavy_tailed_weights(*shape: int, size: float) -> NDArray[np.float32]:
    """Weights with a few outliers, as trained ones have."""
    scale = size / np.sqrt(np.prod(shape[1:]))
    return np.asarray(rng.standard_t(3, shape) * scale, np.float32)


def make_network() -> FloatNetwork:
    conv = FloatPopulation("conv", (6, 6, 6), (0.1 * rng.normal(size=6)).astype(np.float32))
    loop = FloatPopulation("loop", (20,), np.zeros(20, np.float32), 1.0, 0.5, 0.5)
    out = FloatPopulation("out", (5,), np.zeros(5, np.float32), 0.0, spiking=False)
    projections = (
        FloatProjection(
            "a", "in", "conv", "conv", heavy_tailed_weights(6, 2, 3, 3, size=3), padding=(1, 1)
        ),
        FloatProjection("b", "conv", "loop", "dense", heavy_tailed_weights(20, 216, size=5)),
        FloatProjection(
            "c", "loop", "loop", "dense", heavy_tailed_weights(20, 20, size=0.5), delay=1
        ),
        FloatProjection("d", "loop", "out", "dense", heavy_tailed_weights(5, 20, size=1)),
    )
    return FloatNetwork("in", (2, 6, 6), 1, (conv, loop, out), projections, "out")


NETWORK = make_network()


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", [4, 8])
def test_calibration_reduces_spike_errors(bits: int, per_channel: bool) -> None:
    network = set_weight_bits(use_per_channel_scales(NETWORK) if per_channel else NETWORK, bits)
    _, report = calibrate(network, EVENTS)
    for layer in report[:2]:
        assert layer.error < layer.uncalibrated_error and layer.weight_bits == bits
    assert report[2].error <= report[2].uncalibrated_error


def test_reported_spike_errors_are_those_of_the_network() -> None:
    calibrated, report = calibrate(set_weight_bits(NETWORK, 5), EVENTS)
    trace = reference.run(quantize_network(calibrated)[0], EVENTS)
    exact = simulate(NETWORK, EVENTS)
    for layer in report[:2]:
        errors = int((trace.spikes[layer.name] != exact[layer.name]).sum())
        assert (layer.spike_errors, layer.spikes) == (errors, int(exact[layer.name].sum()))
        assert layer.error == errors / layer.spikes


def test_per_channel_scales_reduce_spike_errors() -> None:
    shared, per_channel = (
        calibrate(g, EVENTS)[1] for g in (NETWORK, use_per_channel_scales(NETWORK))
    )
    assert sum(layer.spike_errors for layer in per_channel) < sum(
        layer.spike_errors for layer in shared
    )


def test_without_search_the_network_is_unchanged() -> None:
    network, report = calibrate(NETWORK, EVENTS, search=False)
    assert all(a is b for a, b in zip(network.projections, NETWORK.projections, strict=True))
    assert all(
        layer.error == layer.uncalibrated_error and layer.clip_fraction == 1.0 for layer in report
    )


def test_weight_bits_are_set_by_target_population() -> None:
    network = set_weight_bits(set_weight_bits(NETWORK, 6), {"loop": 4})
    assert [s.weight_bits for s in network.projections] == [6, 4, 4, 6]
    quantized, _ = quantize_network(calibrate(network, EVENTS)[0])
    stored_bits = [stored_weight_bits(p.connection) for p in quantized.projections]
    assert all(
        bits <= s.weight_bits for bits, s in zip(stored_bits, network.projections, strict=True)
    )


def test_exactly_representable_weights_are_not_clipped() -> None:
    weights = (rng.integers(-127, 128, (20, 72)) / 127).astype(np.float32)
    weights[0, 0] = 1.0
    population = FloatPopulation("only", (20,), np.zeros(20, np.float32))
    network = FloatNetwork(
        "in",
        (2, 6, 6),
        1,
        (population,),
        (FloatProjection("a", "in", "only", "dense", weights),),
        "only",
    )
    calibrated, (report,) = calibrate(network, EVENTS)
    assert (report.spike_errors, report.clip_fraction) == (0, 1.0) and report.spikes > 0
    assert calibrated.projections[0] is network.projections[0]


def test_pools_and_read_outs_are_not_scaled_per_channel() -> None:
    pool = FloatPopulation("pool", (2, 3, 3), np.zeros(2, np.float32), 0.5, voltage_decay=1.0)
    projections = FloatProjection(
        "p", "in", "pool", "sum_pool", np.ones(1, np.float32), (2, 2), kernel=(2, 2)
    )
    out = replace(NETWORK.populations[2], name="out")
    weights = heavy_tailed_weights(5, 18, size=1)
    network = FloatNetwork(
        "in",
        (2, 6, 6),
        1,
        (pool, out),
        (projections, FloatProjection("o", "pool", "out", "dense", weights)),
        "out",
    )
    assert [n.per_channel for n in use_per_channel_scales(network).populations] == [False, False]
    assert calibrate(use_per_channel_scales(network), EVENTS)[1][0].spike_errors == 0
