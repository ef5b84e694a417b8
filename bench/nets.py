"""Networks for benchmarks of engines, with thresholds that give every population the same rate."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import shapes
from bench.peers import incoming_terms, integrate_and_fire, to_torch
from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse

TIMESTEPS = 10


def pilotnet() -> Network:
    """PilotNet as published: 66 x 200 x 3, five convolutions, four dense layers."""
    random = np.random.default_rng(0)
    image: shapes.Shape = (3, 66, 200)
    layers: list[tuple[str, Conv | Dense, shapes.Shape]] = []
    for channels, side, stride in ((24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1)):
        source = layers[-1][2] if layers else image
        weights = shapes.random_weights(random, 8, channels, source[0], side, side)
        conv = Conv(weights, (stride, stride))
        layers.append((f"conv{len(layers)}", conv, conv.target_shape(source)))
    for outputs in (100, 50, 10, 1):
        weights = shapes.random_weights(random, 8, outputs, int(np.prod(layers[-1][2])))
        layers.append((f"dense{outputs}", Dense(weights), (outputs,)))
    return shapes.chain(image, layers)


def recurrent(neurons: int = 2000, inputs: int = 500) -> Network:
    """Recurrent network: connection probability 0.05 recurrent and 0.1 from inputs; ten outputs."""
    random = np.random.default_rng(0)

    def sparse(targets: int, sources: int, density: float) -> Sparse:
        rows, columns = np.nonzero(random.random((targets, sources)) < density)
        weights = shapes.random_weights(random, 8, rows.size)
        return Sparse(weights, rows, columns, (targets, sources))

    return Network(
        (
            Population("input", (inputs,), "input"),
            Population("middle", (neurons,)),
            Population("output", (10,)),
        ),
        (
            Projection("in", "input", "middle", sparse(neurons, inputs, 0.1)),
            Projection("again", "middle", "middle", sparse(neurons, neurons, 0.05), delay=1),
            Projection(
                "out", "middle", "output", Dense(shapes.random_weights(random, 8, 10, neurons))
            ),
        ),
    )


def sew_resnet18() -> Network:
    """SEW-ResNet-18 at 32 x 32, with a spiking output layer."""
    network = shapes.sew_resnet18(32, 64, 10)
    last = Population("classes", (10,))
    return Network((*network.populations[:-1], last), network.projections)


NETS: dict[str, Callable[[], Network]] = {
    "conv 34x34": lambda: shapes.conv_net((2, 34, 34), (2, 2), 512),
    "pilotnet": pilotnet,
    "sew-resnet18 32x32": sew_resnet18,
    "recurrent 2000": recurrent,
}


def random_events(network: Network, rate: float, batch: int, seed: int = 1) -> NDArray[np.uint8]:
    """Random events, uint8 (timesteps, batch, *input shape), each 1 with probability `rate`."""
    shape = (TIMESTEPS, batch, *network.inputs[0].shape)
    return (np.random.default_rng(seed).random(shape, np.float32) < rate).astype(np.uint8)


def calibrate_rates(network: Network, rate: float) -> Network:
    """Replace the neurons of `network` by integrate-and-fire neurons that spike at about `rate`.

    Thresholds are calibrated population by population on random events of that rate; delayed
    projections are fed random events as well.
    """
    import torch

    values = {network.inputs[0].name: torch.from_numpy(random_events(network, rate, 2)).float()}
    populations = {p.name: p for p in network.populations}
    for population in network.topological_order:
        drive: Any = 0
        for term in incoming_terms(network, population.name):
            inputs: list[Any] = [
                torch.from_numpy(
                    np.random.default_rng(2).random((TIMESTEPS, 2, *populations[source].shape))
                    < rate
                ).float()
                if term.delay
                else values[source]
                for source in term.sources
            ]
            drive = drive + to_torch(term.connection)(sum(inputs[1:], inputs[0]).flatten(0, 1))
        drive = drive.view(TIMESTEPS, 2, *population.shape)
        low, high = 0, 100_000
        while high - low > 1:
            middle = (low + high) // 2
            spike_rate = float(integrate_and_fire(drive, middle).mean())
            low, high = (middle, high) if spike_rate > rate else (low, middle)
        values[population.name] = integrate_and_fire(drive, high)
        populations[population.name] = replace(
            population, current_decay=4096, voltage_decay=0, threshold=high
        )
    return Network(tuple(populations.values()), network.projections, network.output)
