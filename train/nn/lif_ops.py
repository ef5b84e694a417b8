"""Custom operators of torch for layers of neurons over all timesteps.

Each device has a fused kernel: numba on the CPU in float32, Triton on CUDA devices where it is
installed, else torch operations, one timestep at a time. `torch.compile` takes the operators as
they are, without a graph break.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...runtime.arithmetic import DECAY_ONE
from . import lif_kernels as kernels
from . import lif_torch
from .exact_sums import inexact_sums


@torch.library.custom_op("pumice::lif_forward", mutates_args=())
def lif_forward(
    activation: Tensor,
    bias: Tensor,
    threshold: Tensor,
    decays: Sequence[int],
    reset: str,
    integers: bool,
    surrogate: str,
    unit: float,
) -> tuple[Tensor, Tensor]:
    """Outputs of neurons, and their voltages before the reset.

    Args:
        activation: Input, (timesteps, batch, *shape).
        bias: Added to the voltage each step; broadcasts to `shape`.
        threshold: Firing threshold in units of the voltage, of no dimension.
        decays: Fractions of the current and of the voltage lost per step, in 1/4096.
        reset: What a spike does to the voltage: "zero", or "subtract" the threshold; "none" for an
            integrator, which outputs its voltage.
        integers: Integer arithmetic.
        surrogate: Surrogate derivative of the spike, for the backward pass.
        unit: What one unit of activation adds to the voltage, for the backward pass.
    """
    values, level = _as_dense(activation), float(threshold)
    if _has_numba(values):
        return _forward_numba(values, bias, level, decays, *_model(reset), integers)
    if _has_triton(values):
        from . import lif_triton

        flat_bias = _expand_bias(bias, values)
        return lif_triton.forward(values, flat_bias, level, decays, *_model(reset), integers)
    return lif_torch.forward(values, bias, level, decays, *_model(reset), integers)


@lif_forward.register_fake
def _(activation: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    values = _as_dense(activation)
    return torch.empty_like(values), torch.empty_like(values)


@torch.library.custom_op("pumice::lif_backward", mutates_args=())
def lif_backward(
    gradient: Tensor,
    voltages: Tensor,
    threshold: Tensor,
    decays: Sequence[int],
    reset: str,
    surrogate: str,
    unit: float,
) -> tuple[Tensor, Tensor]:
    """Gradients of the activation, and of the bias of each neuron, (batch, *shape)."""
    values, level = _like(gradient, voltages), float(threshold)
    if _has_numba(values):
        return _backward_numba(values, voltages, level, decays, *_model(reset), surrogate, unit)
    if _has_triton(values):
        from . import lif_triton

        model = _model(reset)
        return lif_triton.backward(values, voltages, level, decays, *model, surrogate, unit)
    return lif_torch.backward(values, voltages, level, decays, *_model(reset), surrogate, unit)


@lif_backward.register_fake
def _(gradient: Tensor, voltages: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(voltages), torch.empty_like(voltages[0])


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, bias, threshold, decays, reset, _, surrogate, unit = inputs
    ctx.save_for_backward(output[1], threshold)
    ctx.settings = decays, reset, surrogate, unit
    ctx.bias_shape = bias.shape
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, gradient: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    if gradient is None:
        return (None,) * 8
    voltages, threshold = ctx.saved_tensors
    grad_activation, grad_bias = lif_backward(gradient, voltages, threshold, *ctx.settings)
    bias = grad_bias.sum_to_size(ctx.bias_shape) if ctx.needs_input_grad[1] else None
    return grad_activation, bias, None, None, None, None, None, None


lif_forward.register_autograd(_backward, setup_context=_setup_context)


def _model(reset: str) -> tuple[bool, bool]:
    """Flags of a reset: neurons spike, the reset is soft."""
    return reset != "none", reset == "subtract"


def _has_numba(values: Tensor) -> bool:
    return values.device.type == "cpu" and values.dtype == torch.float32


def _has_triton(values: Tensor) -> bool:
    return values.is_cuda and values.dtype == torch.float32 and bool(find_spec("triton"))


def _expand_bias(bias: Tensor, values: Tensor) -> Tensor:
    """Bias of each neuron, in the order of memory of `values`."""
    order = [axis - 2 for axis in _memory_order(values)[2:]]
    return bias.detach().expand(values.shape[2:]).permute(order).reshape(-1)


def _forward_numba(
    activation: Tensor,
    bias: Tensor,
    threshold: float,
    decays: Sequence[int],
    spiking: bool,
    soft: bool,
    integers: bool,
) -> tuple[Tensor, Tensor]:
    out, voltages = torch.empty_like(activation), torch.empty_like(activation)
    dtype: Any = np.int32 if integers else np.float32
    factor_unit = 1.0 if integers else 1.0 / DECAY_ONE
    flat_bias = _expand_bias(bias, activation).numpy().astype(dtype)
    forward: Any = kernels.lif_forward_int if integers else kernels.lif_forward_float
    inexact = forward(
        _flatten_neurons(activation),
        flat_bias,
        dtype((DECAY_ONE - decays[0]) * factor_unit),
        dtype((DECAY_ONE - decays[1]) * factor_unit),
        dtype(threshold),
        spiking,
        dtype(soft),
        _flatten_neurons(out),
        _flatten_neurons(voltages),
    )
    if inexact:
        raise inexact_sums("cpu")
    return out, voltages


def _backward_numba(
    gradient: Tensor,
    voltages: Tensor,
    threshold: float,
    decays: Sequence[int],
    spiking: bool,
    soft: bool,
    surrogate: str,
    unit: float,
) -> tuple[Tensor, Tensor]:
    grad_activation = torch.empty_like(gradient)
    grad_bias = torch.empty_like(gradient[0])
    kernels.lif_backward(
        _flatten_neurons(gradient),
        _flatten_neurons(voltages),
        np.float32(1 - decays[0] / DECAY_ONE),
        np.float32(1 - decays[1] / DECAY_ONE),
        np.float32(threshold),
        np.float32(unit),
        spiking,
        np.float32(soft),
        kernels.SURROGATES.index(surrogate),
        _flatten_neurons(grad_activation),
        _flatten_neurons(grad_bias.unsqueeze(0))[0],
    )
    return grad_activation, grad_bias


def _memory_order(tensor: Tensor) -> list[int]:
    """Axes in the order of memory; the first two stay first."""
    strides = tensor.stride()
    return [0, 1, *sorted(range(2, tensor.dim()), key=lambda axis: -strides[axis])]


def _as_dense(tensor: Tensor) -> Tensor:
    """`tensor` itself where the neurons of a step and sample lie together, in any order."""
    if tensor.permute(_memory_order(tensor)).is_contiguous():
        return tensor
    return tensor.contiguous()


def _like(tensor: Tensor, other: Tensor) -> Tensor:
    """`tensor` in the memory order of `other`."""
    if tensor.stride() == other.stride():
        return tensor
    return torch.empty_like(other).copy_(tensor)


def _flatten_neurons(tensor: Tensor) -> Any:
    ordered = tensor.detach().permute(_memory_order(tensor))
    return ordered.view(tensor.shape[0], tensor.shape[1], -1).numpy()
