"""Sigma-delta layers in training: numbers by hand, equality with the engines, and gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from traces import assert_same
from trained import make_network, run_layers, to_integers

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.convert.quantize.float_simulator import simulate_float_network
from pumice.deploy.lava import run as run_lava
from pumice.runtime import Network, Trace
from pumice.runtime.engines import cpu, reference
from pumice.runtime.errors import NetworkError, RecipeError
from pumice.train.models import LayerNet, NeuronOptions
from pumice.train.nn.network import SpikingNetwork, to_float_network
from pumice.train.nn.projections import InputSpec, Projection
from pumice.train.nn.sigma_delta import DeltaLayer, SigmaDeltaLayer, SigmaReadout, add_encoder

SIGMA_DELTA = {"kind": "sigma_delta", "threshold": 0.3}
TABLES: dict[str, dict[str, Any]] = {
    "conv": {"channels": (4, 6), "hidden": (24,), "neuron": SIGMA_DELTA},
    "learned": {"hidden": (24,), "neuron": {**SIGMA_DELTA, "learn": ["threshold"]}},
    "vgg9": {"name": "vgg9", "width": 4, "hidden": 12, "neuron": SIGMA_DELTA},
    "layers": {
        "neuron": {**SIGMA_DELTA, "input_threshold": 2, "weight_bits": 7},
        "layers": [
            {"kind": "conv", "channels": 4, "kernel": [3, 5], "stride": [2, 1], "delays": [0, 2]},
            {"kind": "conv", "channels": 4, "shortcuts": ["conv1"], "threshold": 0.05},
            {"kind": "conv", "channels": 4, "pool": [1, 2], "norm": False, "weight_bits": 5},
            {"kind": "dense", "neurons": 12, "delays": [1], "dropout": 0.2},
            {"kind": "readout", "delays": [0, 1]},
        ],
    },
}
SHAPE = (2, 16, 16)


def random_values(timesteps: int = 6, batch: int = 2, top: int = 3) -> Tensor:
    """Slowly changing integers from 0 to `top`, float32 (timesteps, batch, *SHAPE)."""
    random = np.random.default_rng(3)
    values = random.integers(0, top + 1, (timesteps, batch, *SHAPE))
    for now in range(1, timesteps):
        kept = random.random(values[now].shape) < 0.7
        values[now][kept] = values[now - 1][kept]
    return torch.from_numpy(values).float()


def make_trained(name: str) -> SpikingNetwork:
    """A network of two bits an input value, whose largest sums were observed."""
    network = make_network(TABLES[name], SHAPE)
    network.value_bits = 2
    with torch.no_grad():
        network.train()(random_values(batch=4))
    return network.eval()


def test_the_encoder_sends_what_was_worked_out_by_hand() -> None:
    """In floats: 1.0 is sent, 1.25 is not (0.25 < 0.5), 0.5 is (-0.5), 0.875 is not, 2 is."""
    layer = DeltaLayer(threshold=0.5)
    values = torch.tensor([1.0, 1.25, 0.5, 0.875, 2.0]).view(-1, 1, 1)
    assert layer(values).flatten().tolist() == [1.0, 1.0, 0.5, 0.5, 2.0]


def test_integers_of_one_neuron_worked_out_by_hand() -> None:
    """Weights of 1, threshold 1, input 3, 3, 4, 0.

    The encoder has scale 1, so that 3 is 3 * 4096 = 12288, whose message is 12288 >> 6 = 192. A
    weight of 1 has 64 * scale units, 254 at the finest scale of 254 / 64 = 3.96875; the read-out
    then has 15.75, within the 2048 of unknown sums. The sum of 192 is 254 * 192 = 48768, its
    message 48768 >> 6 = 762. The threshold of 1 is round(3.96875) = 4, in units of the sum
    4 * 4096 = 16384: of the input 4, 254 * 256 = 65024, the change 16256 is not sent; of the input
    0 the change is -48768.
    """
    linear, read = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    for module in (linear, read):
        nn.init.constant_(module.weight, 1.0)
    layer = SigmaDeltaLayer("a", [Projection(InputSpec(("input",)), linear)], threshold=1.0)
    readout = SigmaReadout("output", [Projection(InputSpec(("a",)), read)])
    network = SpikingNetwork(add_encoder([layer, readout], 0.0), (1,), 3).eval().quantize()
    events = torch.tensor([3.0, 3.0, 4.0, 0.0]).view(-1, 1, 1)
    assert network.features(events).flatten().tolist() == [762, 762, 762, 0]
    integers = to_integers(network)
    trace = reference.run(integers, events.numpy().astype(np.uint8))
    assert trace.spikes["delta"].ravel().tolist() == [192, 0, 64, -256]
    assert trace.spikes["a"].ravel().tolist() == [762, 0, 0, -762]
    assert integers.population("a").threshold == 4


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "engine", [reference.run, cpu.run, run_onnx, pytest.param(run_lava, marks=pytest.mark.lava)]
)
def test_every_message_of_the_engines_is_that_of_the_quantized_network(
    name: str, engine: Callable[[Network, np.ndarray], Trace]
) -> None:
    if engine is run_lava and name not in ("conv", "layers"):
        pytest.skip("two networks are enough in Lava")
    network, values = make_trained(name), random_values()
    integers, events = to_integers(network), values.numpy().astype(np.uint8)
    trace = engine(integers, events)
    outputs = run_layers(network, values)
    for layer in network.layer_list[:-1]:
        sums = outputs[layer.name].astype(np.int64)
        messages = np.diff(sums, axis=0, prepend=np.zeros_like(sums[:1]))
        assert np.count_nonzero(messages), layer.name
        assert np.array_equal(messages, trace.spikes[layer.name]), layer.name
    assert_same(trace, reference.run(integers, events))
    unit = 4096 * network.readout_layer.scale  # type: ignore[operator]
    voltages = np.rint(outputs["output"].astype(np.float64) * unit)
    assert np.array_equal(voltages, trace.voltages["output"])


@pytest.mark.parametrize("name", TABLES)
def test_floats_are_those_of_the_exported_float_network(name: str) -> None:
    network, values = make_trained(name), random_values()
    simulated = simulate_float_network(to_float_network(network), values.numpy().astype(np.uint8))
    with torch.no_grad():
        logits = network(values).cumsum(dim=0).numpy()
    assert np.allclose(simulated["output"], logits, atol=2e-3 * np.abs(logits).max())


def test_without_a_threshold_it_is_a_network_of_rectified_units() -> None:
    network, values = make_trained("conv"), random_values()
    layers = [layer for layer in network.layer_list if isinstance(layer, SigmaDeltaLayer)]
    for layer in layers:
        layer.initial_threshold = 0.0
    with torch.no_grad():
        found = network(values).cumsum(dim=0)
        hidden = values
        for layer in layers:
            hidden = layer.projection_list[0](hidden).relu()
        expected = network.readout_layer.projection_list[0](hidden)
    assert torch.allclose(found, expected, atol=1e-5)


def test_thresholds_and_weights_learn_through_the_rounding() -> None:
    network = make_trained("learned").train()
    values = random_values(batch=8)
    labels = torch.arange(8) % 4
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses, activities = [], []
    for step in range(24):
        network.quantize(step >= 12)
        logits = network(values)
        loss = functional.cross_entropy(logits.sum(dim=0), labels) + 0.05 * network.activity()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
        activities.append(float(network.activity().detach()))
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.abs().sum() > 0), name
    assert losses[-1] < 0.7 * losses[0] and activities[-1] < activities[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recurrent": True}, "dense3: is recurrent, which sigma_delta neurons are not"),
        ({"name": "vgg9", "pool": "max"}, "takes spikes, but sigma_delta neurons send changes"),
        ({"name": "sew_resnet18"}, "reads the sum of"),
    ],
)
def test_networks_that_need_spikes_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make_network({**options, "neuron": SIGMA_DELTA})


@pytest.mark.parametrize(
    ("neuron", "layers", "message"),
    [
        ({"reset": "subtract"}, [], "reset is of neurons that spike"),
        ({"learn": ["voltage_decay"]}, [], "is all that sigma_delta neurons learn"),
        ({"kind": "cuba", "input_threshold": 2}, [], "needs kind"),
        ({}, [{"kind": "max_pool"}], "max_pool1: takes spikes"),
        ({}, [{"kind": "conv", "channels": 2, "recurrent": True}], "conv1: recurrent is of"),
        ({}, [{"kind": "conv", "channels": 2, "voltage_decay": 1}], "conv1: voltage_decay is of"),
        ({}, [{"kind": "readout", "voltage_decay": 0.1}], "adds up changes, so it cannot leak"),
    ],
)
def test_options_of_neurons_that_spike_are_refused(
    neuron: dict[str, Any], layers: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises((RecipeError, ValueError), match=message):
        neurons = NeuronOptions(**{"kind": "sigma_delta", **neuron})
        LayerNet(SHAPE, 4, layers or [{"kind": "conv", "channels": 2}], neurons)
