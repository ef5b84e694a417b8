"""Training on one GPU beside SpikingJelly: `.venv-peers/bin/python -m bench.gpu`, under 8 minutes.

First, exactness: the fused kernels against the compiled kernels of the CPU (integers bit for bit,
floats and gradients to 1e-5), and quantized networks, whose logits on the device must be those of
the CPU bit for bit. Then time and memory of training steps (forward, backward, update): neurons
alone, the small convolutional network and SEW-ResNet-18 at 128 x 128, in floats, compiled, in
bfloat16 and in integers. SpikingJelly's small net has the same layers and weights; it chooses the
kernels of its neurons itself, the native or Triton's on CUDA devices (SJ_LIF_CUDA_IMPLEMENTATION).
`--device cpu` runs the same on the CPU, `--quick` on small shapes.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

import bench.torchvision_stub  # noqa: F401
from bench.results import Cell, Table, add_json_option, print_table, write_result
from bench.training_step import spikingjelly_network, spikingjelly_node
from pumice.train.losses.cross_entropy import cross_entropy
from pumice.train.models import ConvOptions, build_model
from pumice.train.models.options import SEWResNetOptions
from pumice.train.nn.exact_sums import check_device
from pumice.train.nn.network import SpikingNetwork
from pumice.train.nn.neuron import NeuronConfig, run_backward, run_forward

CLASSES = 10
FLOAT_TOLERANCE = 1e-5
NO_GPU = "bench.gpu: no CUDA device is found; nothing was measured; try it on the CPU: --device cpu"

Step = Callable[[], object]


@dataclass(frozen=True)
class Size:
    """Shapes of the benchmark: element-steps of neurons, batches and rounds of each step."""

    neurons: tuple[int, int, int]
    small_batch: int
    large_batch: int
    large_side: int
    large_timesteps: int
    rounds: int


FULL = Size((16, 32, 65_536), 128, 16, 128, 16, 30)
QUICK = Size((3, 2, 700), 4, 2, 32, 2, 2)


def main() -> int:
    """Check exactness, measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="torch device")
    parser.add_argument("--quick", action="store_true", help="small shapes, two rounds")
    add_json_option(parser)
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return 2
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    size = QUICK if options.quick else FULL
    tables = [check_exactness(device), *measure(device, size)]
    for table in tables:
        print_table(table)
    write_result(options.json, "gpu", tables, accelerator=name)
    return 0


def check_exactness(device: torch.device) -> Table:
    """Compare neurons and quantized networks with the CPU; raises `SystemExit` where they differ.

    The sums of matrix products and convolutions are checked by `check_device`, which raises
    `EngineError`.
    """
    check_device(device)
    rows: list[list[Cell]] = []
    for neuron in (NeuronConfig(), NeuronConfig(reset="subtract"), NeuronConfig(spiking=False)):
        kind = "integrator" if not neuron.spiking else f"reset {neuron.reset}"
        values = compare_neurons(device, neuron)
        rows.append([f"neurons, {kind}", values, "equal"])
    for name, network, shape in quantized_networks():
        rows.append([f"quantized {name}", compare_network(device, network, shape), "equal"])
    return Table("Exactness against the CPU", ("what", "values compared", "result"), rows)


def compare_neurons(device: torch.device, neuron: NeuronConfig) -> int:
    """Compare kernels of neurons; returns the number of values."""
    generator = torch.Generator().manual_seed(0)
    compared = 0
    for integers, scale, threshold in ((True, 300.0, 12_800.0), (False, 1.0, 1.0)):
        values = torch.randn((7, 5, 3000), generator=generator) * scale
        values = values.round() if integers else values
        bias = (torch.randn(3000, generator=generator) * scale).round()
        gradient = torch.randn(values.shape, generator=generator)
        out = run_forward(values, bias, threshold, neuron, integers)
        expected = *out, *run_backward(gradient, out[1], threshold, 1.0, neuron)
        states = gradient.to(device), out[1].to(device)
        found = (
            *run_forward(values.to(device), bias.to(device), threshold, neuron, integers),
            *run_backward(*states, threshold, 1.0, neuron),
        )
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            exact = integers and place < 2
            tolerance = 0.0 if exact else FLOAT_TOLERANCE
            if not torch.allclose(one.cpu(), other, rtol=tolerance, atol=tolerance):
                raise SystemExit(f"{device}: neurons {neuron} differ from those of the CPU")
            compared += other.numel()
    return compared


def quantized_networks() -> Iterator[tuple[str, SpikingNetwork, tuple[int, int, int]]]:
    """Quantized networks and shapes of their input."""
    torch.manual_seed(1)
    shape = (2, 34, 34)
    yield "conv net", build_model(ConvOptions(), shape, CLASSES, 1).quantize(), shape
    options = SEWResNetOptions(name="sew_resnet18", width=16)
    shape = (2, 32, 32)
    yield "SEW-ResNet-18", build_model(options, shape, CLASSES, 1).quantize(), shape


@torch.no_grad()
def compare_network(
    device: torch.device, network: SpikingNetwork, shape: tuple[int, int, int]
) -> int:
    """Compare the logits of a quantized network; returns their number."""
    network.eval()
    events = (torch.rand(6, 16, *shape, generator=torch.Generator().manual_seed(2)) < 0.2).float()
    expected: Tensor = network(events)
    found = network.to(device)(events.to(device)).cpu()
    if not torch.equal(found, expected) or not expected.any():
        raise SystemExit(f"{device}: {type(network).__name__} differs from that of the CPU")
    return expected.numel()


def measure(device: torch.device, size: Size) -> Iterator[Table]:
    """Time the neurons and two networks."""
    yield time_table("Neurons alone", device, size.rounds, neuron_steps(device, size))
    small = ConvOptions(channels=(16, 32), hidden=(512,))
    events = draw_events(device, 4, size.small_batch, (2, 34, 34))
    yield time_table("Small net", device, size.rounds, network_steps(small, events, peer=True))
    large = SEWResNetOptions(name="sew_resnet18", stem="large")
    side = size.large_side
    events = draw_events(device, size.large_timesteps, size.large_batch, (3, side, side))
    yield time_table("SEW-ResNet-18", device, size.rounds, network_steps(large, events, peer=False))


def draw_events(
    device: torch.device, timesteps: int, batch: int, shape: tuple[int, int, int]
) -> Tensor:
    """Draw binary events, a tenth of them 1."""
    generator = torch.Generator().manual_seed(3)
    return (torch.rand(timesteps, batch, *shape, generator=generator) < 0.1).float().to(device)


def neuron_steps(device: torch.device, size: Size) -> Iterator[tuple[str, Step]]:
    """Forward and backward passes of a layer of neurons, 16 timesteps each."""
    inputs = torch.randn(size.neurons, device=device).requires_grad_()
    gradient = torch.randn(size.neurons, device=device)

    def run(layer: Callable[[Tensor], Tensor]) -> Step:
        def step() -> None:
            inputs.grad = None
            layer(inputs).backward(gradient)  # type: ignore[no-untyped-call]

        return step

    bias = inputs.new_zeros(())
    yield "pumice", run(lambda x: run_forward(x, bias, 1.0, NeuronConfig(), False)[0])
    if has_peer():
        yield "SpikingJelly", run(resetting(spikingjelly_node().to(device)))


def has_peer() -> bool:
    """True where SpikingJelly is installed."""
    if find_spec("spikingjelly"):
        return True
    print("SpikingJelly is not installed: timing pumice only (make peers installs it)")
    return False


def resetting(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """`layer`, whose states are reset before each call."""
    from spikingjelly.activation_based import functional

    def run(values: Tensor) -> Tensor:
        functional.reset_net(layer)
        result: Tensor = layer(values)
        return result

    return run


def network_steps(options: Any, events: Tensor, peer: bool) -> Iterator[tuple[str, Step]]:
    """Training steps of the network of `options` on `events`, and of SpikingJelly's like it."""
    shape, device = tuple(events.shape[2:]), events.device
    torch.manual_seed(0)
    ours = build_model(options, shape, CLASSES, 1).to(device)
    yield "pumice", training_step(ours, ours, events)
    torch._dynamo.reset()  # else shapes of another network count as dynamic
    compiled = torch.compile(ours, dynamic=False)
    yield "pumice, compiled", training_step(ours, compiled, events)
    yield "pumice, bfloat16", training_step(ours, ours, events, torch.bfloat16)
    if peer and has_peer():
        theirs = spikingjelly_network(ours).to(device)
        yield "SpikingJelly", training_step(theirs, resetting(theirs), events)
    yield "pumice, integers", training_step(ours.quantize(), ours, events)


def training_step(
    module: nn.Module, call: Callable[[Tensor], Tensor], events: Tensor, dtype: Any = None
) -> Step:
    """Forward pass by `call`, backward pass and update of the weights of `module`."""
    labels = torch.arange(events.shape[1], device=events.device) % CLASSES
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(events.device.type, dtype, enabled=dtype is not None):
            logits = call(events).float()
        cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def time_table(
    title: str, device: torch.device, rounds: int, steps: Iterator[tuple[str, Step]]
) -> Table:
    """Median time of each step, one after another, and the most memory that it held."""
    rows: list[list[Cell]] = []
    for name, step in steps:
        seconds, memory = time_step(device, rounds, step)
        rows.append([name, 1000 * seconds, 1 / seconds, memory / 1e6 if memory else None])
    return Table(title, ("step", "ms", "steps per s", "memory, MB"), rows)


def time_step(device: torch.device, rounds: int, step: Step) -> tuple[float, int]:
    """Median seconds of `step`, and its peak of memory in bytes (0 on the CPU)."""
    for _ in range(3):
        step()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times: list[float] = []
    for _ in range(rounds):
        synchronize(device)
        start = time.perf_counter()
        step()
        synchronize(device)
        times.append(time.perf_counter() - start)
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return statistics.median(times), memory


def synchronize(device: torch.device) -> None:
    """Wait for the work of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    sys.exit(main())
