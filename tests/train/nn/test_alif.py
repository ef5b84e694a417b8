"""Adaptive thresholds in training: numbers by hand, equality with the engines, and gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from traces import assert_same
from trained import make_network, run_layers, to_integers

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.convert.quantize.float_simulator import simulate_float_network
from pumice.runtime import Network, Population, Trace
from pumice.runtime.arithmetic import neuron_step
from pumice.runtime.config import validate
from pumice.runtime.engines import cpu, reference
from pumice.runtime.errors import RecipeError
from pumice.train.models.layer_options import LayersOptions
from pumice.train.nn.alif import alif
from pumice.train.nn.network import SpikingNetwork, to_float_network
from pumice.train.nn.neuron import NeuronConfig

SHAPE = (6, 3, 4, 5, 2)  # timesteps, batch, channels, height, width
ALIF = {"reset": "adaptive", "voltage_decay": 0.2, "threshold": 0.4, "threshold_step": 0.3}
TABLES: dict[str, dict[str, Any]] = {
    "conv": {"channels": (4, 6), "hidden": (24,), "neuron": ALIF},
    "recurrent": {"channels": (4, 6), "hidden": (24, 16), "recurrent": True, "neuron": ALIF},
    "layers": {
        "neuron": {**ALIF, "weight_bits": 7, "current_decay": 0.6},
        "layers": [
            {"kind": "conv", "channels": 4, "kernel": 3, "delays": [0, 2], "stride": 2},
            {"kind": "conv", "channels": 4, "shortcuts": ["conv1"], "threshold_step": 1.0},
            {"kind": "conv", "channels": 4, "recurrent": True, "refractory_decay": 0.9},
            {"kind": "max_pool", "kernel": 2},
            {"kind": "dense", "neurons": 12, "reset": "subtract"},
            {"kind": "dense", "neurons": 12, "recurrent": True, "threshold_decay": 0.0},
            {"kind": "readout"},
        ],
    },
}
INPUT = (2, 16, 16)


def adaptive(random: np.random.Generator) -> NeuronConfig:
    """Neurons with drawn decays, the bounds among them."""
    current, voltage, threshold, refractory = (
        int(random.choice([0, 17, 1024, 3001, 4096])) for _ in range(4)
    )
    return NeuronConfig(
        current, voltage, "triangle", True, "adaptive", 0.3, threshold, refractory
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_integer_forward_pass_equals_the_runtime_arithmetic(
    seed: int, dtype: torch.dtype
) -> None:
    random = np.random.default_rng(seed)
    neuron, size = adaptive(random), (300, 30_000, 200_000)[seed % 3]
    threshold, step = (0, 200, 5000)[seed % 3], int(random.integers(0, 3000))
    values = random.integers(-size // 2, size, SHAPE)
    bias = random.integers(-500, 500, (SHAPE[2], 1, 1))
    population = Population(
        "p", SHAPE[2:], "cuba", neuron.current_decay, neuron.voltage_decay, threshold,
        bias.ravel(), 0, reset="adaptive", threshold_step=step,
        threshold_decay=neuron.threshold_decay, refractory_decay=neuron.refractory_decay,
    )  # fmt: skip
    states = tuple(np.zeros(SHAPE[1:], np.int64) for _ in population.states)
    activation, biases = torch.from_numpy(values).to(dtype), torch.from_numpy(bias).to(dtype)
    spikes = alif(activation, biases, float(threshold), float(step), neuron, True)
    for now, increment in enumerate(values):
        states, sent = neuron_step(population, states, increment)
        assert np.array_equal(spikes[now].numpy(), sent)
    assert 0.02 < float(spikes.mean()) < 0.98


def test_float_spikes_by_hand() -> None:
    """Threshold 2, step 1, no leak: 3 spikes, then the sum has to reach 2 + o + r.

    After the spike o = 1 and r = 4, which halve: 2 + 0.5 + 2 > 4, 2 + 0.25 + 1 < 4 spikes again,
    then o = 1.25 / 2 = 0.625 and r = (1 + 2 * 2.25) / 2 = 2.75, whose sum with 2 is above 5.
    """
    neuron = NeuronConfig(4096, 0, "triangle", True, "adaptive", 0.5, 2048, 2048)
    values = torch.tensor([3.0, 1.0, 0.0, 1.0]).view(-1, 1, 1)
    spikes = alif(values, torch.zeros(()), 2.0, 1.0, neuron, False)
    assert spikes.flatten().tolist() == [1, 0, 1, 0]


def test_the_gradient_is_that_of_autograd_with_a_detached_adaptation() -> None:
    """Each spike, by the surrogate derivative at its lead; the voltage is kept at a spike."""
    torch.manual_seed(2)
    neuron = NeuronConfig(2000, 900, "atan", True, "adaptive", 0.4, 700, 1500)
    values = (torch.randn(9, 4, 5, dtype=torch.float64) + 0.5).requires_grad_()
    bias = torch.randn(5, dtype=torch.float64).mul(0.1).requires_grad_()
    weights = torch.randn(9, 4, 5, dtype=torch.float64)
    backward(alif(values, bias, 0.8, 0.32, neuron, False) * weights)
    found = values.grad, bias.grad
    values.grad = bias.grad = None
    backward(straight_through(values, bias, 0.8, 0.32, neuron) * weights)
    for one, other in zip(found, (values.grad, bias.grad), strict=True):
        assert one is not None and other is not None and bool(one.any())
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def backward(values: Tensor) -> None:
    values.sum().backward()  # type: ignore[no-untyped-call]


def straight_through(
    values: Tensor, bias: Tensor, threshold: float, step: float, neuron: NeuronConfig
) -> Tensor:
    keep = [
        1 - each / 4096
        for each in (
            neuron.current_decay,
            neuron.voltage_decay,
            neuron.threshold_decay,
            neuron.refractory_decay,
        )
    ]
    current = voltage = raised = refractory = torch.zeros_like(values[0])
    outputs = []
    for now in values:
        current = keep[0] * current + now
        voltage = keep[1] * voltage + current + bias
        raised, refractory = keep[2] * raised, keep[3] * refractory
        lead = (voltage - raised - refractory) / threshold - 1
        spikes = (lead.detach() >= 0).double()
        smooth = torch.atan(torch.pi * lead) / torch.pi
        refractory = refractory + spikes * 2 * (threshold + raised)
        raised = raised + spikes * step
        outputs.append(spikes + smooth - smooth.detach())
    return torch.stack(outputs)


def random_events(timesteps: int = 8, batch: int = 3) -> Tensor:
    random = np.random.default_rng(5)
    return torch.from_numpy(random.random((timesteps, batch, *INPUT)) < 0.3).float()


def make_trained(name: str) -> SpikingNetwork:
    network = make_network(TABLES[name], INPUT)
    with torch.no_grad():
        network.train()(random_events(batch=8))
    return network.eval()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("engine", [reference.run, cpu.run, run_onnx])
def test_every_spike_of_the_engines_is_that_of_the_quantized_network(
    name: str, engine: Callable[[Network, np.ndarray], Trace]
) -> None:
    network, values = make_trained(name), random_events()
    integers, events = to_integers(network), values.numpy().astype(np.uint8)
    trace = engine(integers, events)
    outputs = run_layers(network, values)
    for layer in network.layer_list[:-1]:
        assert 0.01 < trace.spikes[layer.name].mean() < 0.95, layer.name
        assert np.array_equal(outputs[layer.name], trace.spikes[layer.name]), layer.name
    assert_same(trace, reference.run(integers, events))
    resets = {population.reset for population in integers.populations}
    assert "adaptive" in resets


@pytest.mark.parametrize("name", ["conv", "recurrent"])
def test_floats_are_those_of_the_exported_float_network(name: str) -> None:
    network, values = make_trained(name), random_events()
    simulated = simulate_float_network(to_float_network(network), values.numpy().astype(np.uint8))
    with torch.no_grad():
        logits = network(values).cumsum(dim=0).numpy()
    changed = np.abs(simulated["output"] - logits).max(axis=(0, 2)) > 1e-3 * np.abs(logits).max()
    assert changed.mean() <= 0.34  # a batch of 3; float32 may decide at a threshold


def test_weights_learn_through_the_rounding() -> None:
    network, values = make_trained("recurrent").train(), random_events(batch=8)
    labels = torch.arange(8) % 4
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for step in range(30):
        network.quantize(step >= 15)
        loss = torch.nn.functional.cross_entropy(network(values).mean(dim=0), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[14] < 0.8 * losses[0] and losses[-1] < 0.8 * losses[15]


@pytest.mark.parametrize(
    ("neuron", "layer", "message"),
    [
        ({"threshold_step": 0.2}, {}, 'threshold_step needs reset = "adaptive"'),
        ({**ALIF, "learn": ["threshold"]}, {}, 'reset = "adaptive" learns no threshold'),
        ({**ALIF, "threshold_step": 1.5}, {}, "threshold_step"),
        ({}, {"refractory_decay": 0.1}, "dense1: refractory_decay needs reset"),
    ],
)
def test_options_that_contradict_each_other_are_errors(
    neuron: dict[str, Any], layer: dict[str, Any], message: str
) -> None:
    layers = [{"kind": "dense", "neurons": 4, **layer}]
    with pytest.raises(RecipeError, match=message):
        validate(LayersOptions, {"layers": layers, "neuron": neuron}, "recipe")
