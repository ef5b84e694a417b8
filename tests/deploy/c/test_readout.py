"""The firmware predicts by the readout rule of its network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from firmware import skip_without_tools

from pumice.deploy.c.build import TOOLCHAINS, build_firmware
from pumice.deploy.c.engine import record_run
from pumice.deploy.c.tables import compile_tables
from pumice.runtime import Dense, Network, Population, Projection, Readout
from pumice.runtime.engines.run import run

RULES = {
    "integrator": Population("out", (3,), "integrator", voltage_decay=1024, bias=[0, 4, 8]),
    "spikes": Population("out", (3,), threshold=50, voltage_decay=500, bias=[0, 12, 25]),
}


@pytest.mark.parametrize(
    ("decision", "output"), [("max", "integrator"), ("length", "integrator"), ("length", "spikes")]
)
def test_the_firmware_predicts_by_the_readout_rule(
    decision: Any, output: str, tmp_path: Path
) -> None:
    skip_without_tools("c")
    random = np.random.default_rng(0)
    inputs = Population("input", (4,), "input", value_bits=2)
    projection = Projection("all", "input", "out", Dense(2 * random.integers(-9, 10, (3, 4))))
    network = Network((inputs, RULES[output]), (projection,), readout=Readout(decision))
    events = random.integers(0, 4, (6, 20, 4)).astype(np.uint8)
    events[random.random((6, 20)) < 0.5] = 0
    events[4:, ::2], events[:, 3] = 0, 0
    firmware = build_firmware(network, TOOLCHAINS["host"], tmp_path)
    recorded = record_run(network, firmware, {"input": events}, 0)
    for step in range(6):
        trace = run(network, events[: step + 1], "reference")
        assert np.array_equal(recorded.predictions[step], trace.predictions)
    plain = run(replace(network, readout=Readout()), events, "reference")
    assert not np.array_equal(plain.predictions, trace.predictions)
    held = compile_tables(network).buffer_bytes
    assert held - compile_tables(replace(network, readout=Readout())).buffer_bytes == 4 * 3
