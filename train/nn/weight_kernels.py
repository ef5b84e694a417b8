"""Quantization of weights with batch norm folded in, forward and backward, in single passes.

The forward pass rounds as `pumice.convert.quantize.scales` does: w' = (w f) g in two float32
products, f the divisor of pooling and g batch norm's gain of the row, then the nearest multiple of
the least significant bit. The gradient passes the rounding straight through.
"""

from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from ..jit import njit_cached

NumbaArg = Any  # a numpy array or scalar of the type that the docstring states


@njit_cached(parallel=True, error_model="numpy")
def fold_peaks(weights: NumbaArg, gains: NumbaArg, factor: NumbaArg, peaks: NumbaArg) -> None:
    """Write the bits of the largest |w'| of each row of `weights` (rows, inputs) to `peaks`."""
    for row in prange(len(weights)):
        # The order of positive floats is that of their bits, whose maximum is vectorized.
        bits = np.abs((weights[row] * factor) * gains[row]).view(np.int32)
        peak = np.int32(0)
        for i in range(len(bits)):
            peak = max(peak, bits[i])
        peaks[row] = peak


@njit_cached(parallel=True, error_model="numpy")
def fold_and_round(
    weights: NumbaArg,
    gains: NumbaArg,
    factor: NumbaArg,
    step: NumbaArg,
    limit: NumbaArg,
    unit: NumbaArg,
    out: NumbaArg,
) -> None:
    """Write clip(round(w' step), +-limit) unit to `out`; all is float32."""
    for row in prange(len(weights)):
        for i in range(weights.shape[1]):
            folded = np.float32(np.float32(weights[row, i] * factor) * gains[row])
            rounded = np.rint(np.float32(folded * step))
            out[row, i] = min(max(rounded, -limit), limit) * unit


@njit_cached(parallel=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def fold_backward(
    gradient: NumbaArg,
    weights: NumbaArg,
    gains: NumbaArg,
    factor: NumbaArg,
    scale: NumbaArg,
    grad_weights: NumbaArg,
    grad_gains: NumbaArg,
) -> None:
    """Gradients of weights and gains; `scale` converts float units to weight units."""
    for row in prange(len(weights)):
        gain, total = gains[row] * scale * factor, np.float32(0)
        for i in range(weights.shape[1]):
            grad_weights[row, i] = gradient[row, i] * gain
            total += gradient[row, i] * weights[row, i]
        grad_gains[row] = total * (scale * factor)


def has_kernel(weights: Tensor) -> bool:
    """True where the kernels take `weights`, whose rows are the output channels."""
    return weights.device.type == "cpu" and weights.dtype == torch.float32


def max_abs_folded(weights: Tensor, gains: Tensor, factor: float) -> float:
    """Largest |w'| of `weights` (rows, ...)."""
    peaks = np.empty(len(weights), np.int32)
    fold_peaks(_rows(weights), gains.detach().numpy(), np.float32(factor), peaks)
    return float(peaks.view(np.float32).max())


class QuantizeFolded(torch.autograd.Function):
    """clip(round(w' step), +-limit) unit, with the gradient of w' scale."""

    @staticmethod
    def forward(
        ctx: Any,
        weights: Tensor,
        gains: Tensor,
        factor: float,
        step: float,
        limit: float,
        unit: float,
        scale: float,
    ) -> Tensor:
        """Quantize `weights` (rows, ...)."""
        ctx.save_for_backward(weights, gains)
        ctx.settings = np.float32(factor), np.float32(scale)
        out = torch.empty_like(weights, memory_format=torch.contiguous_format)
        kernel: Any = fold_and_round
        floats = (np.float32(each) for each in (factor, step, limit, unit))
        kernel(_rows(weights), gains.detach().numpy(), *floats, _rows(out))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of weights and gains."""
        weights, gains = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        grad_weights = torch.empty_like(gradient)
        grad_gains = torch.empty_like(gains)
        kernel: Any = fold_backward
        kernel(
            _rows(gradient),
            _rows(weights),
            gains.detach().numpy(),
            *ctx.settings,
            _rows(grad_weights),
            grad_gains.numpy(),
        )
        return grad_weights, grad_gains, None, None, None, None, None


def _rows(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().view(len(tensor), -1).numpy()
