"""Learned neuron parameters: gradients against autograd through the equations, step by step."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.learned import LEARNED, LearnedParameters
from pumice.train.nn.lif_torch import surrogate_derivative
from pumice.train.nn.neuron import NeuronConfig
from pumice.train.nn.projections import InputSpec, Projection
from pumice.train.nn.recurrent import RecurrentLayer

NEURON = NeuronConfig(current_decay=3000, voltage_decay=1000)
THRESHOLD = 0.4


class Spike(torch.autograd.Function):
    """A step with the triangular surrogate derivative by x = voltage / threshold - 1."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return gradient * surrogate_derivative(x, "triangle")


def simulate(
    activation: Tensor, loop: Tensor | None, du: Tensor, dv: Tensor, threshold: Tensor
) -> Tensor:
    """The neurons in plain torch, with a detached reset; `loop` are recurrent weights."""
    current = voltage = torch.zeros_like(activation[0])
    spikes = torch.zeros_like(current)
    outputs = []
    for increment in activation:
        recurrent = 0 if loop is None else spikes @ loop.T
        current = (1 - du) * current + increment + recurrent
        voltage = (1 - dv) * voltage + current
        spike: Any = Spike.apply
        spikes = spike(voltage / threshold - 1)
        voltage = voltage * (1 - spikes.detach())
        outputs.append(spikes)
    return torch.stack(outputs)


def make_layer(recurrent: bool, learn: Sequence[str] = LEARNED) -> SpikingLayer:
    torch.manual_seed(3)
    forward, loop = nn.Linear(5, 4, bias=False), nn.Linear(4, 4, bias=False)
    projection = Projection(InputSpec(("input",)), forward)
    if recurrent:
        return RecurrentLayer("l", [projection], loop, NEURON, THRESHOLD, learn=learn)
    return SpikingLayer("l", [projection], NEURON, THRESHOLD, learn=learn)


def weigh(spikes: Tensor) -> None:
    """Back-propagate a weighted sum of the spikes."""
    total: Any = (spikes * torch.linspace(-1, 2, spikes.numel()).view_as(spikes)).sum()
    total.backward()


def random_values() -> Tensor:
    return (torch.rand((9, 6, 5), generator=torch.Generator().manual_seed(1)) < 0.5).float()


@pytest.mark.parametrize("recurrent", [False, True])
def test_gradients_are_those_of_the_equations(recurrent: bool) -> None:
    layer = make_layer(recurrent)
    spikes = layer(random_values())
    weigh(spikes)
    assert layer.learned is not None
    raw = {name: layer.learned.raw[name].detach().clone().requires_grad_() for name in LEARNED}
    loop = layer.recurrent.weights.detach() if isinstance(layer, RecurrentLayer) else None
    activation = layer.projection_list[0](random_values()).detach()
    expected = simulate(
        activation,
        loop,
        raw["current_decay"].sigmoid(),
        raw["voltage_decay"].sigmoid(),
        raw["threshold"].exp(),
    )
    assert (
        torch.equal(spikes.detach(), expected.detach())
        and 0.05 < float(spikes.detach().mean()) < 0.95
    )
    weigh(expected)
    for name in LEARNED:
        mine, theirs = layer.learned.raw[name].grad, raw[name].grad
        assert mine is not None and theirs is not None and float(theirs.abs()) > 1e-3
        assert torch.allclose(mine, theirs, rtol=1e-3), name


@pytest.mark.parametrize("recurrent", [False, True])
def test_quantized_gradients_have_the_sign_and_size_of_those_in_floats(recurrent: bool) -> None:
    gradients = []
    for quantized in (False, True):
        layer = make_layer(recurrent)
        layer.quantized = quantized
        weigh(layer(random_values()))
        assert layer.learned is not None
        raw: Any = layer.learned.raw
        gradients.append(torch.stack([raw[name].grad for name in LEARNED]))
    assert torch.allclose(gradients[0], gradients[1], rtol=0.1)


def test_initial_values_are_those_of_the_neuron_and_survive_training_steps() -> None:
    layer = make_layer(False)
    assert abs(layer.neuron.current_decay - 3000) <= 1
    assert abs(layer.neuron.voltage_decay - 1000) <= 1
    assert layer.threshold == pytest.approx(THRESHOLD)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05)
    weigh(layer(random_values()))
    optimizer.step()
    assert layer.threshold != pytest.approx(THRESHOLD) and layer.threshold > 0
    assert layer.neuron.voltage_decay != 1000 and 0 < layer.neuron.voltage_decay < 4096
    population, _ = layer.to_float((4,), {"input": (5,)})
    assert population.threshold == layer.threshold
    assert population.voltage_decay == layer.neuron.voltage_decay / 4096


def test_the_ends_of_a_decay_can_be_learned_from() -> None:
    ends = LearnedParameters(("current_decay", "voltage_decay"), NeuronConfig(4096, 0), 1.0)
    config = ends.configure(NeuronConfig())
    assert (config.current_decay, config.voltage_decay) == (4095, 1)
    assert ends.threshold(0.7) == 0.7
