from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pumice.runtime import Population, lif_step
from pumice.runtime.population import Kind
from pumice.train.nn.neuron import NeuronConfig, Surrogate, lif

SHAPE = (6, 3, 4, 5, 2)  # timesteps, batch, channels, height, width


MODELS = ((True, "zero"), (True, "subtract"), (False, "zero"))  # spiking, reset


def activation(seed: int, size: int) -> Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(-size, size, SHAPE)).float()


def run_runtime(
    values: Tensor, bias: Tensor, threshold: int, neuron: NeuronConfig
) -> NDArray[np.int64]:
    """Outputs of the runtime's arithmetic for the same activations."""
    kind: Kind = "cuba" if neuron.spiking else "integrator"
    mantissa = bias.reshape(-1).numpy().astype(np.int64)
    population = Population(
        "p",
        SHAPE[2:],
        kind,
        neuron.current_decay,
        neuron.voltage_decay,
        threshold,
        mantissa,
        0,
        reset=neuron.reset,
        reset_value=max(threshold, 1) if neuron.soft else 0,
    )
    current = voltage = np.zeros(SHAPE[1:], np.int64)
    outputs = []
    for increment in values.numpy().astype(np.int64):
        current, voltage, spikes = lif_step(population, current, voltage, increment)
        outputs.append(spikes if neuron.spiking else voltage)
    return np.stack(outputs).astype(np.int64)


@pytest.mark.parametrize("decays", [(4096, 2048), (1024, 0), (0, 4096), (3001, 17)])
@pytest.mark.parametrize("size", [300, 130_000, 260_000])
@pytest.mark.parametrize(("spikes", "reset"), MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("threshold", [200, 0])
def test_the_integer_forward_pass_equals_the_runtime_arithmetic(
    decays: tuple[int, int],
    size: int,
    spikes: bool,
    reset: Any,
    dtype: torch.dtype,
    threshold: int,
) -> None:
    neuron = NeuronConfig(*decays, spiking=spikes, reset=reset)
    bias = torch.tensor([-4000.0, 0.0, 77.0, 4095.0]).view(-1, 1, 1)
    values = activation(1, size)
    out = lif(values.to(dtype), bias.to(dtype), threshold, neuron, integers=True)
    expected = run_runtime(values, bias, threshold, neuron)
    assert np.array_equal(out.numpy().astype(np.int64), expected)
    assert not spikes or size < 1000 or 0 < expected.sum() < expected.size


def test_a_neuron_spikes_above_the_threshold_not_at_it() -> None:
    values = torch.tensor([[[100.0, 101.0]], [[0.0, 0.0]]])
    out = lif(values, torch.zeros(()), 100, NeuronConfig(4096, 0), integers=True)
    assert out.tolist() == [[[0.0, 1.0]], [[0.0, 0.0]]]


@pytest.mark.parametrize("surrogate", ["triangle", "rectangle", "atan", "fast_sigmoid"])
@pytest.mark.parametrize(("spikes", "reset"), MODELS)
def test_the_compiled_kernel_and_torch_agree_forward_and_backward(
    surrogate: Surrogate, spikes: bool, reset: Any
) -> None:
    neuron = NeuronConfig(1500, 700, surrogate, spikes, reset)
    results = []
    for dtype in (torch.float32, torch.float64):
        values = (activation(2, 100).to(dtype) / 64).requires_grad_()
        bias = torch.full((4, 1, 1), 0.25, dtype=dtype, requires_grad=True)
        out = lif(values, bias, 1.0, neuron, integers=False)
        weight = torch.linspace(-1, 1, out.numel(), dtype=dtype).view_as(out)
        gradients = torch.autograd.grad((out * weight).sum(), (values, bias))
        results.append((out.detach(), *gradients))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=2e-4, atol=2e-4)


def test_the_gradient_of_an_integrator_matches_finite_differences() -> None:
    neuron = NeuronConfig(1024, 512, spiking=False)
    values = torch.randn(4, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bias = torch.zeros(3, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda a, b: lif(a, b, 1.0, neuron, integers=False),
        (values.requires_grad_(), bias.requires_grad_()),
    )


def test_the_gradient_through_two_steps_by_hand() -> None:
    # v = (0.5, 1.25); both below or above 1: slopes of the triangle 0.5 and 0.75.
    # The reset is detached and step 1 did not fire, so v_2 carries half of v_1.
    values = torch.tensor([[[0.5]], [[1.0]]], requires_grad=True)
    out = lif(values, torch.zeros(()), 1.0, NeuronConfig(4096, 2048), integers=False)
    (gradient,) = torch.autograd.grad(out.sum(), values)
    assert out.flatten().tolist() == [0.0, 1.0]
    assert gradient.flatten().tolist() == [0.5 + 0.5 * 0.75, 0.75]


def test_soft_reset_through_two_steps_by_hand() -> None:
    # v = 1.5, which leaves 0.5; then 0.25 + 0.5 = 0.75. Slopes of the triangle 0.5 and 0.75.
    # The subtraction is detached, so that v_2 carries half of v_1 though step 1 fired.
    neuron = NeuronConfig(4096, 2048, reset="subtract")
    values = torch.tensor([[[1.5]], [[0.5]]], requires_grad=True)
    out = lif(values, torch.zeros(()), 1.0, neuron, integers=False)
    (gradient,) = torch.autograd.grad(out.sum(), values)
    assert out.flatten().tolist() == [1.0, 0.0]
    assert gradient.flatten().tolist() == [0.5 + 0.5 * 0.75, 0.75]
