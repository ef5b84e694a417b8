"""The single-pass kernels round as the converter's functions and have their gradients."""

import pytest
import torch
from torch import nn

from pumice.convert.quantize import scales
from pumice.train.nn.layer_quantization import QuantizationSettings, quantize_layer
from pumice.train.nn.projections import InputSpec, Projection


def make_projection(kind: str, dtype: torch.dtype) -> Projection:
    torch.manual_seed(4)
    pool = (2, 2) if kind == "pooled" else (1, 1)
    linear: nn.Conv2d | nn.Linear = nn.Linear(40, 7) if kind == "dense" else nn.Conv2d(3, 7, 3)
    norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None
    if kind != "plain":
        norm = nn.BatchNorm1d(7) if kind == "dense" else nn.BatchNorm2d(7)
        assert norm.running_var is not None and norm.running_mean is not None
        nn.init.uniform_(norm.weight, -1, 2)
        nn.init.normal_(norm.bias)
        norm.running_var.uniform_(0.1, 3)
        norm.running_mean.normal_()
    return Projection(InputSpec(("input",), pool), linear, norm).to(dtype)


@pytest.mark.parametrize("kind", ["conv", "pooled", "dense", "plain"])
@pytest.mark.parametrize("bits", [8, 4])
def test_weights_and_gradients_equal_those_of_separate_steps(kind: str, bits: int) -> None:
    settings = QuantizationSettings(bits, 1.0, 0.0)
    projection = make_projection(kind, torch.float32)
    quantized = quantize_layer([projection], settings)
    (weights,) = quantized.weights
    with torch.no_grad():
        folded, bias = projection.fold_batch_norm()
        peak = scales.max_abs(folded)
        scale = scales.population_scale([peak], 1.0, bits, max_abs_bias=float(bias.abs().max()))
        area = 4 if kind == "pooled" else 1  # of the weights that the converter makes of them
        rows = folded.double().abs().flatten(1)
        sum_abs = area * float(rows.sum(dim=1).max())
        sums = scales.WeightSums(peak, sum_abs, area * rows.shape[1], 1)
        exponent = scales.fine_weight_exponent(sums, scale, bits)
        expected = scales.quantize_weights(folded, scale, exponent, bits) * 2.0**exponent
    assert (quantized.scale, quantized.exponents) == (scale, [[exponent]])
    assert torch.equal(weights.detach(), expected)
    gradient = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0))
    parameters = list(projection.parameters())
    found = torch.autograd.grad((weights * gradient).sum(), parameters, allow_unused=True)
    folded, _ = projection.fold_batch_norm()
    direct = torch.autograd.grad((folded * scale * gradient).sum(), parameters, allow_unused=True)
    for one, other in zip(found, direct, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_other_types_take_the_separate_steps() -> None:
    """Weights of one half and one round to the same integers in double precision."""
    quantized = []
    for dtype in (torch.float32, torch.float64):
        projection = make_projection("plain", dtype)
        assert projection.rows is not None
        values = torch.arange(189) / 256  # many of which lie halfway between two integers
        values[-1] = 254 / 256  # so that the scale is 256
        with torch.no_grad():
            projection.rows.copy_(values.view(7, 3, 3, 3))
        quantized.append(quantize_layer([projection], QuantizationSettings(8, 1.0, 0.0)))
    assert torch.equal(quantized[0].weights[0].double(), quantized[1].weights[0])
    assert quantized[0].threshold == quantized[1].threshold
