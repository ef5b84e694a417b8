"""Every spike of every population: torch, quantized, against the engines."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from traces import assert_same
from trained import CLASSES, TABLES, make_network, random_spikes, run_layers, to_integers, to_uint8

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.runtime import Trace
from pumice.runtime.engines import cpu, reference


def assert_told(spikes: dict[str, NDArray[Any]], trace: Trace) -> None:
    """Fail where torch and an engine differ in a spike, or where a population says nothing."""
    for name, found in spikes.items():
        if name != "output":
            assert np.array_equal(found, trace.spikes[name]), name
            assert 0 < found.mean() < 1, name


@pytest.mark.parametrize("name", TABLES)
def test_every_architecture_spikes_in_every_engine_as_in_torch(name: str) -> None:
    built = make_network(TABLES[name])
    given = random_spikes(built.input_shape)
    chip = to_integers(built)
    trace = reference.run(chip, to_uint8(given))
    assert_told(run_layers(built, given), trace)
    assert_same(trace, cpu.run(chip, to_uint8(given)))
    assert_same(trace, run_onnx(chip, to_uint8(given)))
    assert trace.voltages["output"].shape == (5, 2, CLASSES)
