"""How long a large network takes to convert, and to run for a step; run `python -m bench.large_network`.

SEW-ResNet-18 at 128 by 128 pixels, 876,544 neurons and the read-out: made, lowered and rounded to a
`Network`, laid out for the fast engine and run for one step, each with its seconds and the most
memory that the process held up to then. `--width` and `--size` take a smaller one, `--quick` a tiny
one.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime import Network
from pumice.runtime.engines import cpu
from pumice.train.models.sew_resnet import SEWResNet18
from pumice.train.nn.batch_norm import recalibrate_batch_norm
from pumice.train.nn.network import SpikingNetwork, to_float_network

CLASSES = 101
Result = TypeVar("Made")


def measure(width: int, size: int, timesteps: int) -> dict[str, Any]:
    """Return seconds and peak memory of every part, and what was made."""
    report: dict[str, Any] = {"width": width, "size": size, "timesteps": timesteps}

    def timed(what: str, make: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        made = make()
        report[what] = {
            "seconds": round(time.perf_counter() - start, 3),
            "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3),
        }
        return made

    torch.manual_seed(0)
    random = np.random.default_rng(0)
    events = (random.random((timesteps, 1, 2, size, size)) < 0.2).astype(np.uint8)
    network = timed("make", lambda: _make_network(width, events))
    chip = timed("convert", lambda: _convert(network))
    timed("lay out", lambda: cpu.engine.compiled_network(chip))
    timed("first run", lambda: cpu.run(chip, events, "output", 1))
    trace = timed("second run", lambda: cpu.run(chip, events, "output", 1))
    spikes = sum(int(counts.sum()) for name, counts in trace.counts.items() if name != "input")
    neurons = sum(p.neurons for p in chip.topological_order if p.kind == "cuba")
    return report | {"neurons": neurons, "projections": len(chip.projections), "spikes": spikes}


def _make_network(width: int, events: NDArray[np.uint8]) -> SpikingNetwork:
    network = SEWResNet18(events.shape[2:], CLASSES, width, stem="large")
    recalibrate_batch_norm(network, [torch.from_numpy(events).float()])  # or it would be silent
    return network.eval()


def _convert(network: SpikingNetwork) -> Network:
    return quantize_network(to_float_network(network))[0]


def main() -> None:
    """Measure, and print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--timesteps", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    width, size = (8, 64) if given.quick else (given.width, given.size)
    print(json.dumps(measure(width, size, given.timesteps), indent=1))


if __name__ == "__main__":
    main()
