import numpy as np
import pytest
import torch
from torch import nn

from pumice.convert.quantize.float_simulator import simulate_float_network
from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime import logits_over_time
from pumice.runtime.engines.reference import run
from pumice.train.models import NeuronOptions
from pumice.train.models.conv import ConvNet
from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.network import SpikingNetwork, to_float_network
from pumice.train.nn.neuron import NeuronConfig
from pumice.train.nn.projections import InputSpec, Projection


def make_network(neuron: NeuronOptions, value_bits: int = 1) -> SpikingNetwork:
    """A network with random parameters and batch norm statistics of data."""
    torch.manual_seed(0)
    network = ConvNet((2, 9, 7), 5, (6, 8), (20,), (3, 5), (1, 2), neuron=neuron)
    network.value_bits = value_bits
    for _ in range(40):
        network(events(value_bits))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def events(value_bits: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(7)
    max_value = (1 << value_bits) - 1
    values = torch.randint(1, max_value + 1, (7, 4, 2, 9, 7), generator=random)
    return (values * (torch.rand(values.shape, generator=random) < 0.3)).float()


@pytest.mark.parametrize("value_bits", [1, 8])
@pytest.mark.parametrize(
    "neuron",
    [
        NeuronOptions(),
        NeuronOptions(current_decay=0.3, voltage_decay=0.1, threshold=0.7),
        NeuronOptions(voltage_decay=1.0, surrogate="atan", weight_bits=4),
    ],
)
def test_the_quantized_forward_pass_equals_the_converted_network(
    neuron: NeuronOptions, value_bits: int
) -> None:
    network = make_network(neuron, value_bits).quantize()
    converted, report = quantize_network(to_float_network(network))
    assert (converted.projections[0].weight_exponent < 0) == (value_bits == 8)
    inputs = events(value_bits)
    trace = run(converted, inputs.numpy().astype(np.uint8))
    with torch.no_grad():
        values = inputs
        for layer, name in zip(network.layers, ("conv1", "conv2", "dense3"), strict=False):
            values = layer(values)
            assert np.array_equal(values.numpy(), trace.spikes[name])
            assert 0.01 < trace.spikes[name].mean() < 0.9
        voltages = network.layers[-1](values).double().numpy() * report[-1].scale * 64
    assert np.array_equal(np.rint(voltages), trace.voltages["output"])
    predictions = network(inputs).cumsum(dim=0).argmax(dim=-1).numpy()
    assert np.array_equal(predictions, logits_over_time(converted, trace).argmax(axis=-1))


def test_float_logits_are_close_to_the_quantized_ones() -> None:
    network = make_network(NeuronOptions()).requires_grad_(False)
    exact = network(events()).sum(dim=0)
    quantized = network.quantize()(events()).sum(dim=0)
    assert not torch.equal(exact, quantized)
    assert float(torch.cosine_similarity(exact.flatten(), quantized.flatten(), dim=0)) > 0.95


@pytest.mark.parametrize("value_bits", [1, 8])
def test_spikes_in_floats_are_close_to_the_integers(value_bits: int) -> None:
    """At 8 bits, a threshold of 17 bits would let currents wrap, and biases be clipped."""
    network = make_network(NeuronOptions(), value_bits)
    converted, _ = quantize_network(to_float_network(network))
    inputs = events(value_bits)
    trace = run(converted, inputs.numpy().astype(np.uint8))
    with torch.no_grad():
        spikes = network.layers[0](inputs).numpy()
    assert np.mean(spikes != trace.spikes["conv1"]) < 0.005


@pytest.mark.parametrize("current_decay", [1.0, 0.3])
def test_training_in_floats_computes_the_float_network(current_decay: float) -> None:
    """A bias is added to the voltage, whatever the current."""
    network = make_network(NeuronOptions(current_decay=current_decay))
    expected = simulate_float_network(to_float_network(network), events().numpy().astype(np.uint8))
    values = events()
    for layer, name in zip(network.layers, ("conv1", "conv2", "dense3"), strict=False):
        with torch.no_grad():
            values = layer(values)
        assert 0.01 < expected[name].mean() < 0.9
        assert np.array_equal(values.numpy(), expected[name])


@pytest.mark.parametrize("bias", [False, True])
def test_the_constant_of_live_batch_norm_is_apart(bias: bool) -> None:
    """Both parts add up to the batch norm of torch, and so do their gradients and statistics."""
    torch.manual_seed(2)
    values = torch.randn(3, 4, 2, 5, 5)
    found = []
    for apart in (False, True):
        torch.manual_seed(1)
        norm = nn.BatchNorm2d(6)
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        projection = Projection(InputSpec(("input",)), nn.Conv2d(2, 6, 3, bias=bias), norm)
        if apart:
            sums, constant = projection.forward_apart(values)
            out = sums + constant.view(-1, 1, 1)
        else:
            out = projection(values)
        weights = torch.linspace(-1, 2, out.numel()).view_as(out)
        gradients = torch.autograd.grad((out**2 * weights).sum(), list(projection.parameters()))
        found.append([out.detach(), *gradients, norm.running_mean, norm.running_var])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_quantization_aware_gradients_reach_every_parameter() -> None:
    network = make_network(NeuronOptions()).quantize()
    network(events()).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and float(parameter.grad.abs().sum()) > 0, name


def test_quantization_freezes_batch_norm_statistics() -> None:
    network = make_network(NeuronOptions()).quantize().train()
    before = {k: v.clone() for k, v in network.state_dict().items() if "running" in k}
    network(events())
    for name, value in before.items():
        assert torch.equal(value, network.state_dict()[name])


def test_a_large_readout_voltage_fits_the_quantized_state() -> None:
    """The voltage range seen in training fits the 24-bit state once quantized."""
    torch.manual_seed(0)
    readout = NeuronConfig(current_decay=4096, voltage_decay=0, spiking=False)
    layer = SpikingLayer("out", [Projection(InputSpec(("input",)), nn.Linear(600, 3))], readout)
    spikes = torch.ones(200, 2, 600)
    exact = layer.train()(spikes).detach()
    layer.quantized = True
    assert float(layer.max_abs_voltage) == float(exact.abs().max())
    assert torch.allclose(layer(spikes).detach(), exact, atol=0.05 * float(layer.max_abs_voltage))
