"""A training step against SpikingJelly's: `.venv-peers/bin/python -m bench.training_step`.

The small convolutional network at four time steps, forward, backward and update, and the neuron
alone, forward and backward over 8.4 million element-steps; both in one run on one thread, taking
turns. Before it is timed, SpikingJelly's network is given the same weights and must give the same
logits. Without SpikingJelly (`make peers` installs it) only ours is timed. `--quick` repeats less.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numba
import torch
from torch import Tensor, nn

import bench.torchvision_stub  # noqa: F401
from pumice.train.losses.cross_entropy import cross_entropy
from pumice.train.models import ConvOptions, build_model
from pumice.train.nn.network import SpikingNetwork
from pumice.train.nn.neuron import NeuronConfig, lif

TIMESTEPS, BATCH, SHAPE, CLASSES = 4, 32, (2, 34, 34), 10
OPTIONS = ConvOptions(channels=(16, 32), kernels=(3, 3), strides=(2, 2), hidden=(512,))
NEURONS = (TIMESTEPS, 32, 65536)  # 8.4 million element-steps
STEP_LIMIT, NEURON_LIMIT = 1.0, 0.25  # ours, as a share of SpikingJelly's time

Step = Callable[[], object]


def main() -> None:
    """Time both, print both and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="five rounds instead of forty")
    rounds = 5 if parser.parse_args().quick else 40
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    torch.manual_seed(0)
    events = (torch.rand(TIMESTEPS, BATCH, *SHAPE) < 0.1).float()
    labels = torch.randint(0, CLASSES, (BATCH,))
    ours = build_model(OPTIONS, SHAPE, CLASSES, 1)
    steps: dict[str, Step] = {"pumice": training_step(ours, events, labels)}
    neurons: dict[str, Step] = {"pumice": neuron_step(pumice_neurons)}
    try:
        theirs = spikingjelly_network(ours)
        check_same_logits(ours, theirs, events)
        steps["SpikingJelly"] = training_step(theirs, events, labels, make_reset(theirs))
        neurons["SpikingJelly"] = neuron_step(spikingjelly_neurons())
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: ours alone (make peers installs it)")
    quantised = build_model(OPTIONS, SHAPE, CLASSES, 1).quantize()
    steps["pumice, as integers"] = training_step(quantised, events, labels)
    print_times("training step", time_steps(steps, rounds), STEP_LIMIT)
    print_times("neuron alone", time_steps(neurons, rounds), NEURON_LIMIT)


def training_step(
    network: nn.Module, events: Tensor, labels: Tensor, reset: Step = lambda: None
) -> Step:
    """Return what does one step of training: forward, backward, update."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        cross_entropy(network(events), labels).backward()
        optimiser.step()
        reset()

    return step


def neuron_step(layer: Callable[[Tensor], Tensor]) -> Step:
    """Return what runs a layer of neurons forward and backward."""
    given = torch.randn(NEURONS).requires_grad_()
    gradient = torch.randn(NEURONS)

    def step() -> None:
        given.grad = None
        layer(given).backward(gradient)

    return step


def pumice_neurons(activation: Tensor) -> Tensor:
    """Run our neurons, which lose half of their voltage each step."""
    return lif(activation, activation.new_zeros(()), 1.0, NeuronConfig(), False)


def spikingjelly_neurons() -> Callable[[Tensor], Tensor]:
    """Return SpikingJelly's neurons of the same rule, in its torch backend."""
    from spikingjelly.activation_based import functional

    node = spikingjelly_node()

    def run(activation: Tensor) -> Tensor:
        spikes: Tensor = node(activation)
        functional.reset_net(node)
        return spikes

    return run


def spikingjelly_node() -> Any:
    """Return neurons that lose half of their voltage a step, in the default backend, torch."""
    from spikingjelly.activation_based import neuron, surrogate

    return neuron.LIFNode(
        tau=2.0,
        decay_input=False,
        v_threshold=1.0,
        v_reset=0.0,
        surrogate_function=surrogate.PiecewiseQuadratic(alpha=1.0),
        detach_reset=True,
        step_mode="m",
    )


def spikingjelly_network(ours: SpikingNetwork) -> nn.Module:
    """Return the same network of SpikingJelly's layers, with the same weights."""
    from spikingjelly.activation_based import layer

    parts: list[nn.Module] = []
    for node in ours.layer_list:
        way: Any = node.projection_list[0]  # type: ignore[union-attr]
        linear = way.linear
        if isinstance(linear, nn.Conv2d):
            sizes = linear.in_channels, linear.out_channels, linear.kernel_size, linear.stride
            made = layer.Conv2d(*sizes, linear.padding, bias=False, step_mode="m")
            norm = layer.BatchNorm2d(linear.out_channels, step_mode="m")
        else:
            if not any(isinstance(part, layer.Flatten) for part in parts):
                parts.append(layer.Flatten(step_mode="m"))
            last = linear.bias is not None
            made = layer.Linear(linear.in_features, linear.out_features, last, step_mode="m")
            norm = None if last else BatchNormOverSteps(nn.BatchNorm1d(linear.out_features))
        made.load_state_dict(linear.state_dict())
        parts += [made, *([norm, spikingjelly_node()] if norm is not None else [])]
    return nn.Sequential(*parts)


class BatchNormOverSteps(nn.Module):
    """Batch norm of flat layers over all steps at once; SpikingJelly's own wants images."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.norm = norm

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.norm(values.flatten(0, 1)).view(values.shape)
        return result


def make_reset(network: nn.Module) -> Step:
    """Return what brings SpikingJelly's network back to silence."""
    from spikingjelly.activation_based import functional

    return lambda: functional.reset_net(network)


def check_same_logits(ours: nn.Module, theirs: nn.Module, events: Tensor) -> None:
    """Stop unless both networks give the same logits, up to a rare spike at the very threshold."""
    with torch.no_grad():
        one, other = ours(events), theirs(events)
    make_reset(theirs)()
    off = float((one - other).abs().mean() / one.abs().mean())
    print(f"logits differ by {off:.1e} of their size")
    if off > 1e-2:
        raise SystemExit("the networks are not the same: no comparison")


def time_steps(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Return the median seconds of each; they take turns, after two rounds that are not counted."""
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 2):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            took[name].append(time.perf_counter() - began)
    return {name: statistics.median(times[2:]) for name, times in took.items()}


def print_times(what: str, seconds: dict[str, float], limit: float) -> None:
    """Print the times, and ours as a share of theirs."""
    for name, each in seconds.items():
        print(f"{what:15}{name:22}{1000 * each:9.2f} ms")
    if "SpikingJelly" in seconds:
        share = seconds["pumice"] / seconds["SpikingJelly"]
        verdict = "met" if share <= limit else "MISSED"
        print(f"{what:15}ours / SpikingJelly   {share:9.2f}     {verdict} (<= {limit:g})")


if __name__ == "__main__":
    main()
