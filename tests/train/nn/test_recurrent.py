"""Recurrent layers: equal to feed-forward ones with zero recurrent weights, else by hand."""

import pytest
import torch
from torch import Tensor, nn

from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.neuron import NeuronConfig
from pumice.train.nn.projections import InputSpec, Projection
from pumice.train.nn.recurrent import RecurrentLayer

NEURON = NeuronConfig(current_decay=3000, voltage_decay=1000)


def layers(recurrent_weight: float = 0.0) -> tuple[SpikingLayer, RecurrentLayer]:
    """A plain layer, and a recurrent one with the same weights; recurrent ones are constant."""
    torch.manual_seed(3)
    forward, loop = nn.Linear(5, 4), nn.Linear(4, 4, bias=False)
    nn.init.constant_(loop.weight, recurrent_weight)
    projection = Projection(InputSpec(("input",)), forward)
    return SpikingLayer("l", [projection], NEURON, 0.3), RecurrentLayer(
        "l", [projection], loop, NEURON, 0.3
    )


def run_with_gradient(layer: SpikingLayer) -> tuple[Tensor, Tensor]:
    """Spikes of all steps, and the gradient of a sum over them in the forward weights."""
    values = (torch.rand((9, 6, 5), generator=torch.Generator().manual_seed(1)) < 0.5).float()
    layer.zero_grad()
    spikes = layer(values)
    (spikes * torch.linspace(-1, 2, spikes.numel()).view_as(spikes)).sum().backward()
    assert layer.linear.weight.grad is not None
    return spikes.detach(), layer.linear.weight.grad.clone()


@pytest.mark.parametrize("quantized", [False, True])
def test_zero_recurrent_weights_change_neither_spikes_nor_gradients(quantized: bool) -> None:
    plain, recurrent = layers()
    plain.quantized = recurrent.quantized = quantized
    (spikes, gradient), (recurrent_weight, through) = (
        run_with_gradient(plain),
        run_with_gradient(recurrent),
    )
    assert 0.05 < float(spikes.mean()) < 0.95
    assert torch.equal(spikes, recurrent_weight)
    assert torch.allclose(gradient, through, rtol=1e-4, atol=1e-6)


def test_recurrent_spikes_arrive_one_step_later() -> None:
    """Weight 1, threshold 0.5, full decay: a neuron keeps spiking until the input inhibits it."""
    forward, loop = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.ones_(forward.weight)
    nn.init.ones_(loop.weight)
    projection = Projection(InputSpec(("input",)), forward)
    layer = RecurrentLayer("l", [projection], loop, NeuronConfig(4096, 4096), 0.5)
    inputs = torch.tensor([0.0, 1, 0, 0, -1, 0]).view(6, 1, 1)
    for layer.quantized in (False, True):
        assert layer(inputs).flatten().tolist() == [0, 1, 1, 1, 0, 0]


def test_the_gradient_reaches_the_recurrent_weights() -> None:
    layer = layers(0.2)[1]
    layer.quantized = True
    run_with_gradient(layer)
    assert layer.recurrent.linear is not None and layer.recurrent.linear.weight.grad is not None
    assert float(layer.recurrent.linear.weight.grad.abs().sum()) > 0
