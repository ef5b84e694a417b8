"""Time a training step against SpikingJelly: `.venv-peers/bin/python -m bench.training_step`.

Measures the small convolutional network at four timesteps (forward, backward and update) and the
neuron layer (forward and backward over 8.4 million element-steps), on one thread, with both
libraries taking turns. SpikingJelly's network has the same weights and must give the same logits
before it is timed. Without SpikingJelly (`make peers` installs it) only pumice is timed. `--quick`
uses fewer repetitions.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, cast

import numba
import torch
from torch import Tensor, nn

import bench.torchvision_stub  # noqa: F401
from bench.results import Cell, Table, add_json_option, print_table, write_result
from pumice.train.losses.cross_entropy import cross_entropy
from pumice.train.models import ConvOptions, build_model
from pumice.train.nn.network import SpikingNetwork
from pumice.train.nn.neuron import NeuronConfig, lif

TIMESTEPS, BATCH, SHAPE, CLASSES = 4, 32, (2, 34, 34), 10
OPTIONS = ConvOptions(channels=(16, 32), kernels=(3, 3), strides=(2, 2), hidden=(512,))
NEURONS = (TIMESTEPS, 32, 65536)  # 8.4 million element-steps
STEP_LIMIT, NEURON_LIMIT = 0.8, 0.25  # maximum ratio of pumice's time to SpikingJelly's
INTEGER_LIMIT = 1.3  # maximum ratio of a step in integers to one in floats

Step = Callable[[], object]


def main() -> None:
    """Time both libraries; print the times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="five rounds instead of forty")
    add_json_option(parser)
    arguments = parser.parse_args()
    rounds = 5 if arguments.quick else 40
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
        print(f"{error.name} is not installed: timing pumice only (make peers installs it)")
    quantised = build_model(OPTIONS, SHAPE, CLASSES, 1).quantize()
    steps["pumice, as integers"] = training_step(quantised, events, labels)
    tables = [
        tabulate("Training step", time_steps(steps, rounds), STEP_LIMIT),
        tabulate("Neuron layer alone", time_steps(neurons, rounds), NEURON_LIMIT),
    ]
    for table in tables:
        print_table(table)
    write_result(arguments.json, "training_step", tables)


def training_step(
    network: nn.Module, events: Tensor, labels: Tensor, reset: Step = lambda: None
) -> Step:
    """Build one training step: forward, backward, update."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(network(events), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        reset()

    return step


def neuron_step(layer: Callable[[Tensor], Tensor]) -> Step:
    """Build a forward and backward pass of a neuron layer."""
    inputs = torch.randn(NEURONS).requires_grad_()
    gradient = torch.randn(NEURONS)

    def step() -> None:
        inputs.grad = None
        layer(inputs).backward(gradient)  # type: ignore[no-untyped-call]

    return step


def pumice_neurons(activation: Tensor) -> Tensor:
    """Run pumice's LIF neurons with a voltage decay of 0.5."""
    return lif(activation, activation.new_zeros(()), 1.0, NeuronConfig(), False)


def spikingjelly_neurons() -> Callable[[Tensor], Tensor]:
    """Build SpikingJelly's neurons with the same dynamics, in its torch backend."""
    from spikingjelly.activation_based import functional

    node = spikingjelly_node()

    def run(activation: Tensor) -> Tensor:
        spikes: Tensor = node(activation)
        functional.reset_net(node)
        return spikes

    return run


def spikingjelly_node() -> Any:
    """Build LIF neurons with a voltage decay of 0.5, in the default backend, torch."""
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
    """Build the same network from SpikingJelly's layers, with the same weights."""
    from spikingjelly.activation_based import layer

    parts: list[nn.Module] = []
    for node in ours.layer_list:
        projection: Any = cast(Any, node).projection_list[0]
        linear = projection.linear
        if isinstance(linear, nn.Conv2d):
            sizes = linear.in_channels, linear.out_channels, linear.kernel_size, linear.stride
            module = layer.Conv2d(*sizes, linear.padding, bias=False, step_mode="m")
            norm = layer.BatchNorm2d(linear.out_channels, step_mode="m")
        else:
            if not any(isinstance(part, layer.Flatten) for part in parts):
                parts.append(layer.Flatten(step_mode="m"))
            last = linear.bias is not None
            module = layer.Linear(linear.in_features, linear.out_features, last, step_mode="m")
            norm = None if last else BatchNormOverSteps(nn.BatchNorm1d(linear.out_features))
        module.load_state_dict(linear.state_dict())
        parts += [module, *([norm, spikingjelly_node()] if norm is not None else [])]
    return nn.Sequential(*parts)


class BatchNormOverSteps(nn.Module):
    """Batch norm of flat layers over all steps at once; SpikingJelly's own requires images."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.norm = norm

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.norm(values.flatten(0, 1)).view(values.shape)
        return result


def make_reset(network: nn.Module) -> Step:
    """Build a function that resets the state of SpikingJelly's network."""
    from spikingjelly.activation_based import functional

    return lambda: functional.reset_net(network)


def check_same_logits(ours: nn.Module, theirs: nn.Module, events: Tensor) -> None:
    """Exit unless both networks give the same logits, up to rare spikes at the threshold."""
    with torch.no_grad():
        logits, expected = ours(events), theirs(events)
    make_reset(theirs)()
    error = float((logits - expected).abs().mean() / logits.abs().mean())
    print(f"relative difference of the logits: {error:.1e}")
    if error > 1e-2:
        raise SystemExit("the networks differ and cannot be compared")


def time_steps(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Median seconds of each step; they take turns, after two warm-up rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 2):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times[2:]) for name, times in seconds.items()}


def tabulate(title: str, seconds: dict[str, float], limit: float) -> Table:
    """Tabulate the times and their ratios to SpikingJelly's; the note compares with the limit."""
    other = seconds.get("SpikingJelly")
    rows: list[list[Cell]] = [
        [name, f"{1000 * each:.2f}", f"{each / other:.2f}" if other else None]
        for name, each in seconds.items()
    ]
    note = ""
    if other:
        ratio = seconds["pumice"] / other
        verdict = "met" if ratio <= limit else "missed"
        note = f"Goal: at most {limit:g} of SpikingJelly's time; {verdict} with {ratio:.2f}."
    if "pumice, as integers" in seconds:
        ratio = seconds["pumice, as integers"] / seconds["pumice"]
        verdict = "met" if ratio <= INTEGER_LIMIT else "missed"
        note += f" In integers at most {INTEGER_LIMIT:g} of the time in floats; {verdict} with "
        note += f"{ratio:.2f}."
    return Table(title, ("library", "ms", "of SpikingJelly's time"), rows, note)


if __name__ == "__main__":
    main()
