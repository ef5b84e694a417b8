"""Every spike of every population: quantized torch networks against the engines."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from traces import assert_same
from trained import CLASSES, TABLES, make_network, random_spikes, run_layers, to_integers, to_uint8

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.runtime import Trace
from pumice.runtime.engines import cpu, reference


def assert_equal_spikes(spikes: dict[str, NDArray[Any]], trace: Trace) -> None:
    """Fail where torch and an engine differ in a spike, or where a population is silent."""
    for name, expected in spikes.items():
        if name != "output":
            assert np.array_equal(expected, trace.spikes[name]), name
            assert 0 < expected.mean() < 1, name


@pytest.mark.parametrize("name", TABLES)
def test_every_architecture_spikes_in_every_engine_as_in_torch(name: str) -> None:
    model = make_network(TABLES[name])
    events = random_spikes(model.input_shape)
    network = to_integers(model)
    trace = reference.run(network, to_uint8(events))
    assert_equal_spikes(run_layers(model, events), trace)
    assert_same(trace, cpu.run(network, to_uint8(events)))
    assert_same(trace, run_onnx(network, to_uint8(events)))
    assert trace.voltages["output"].shape == (5, 2, CLASSES)
