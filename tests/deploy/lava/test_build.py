"""The process graph in a plain Lava program, with Lava's sinks and configuration."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo import EVENTS, SAMPLES, TIMESTEPS, ZOO

from pumice.runtime import read_network, write_network
from pumice.runtime.engines import reference

pytestmark = pytest.mark.lava

PROGRAM = """
import sys
import numpy as np
from pumice.deploy.lava import build
from pumice.runtime import read_network

graph = build(read_network(sys.argv[1]), timesteps={timesteps})

from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io import sink, source

steps = graph.schedule.total_steps({timesteps}, {samples})
for name in ("image", "pixels"):
    sent = source.RingBuffer(data=np.load(f"{{sys.argv[2]}}/{{name}}.npy").T)
    graph.feed(name, sent.s_out)
sinks = {{}}
for name in ("answer", "late_conv"):
    neurons = graph.populations[name]
    sinks[name] = sink.RingBuffer(shape=neurons.s_out.shape, buffer=steps)
    neurons.s_out.connect(sinks[name].a_in)
sent.run(RunSteps(steps), Loihi2SimCfg(select_tag="fixed_pt"))
for name, process in sinks.items():
    depth = graph.schedule.depths[name]
    spikes = process.data.get().T[depth : depth + {timesteps} * {samples}]
    np.save(f"{{sys.argv[2]}}/{{name}}.npy", spikes.astype(np.uint8))
sent.stop()
"""


def test_a_process_graph_runs_in_a_plain_lava_program(tmp_path: Path) -> None:
    write_network(tmp_path / "zoo.pumice", ZOO)
    for name, events in EVENTS.items():
        np.save(tmp_path / f"{name}.npy", events.swapaxes(0, 1).reshape(-1, *events.shape[2:]))
    program = PROGRAM.format(timesteps=TIMESTEPS, samples=SAMPLES)
    arguments = [sys.executable, "-W", "error::UserWarning", "-c", program]
    subprocess.run(
        [*arguments, str(tmp_path / "zoo.pumice"), str(tmp_path)], check=True, timeout=120
    )
    expected = reference.run(read_network(tmp_path / "zoo.pumice"), EVENTS)
    for name in ("answer", "late_conv"):
        spikes = np.load(tmp_path / f"{name}.npy")
        by_sample = spikes.reshape(SAMPLES, TIMESTEPS, *spikes.shape[1:])
        assert np.array_equal(by_sample.swapaxes(0, 1), expected.spikes[name])
