"""Convert and run a large network: `python -m bench.large_network`.

SEW-ResNet-18 at 128 by 128 pixels has 876,544 neurons and the read-out. It is built, quantized,
compiled for the CPU engine and run for one step; each phase reports its seconds and the peak memory
of the process. `--width` and `--size` select a smaller network, `--quick` a tiny one.
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

from bench.results import Table, add_json_option, write_result
from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime import Network
from pumice.runtime.engines import cpu
from pumice.train.models.sew_resnet import SEWResNet18
from pumice.train.nn.batch_norm import recalibrate_batch_norm
from pumice.train.nn.network import SpikingNetwork, to_float_network

CLASSES = 101
Result = TypeVar("Result")


def measure(width: int, size: int, timesteps: int) -> dict[str, Any]:
    """Measure the seconds and the peak memory of every phase."""
    report: dict[str, Any] = {"width": width, "size": size, "timesteps": timesteps}

    def time_phase(phase: str, work: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = work()
        report[phase] = {
            "seconds": round(time.perf_counter() - start, 3),
            "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3),
        }
        return result

    torch.manual_seed(0)
    random = np.random.default_rng(0)
    events = (random.random((timesteps, 1, 2, size, size)) < 0.2).astype(np.uint8)
    network = time_phase("build", lambda: _make_network(width, events))
    chip = time_phase("convert", lambda: _convert(network))
    time_phase("compile", lambda: cpu.engine.compiled_network(chip))
    time_phase("first run", lambda: cpu.run(chip, events, "output", 1))
    trace = time_phase("second run", lambda: cpu.run(chip, events, "output", 1))
    spikes = sum(int(counts.sum()) for name, counts in trace.counts.items() if name != "input")
    neurons = sum(p.neurons for p in chip.topological_order if p.kind == "cuba")
    return report | {"neurons": neurons, "projections": len(chip.projections), "spikes": spikes}


def _make_network(width: int, events: NDArray[np.uint8]) -> SpikingNetwork:
    network = SEWResNet18(events.shape[2:], CLASSES, width, stem="large")
    recalibrate_batch_norm(network, [torch.from_numpy(events).float()])  # or it would not spike
    return network.eval()


def _convert(network: SpikingNetwork) -> Network:
    return quantize_network(to_float_network(network))[0]


def main() -> None:
    """Measure and print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--timesteps", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    add_json_option(parser)
    arguments = parser.parse_args()
    width, size = (8, 64) if arguments.quick else (arguments.width, arguments.size)
    report = measure(width, size, arguments.timesteps)
    print(json.dumps(report, indent=1))
    write_result(arguments.json, "large_network", [tabulate(report)])


def tabulate(report: dict[str, Any]) -> Table:
    """Tabulate seconds and peak memory by phase."""
    phases = {name: each for name, each in report.items() if isinstance(each, dict)}
    return Table(
        f"SEW-ResNet-18 of width {report['width']} at {report['size']} x {report['size']} pixels",
        ("phase", "seconds", "peak memory so far, GB"),
        [[name, each["seconds"], each["peak_gigabytes"]] for name, each in phases.items()],
    )


if __name__ == "__main__":
    main()
