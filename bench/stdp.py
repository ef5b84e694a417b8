"""How long a step of STDP takes: `python -m bench.stdp`, a minute, on one thread.

Beside SpikingJelly's and BindsNET's learners on the same sizes where they are installed. Theirs are
dense and homogeneous: they have no constants of a synapse's own, so they do less on more synapses.
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
from pumice.train.hrsnn import HrsnnOptions
from pumice.train.hrsnn.stdp import sample_stdp_params, stdp_update, zero_traces
from pumice.train.hrsnn.wiring import PopulationSizes, Wiring

SIZES = {500: 50, 2000: 200}  # neurons: synapses into each
GOALS = {500: 0.5, 2000: 7.0}  # ms
RATE = 0.1  # spikes a neuron and step
Spikes = NDArray[np.float32]


def pumice_step(neurons: int, degree: int) -> Callable[[Spikes], object]:
    """Return a step of this project's rule, all constants of a synapse's own."""
    random = np.random.default_rng(0)
    sources = np.argsort(random.random((neurons, neurons)), axis=1)[:, :degree].reshape(-1) + 1
    targets = np.repeat(np.arange(neurons), degree)
    classes = np.ones(targets.size, np.int32)
    wiring = Wiring(PopulationSizes(1, neurons - 1, 1), sources, targets, classes)
    most = np.ones(targets.size)
    rule = sample_stdp_params(wiring, HrsnnOptions(plastic=("ee",)), most, random)
    weights, traces = random.random(targets.size).astype(np.float32), zero_traces(rule, 1)

    def one(spikes: Spikes) -> None:
        pre = np.concatenate([np.zeros((1, 1), np.float32), spikes], axis=1)
        stdp_update(wiring, rule, weights, traces, pre, spikes)

    return one


def spikingjelly_step(neurons: int, degree: int) -> Callable[[Spikes], object]:
    """Return a step of SpikingJelly's `STDPLearner` on a dense layer."""
    import torch
    from spikingjelly.activation_based import layer, learning, neuron

    synapse, sink = layer.Linear(neurons, neurons, bias=False), neuron.IFNode()
    learner = learning.STDPLearner("s", synapse, sink, tau_pre=15.0, tau_post=25.0)

    def one(spikes: Spikes) -> None:
        with torch.no_grad():
            sink(synapse(torch.from_numpy(spikes)))
            change: Any = learner.step(on_grad=False)
            synapse.weight += 0.01 * change

    return one


def bindsnet_step(neurons: int, degree: int) -> Callable[[Spikes], object]:
    """Return a step of BindsNET's `PostPre` on a dense connection."""
    import torch
    from bindsnet.learning import PostPre
    from bindsnet.network.nodes import Input
    from bindsnet.network.topology import Connection

    source, target = Input(n=neurons, traces=True), Input(n=neurons, traces=True)
    connection = Connection(source, target, update_rule=PostPre, nu=(1e-2, 1e-2), wmin=0, wmax=1)
    for nodes in (source, target):
        nodes.set_batch_size(1)

    def one(spikes: Spikes) -> None:
        given = torch.from_numpy(spikes).bool()
        source.forward(given)
        target.forward(given)
        connection.update(learning=True)

    return one


def time_step_ms(one: Callable[[Spikes], object], neurons: int, steps: int) -> float:
    """Return the median time of a step."""
    random, times = np.random.default_rng(1), []
    for _ in range(steps + 5):
        spikes = (random.random((1, neurons)) < RATE).astype(np.float32)
        since = time.perf_counter()
        one(spikes)
        times.append(time.perf_counter() - since)
    return 1000 * float(np.median(times[5:]))


def main() -> None:
    """Time all that is installed, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps")
    steps = 20 if parser.parse_args().quick else 200
    print("| neurons, synapses | goal | pumice | SpikingJelly, dense | BindsNET, dense |")
    print("|---|---|---|---|---|")
    for neurons, degree in SIZES.items():
        cells = []
        for made in (pumice_step, spikingjelly_step, bindsnet_step):
            try:
                found = time_step_ms(made(neurons, degree), neurons, steps)
                cells.append(f"{found:.2f} ms")
            except ImportError as error:
                cells.append(f"left out: no {error.name}")
        goal = f"{GOALS[neurons]} ms"
        print(f"| {neurons}, {neurons * degree:,} | {goal} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
