"""A second device, emulated on the CPU, on which operators refuse tensors of the CPU as CUDA's do.

Its tensors say that they are of the device "meta", the one besides "cpu" for which every build of
torch has autograd, but hold values, in a tensor of the CPU.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

OTHER = torch.device("meta")
aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}


class OtherTensor(Tensor):
    """A tensor of the emulated device, whose values are in `held`, of the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "OtherTensor":
        tensor = Tensor._make_wrapper_subclass(
            cls,
            values.shape,
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=OTHER,
            requires_grad=values.requires_grad,
        )
        tensor.held = values
        return tensor

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"OtherTensor({self.held})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class OtherDevice(TorchDispatchMode):
    """Creates tensors of the emulated device; `operators` are run by Python functions instead."""

    def __init__(self, operators: dict[Any, Any]):
        super().__init__()  # type: ignore[no-untyped-call]
        self.operators = operators

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in self.operators and any(isinstance(each, OtherTensor) for each in args):
            with self:
                return self.operators[func](*args, **(kwargs or {}))
        return _run(func, args, kwargs or {})


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    is_other = any(isinstance(each, OtherTensor) for each in tensors)
    if is_other and func not in COPIES:
        _check_placement(func, args, kwargs)
    device = kwargs.get("device")
    if device is not None:
        is_other = torch.device(device) == OTHER
        kwargs = {**kwargs, "device": torch.device("cpu")}
    elif func is aten.copy_.default:
        is_other = isinstance(args[0], OtherTensor)
    inner_args, inner_kwargs = tree_map(_unwrap, (args, kwargs))
    with torch.utils._python_dispatch._disable_current_modes():
        out = func(*inner_args, **inner_kwargs)
    if not is_other:
        return out
    return return_and_correct_aliasing(  # type: ignore[no-untyped-call]
        func, args, kwargs, tree_map(_wrap, out)
    )


def _check_placement(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    read = args[:1] + args[2:] if func in INDEXING else args  # indices may be of the CPU
    for each in tree_leaves((read, kwargs)):
        if isinstance(each, Tensor) and not isinstance(each, OtherTensor) and each.dim():
            raise RuntimeError(f"{func}: tensors of the CPU and of the other device")


def _unwrap(value: Any) -> Any:
    return value.held if isinstance(value, OtherTensor) else value


def _wrap(value: Any) -> Any:
    return OtherTensor(value) if isinstance(value, Tensor) else value


def move_module(module: nn.Module) -> nn.Module:
    """Move parameters and buffers of `module` to the emulated device, in place."""
    for each in module.modules():
        for name, parameter in each._parameters.items():
            if parameter is not None:
                values = OtherTensor(parameter.detach().clone())
                each._parameters[name] = nn.Parameter(values, parameter.requires_grad)
        for name, buffer in each._buffers.items():
            if buffer is not None:
                each._buffers[name] = OtherTensor(buffer.clone())
    return module
