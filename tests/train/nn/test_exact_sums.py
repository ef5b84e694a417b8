"""Quantized training is the chip's arithmetic on any device: sums are exact, or refused."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pumice.runtime.errors import EngineError, NetworkError
from pumice.train.models.conv import ConvNet
from pumice.train.nn import exact_sums
from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.neuron import NeuronConfig, lif
from pumice.train.nn.projections import InputSpec, Projection
from pumice.train.nn.recurrent import RecurrentLayer

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def forget_devices() -> Iterator[None]:
    exact_sums._checked_devices.clear()
    yield
    exact_sums._checked_devices.clear()


def integers(dtype: torch.dtype) -> Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(-90_000, 90_000, (5, 3, 70))).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spiking", [True, False])
def test_errors_up_to_the_bound_give_the_exact_integers(dtype: torch.dtype, spiking: bool) -> None:
    sums = integers(dtype)
    errors = torch.rand(sums.shape, generator=torch.Generator().manual_seed(1)).to(dtype) / 2 - 0.25
    neuron = NeuronConfig(3000, 100, spiking=spiking)
    bias = torch.full((70,), 33.0, dtype=dtype)
    expected = lif(sums, bias, 4000, neuron, integers=True)
    errors[0, 0, :2] = torch.tensor([0.25, -0.25])
    assert torch.equal(lif(sums + errors, bias, 4000, neuron, integers=True), expected)
    assert expected.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("error", [0.28125, -0.5, 0.7, float("nan"), float("inf")])
def test_a_single_error_beyond_the_bound_is_refused(dtype: torch.dtype, error: float) -> None:
    sums = integers(dtype)
    sums[3, 2, 69] = 1000 + error
    with pytest.raises(EngineError, match="cpu: a sum of integers is off by more than 0.25"):
        lif(sums, torch.zeros(70, dtype=dtype), 4000, NeuronConfig(), integers=True)


def test_recurrent_layers_round_and_refuse_too(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    own = Projection(InputSpec(("input",)), nn.Linear(6, 8))
    layer = RecurrentLayer("r", [own], nn.Linear(8, 8, bias=False), NeuronConfig())
    layer.quantized = True
    spikes = (torch.rand(6, 4, 6) < 0.5).float()
    expected = layer(spikes)
    assert expected.any()
    linear, error = functional.linear, 0.0

    def inexact(*arguments: Any) -> Tensor:
        return linear(*arguments) + error

    monkeypatch.setattr(functional, "linear", inexact)
    exact_sums._checked_devices.add(CPU)
    error = 0.1  # twice, from the input and from the spikes: 0.2
    assert torch.equal(layer(spikes), expected)
    error = 0.2
    with pytest.raises(EngineError, match="off by more than"):
        layer(spikes)


def truncate_like_tf32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Multiply with mantissas of 10 bits, as tensor cores do."""

    def rounded(values: Tensor, weights: Tensor, *others: Any) -> Tensor:
        if weights.dtype == torch.float32:
            bits = weights.view(torch.int32) + 0x1000
            weights = (bits & ~0x1FFF).view(torch.float32)
            values = (values.view(torch.int32) & ~0x1FFF).view(torch.float32)
            return function(values, weights * (1 + 2**-11), *others)
        return function(values, weights, *others)

    return rounded


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("conv2d", "3x3 convolutions"),
        ("conv_transpose2d", "transposed convolutions"),
    ],
)
def test_a_device_with_rounded_products_is_refused_by_the_kernel(
    name: str, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact_sums.check_device(CPU)
    exact_sums._checked_devices.clear()
    original = getattr(functional, name)
    monkeypatch.setattr(functional, name, truncate_like_tf32(original))
    network = ConvNet((2, 9, 7), 5, (6,), (20,), 3, 1).quantize()
    with pytest.raises(EngineError, match=f"cpu: {kernel} of float32 are off by"):
        network(torch.zeros(2, 1, 2, 9, 7))


def test_the_check_runs_once_for_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    exact_sums.check_device(CPU)
    monkeypatch.setattr(functional, "conv2d", None)
    exact_sums.check_device(CPU)
    exact_sums.check_device(torch.device("meta"))


def test_reduced_precision_is_kept_out_and_restored() -> None:
    torch.manual_seed(0)
    network = ConvNet((2, 9, 7), 5, (6,), (20,), 3, 1).quantize()
    events = (torch.rand(3, 2, 2, 9, 7) < 0.4).float()
    expected = network(events)
    backends: Any = torch.backends
    matmul = backends.mkldnn.matmul
    before = matmul.fp32_precision
    try:
        matmul.fp32_precision = "bf16"
        with torch.autocast("cpu", torch.bfloat16):
            found = network(events)
        assert matmul.fp32_precision == "bf16"
    finally:
        matmul.fp32_precision = before
    assert found.dtype == torch.float32 and torch.equal(found, expected)


def test_sums_beyond_the_integers_of_float32_are_refused_by_the_layer() -> None:
    """520 * 254 * 127 = 16,774,160 is below 2^24 = 16,777,216, and 521 inputs are above."""
    for inputs, fits in ((520, True), (521, False)):
        linear = nn.Linear(inputs, 3, bias=False)
        nn.init.constant_(linear.weight, 1.0)
        layer = SpikingLayer("wide", [Projection(InputSpec(("input",)), linear)], NeuronConfig())
        layer.quantized, layer.event_peak = True, 127
        events = torch.zeros(1, 1, inputs)
        if fits:
            layer(events)
            continue
        with pytest.raises(NetworkError, match="wide: its sums can reach 16,806,418, but"):
            layer(events)


def test_binary_events_are_bounded_by_their_bits() -> None:
    """As 8-bit values the sums of so many inputs could not be told to be exact."""
    network = ConvNet((2, 90, 90), 3, (), (4,))
    with torch.no_grad():
        network.readout_layer.linear.weight.fill_(1.0)
        layer = network.layer_list[0]
        assert isinstance(layer, SpikingLayer)
        layer.linear.weight.fill_(1.0)
    events = torch.zeros(1, 1, 2, 90, 90)
    network.quantize().eval()(events)
    network.value_bits = 8
    with pytest.raises(NetworkError, match="its sums can reach"):
        network(events)
