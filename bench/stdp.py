"""Time per step of STDP: `python -m bench.stdp`, one minute, on one thread.

Compares with the learners of SpikingJelly and BindsNET on the same sizes if they are installed.
Those are dense and homogeneous: they update more synapses, without parameters per synapse.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bench.torchvision_stub  # noqa: F401
from bench.results import Table, add_json_option, print_table, write_result
from pumice.train.hrsnn import HrsnnOptions
from pumice.train.hrsnn.stdp import sample_stdp_params, stdp_update, zero_traces
from pumice.train.hrsnn.wiring import PopulationSizes, Wiring

SIZES = {500: 50, 2000: 200}  # neurons: synapses per neuron
GOALS = {500: 0.5, 2000: 7.0}  # ms
RATE = 0.1  # spikes per neuron and step
Spikes = NDArray[np.float32]


def pumice_step(neurons: int, degree: int) -> Callable[[Spikes], object]:
    """Build a step of pumice's rule, with all parameters per synapse."""
    random = np.random.default_rng(0)
    sources = np.argsort(random.random((neurons, neurons)), axis=1)[:, :degree].reshape(-1) + 1
    targets = np.repeat(np.arange(neurons, dtype=np.int32), degree)
    classes = np.ones(targets.size, np.int32)
    wiring = Wiring(PopulationSizes(1, neurons - 1, 1), sources, targets, classes)
    w_max = np.ones(targets.size)
    rule = sample_stdp_params(wiring, HrsnnOptions(plastic=("ee",)), w_max, random)
    weights, traces = random.random(targets.size).astype(np.float32), zero_traces(rule, 1)

    def step(spikes: Spikes) -> None:
        pre = np.concatenate([np.zeros((1, 1), np.float32), spikes], axis=1)
        stdp_update(wiring, rule, weights, traces, pre, spikes)

    return step


def spikingjelly_step(neurons: int, degree: int) -> Callable[[Spikes], object]:
    """Build a step of SpikingJelly's `STDPLearner` on a dense layer."""
    import torch
    from spikingjelly.activation_based import layer, learning, neuron

    synapse, sink = layer.Linear(neurons, neurons, bias=False), neuron.IFNode()
    learner = learning.STDPLearner("s", synapse, sink, tau_pre=15.0, tau_post=25.0)

    def step(spikes: Spikes) -> None:
        with torch.no_grad():
            sink(synapse(torch.from_numpy(spikes)))
            change: Any = learner.step(on_grad=False)
            synapse.weight += 0.01 * change

    return step


def bindsnet_step(neurons: int, degree: int) -> Callable[[Spikes], object]:
    """Build a step of BindsNET's `PostPre` on a dense connection."""
    import torch
    from bindsnet.learning import PostPre
    from bindsnet.network.nodes import Input
    from bindsnet.network.topology import Connection

    source, target = Input(n=neurons, traces=True), Input(n=neurons, traces=True)
    connection = Connection(source, target, update_rule=PostPre, nu=(1e-2, 1e-2), wmin=0, wmax=1)
    for nodes in (source, target):
        nodes.set_batch_size(1)

    def step(spikes: Spikes) -> None:
        active = torch.from_numpy(spikes).bool()
        source.forward(active)
        target.forward(active)
        connection.update(learning=True)

    return step


def time_step_ms(step: Callable[[Spikes], object], neurons: int, steps: int) -> float:
    """Median time per step in milliseconds."""
    random, times = np.random.default_rng(1), []
    for _ in range(steps + 5):
        spikes = (random.random((1, neurons)) < RATE).astype(np.float32)
        start = time.perf_counter()
        step(spikes)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[5:]))


def main() -> None:
    """Time all installed implementations and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    add_json_option(parser)
    arguments = parser.parse_args()
    steps, rows = 20 if arguments.quick else 200, []
    for neurons, degree in SIZES.items():
        cells = []
        for build in (pumice_step, spikingjelly_step, bindsnet_step):
            try:
                milliseconds = time_step_ms(build(neurons, degree), neurons, steps)
                cells.append(f"{milliseconds:.2f} ms")
            except ImportError as error:
                cells.append(f"skipped: no {error.name}")
        rows.append([f"{neurons:,}", f"{neurons * degree:,}", f"{GOALS[neurons]} ms", *cells])
    columns = ("neurons", "synapses", "goal", "pumice", "SpikingJelly, dense", "BindsNET, dense")
    table = Table("Time per step", columns, rows)
    print_table(table)
    write_result(arguments.json, "stdp", [table])


if __name__ == "__main__":
    main()
