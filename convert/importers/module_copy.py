"""Copy modules without their history, with the weights that their forward method computes."""

import copy
import inspect
from typing import Any

from ..diagnostics import UnsupportedLayerError

WEIGHT_HOOKS = "torch.nn.utils."  # prune, weight_norm and spectral_norm: they set a weight


def copy_module(module: Any) -> Any:
    """Copy a module in evaluation mode; tensors of a past run are copied without its gradients."""
    memo: dict[int, Any] = {}
    for child in module.modules():
        memories = getattr(child, "_memories", {})  # SpikingJelly's states
        for value in (*vars(child).values(), *child._buffers.values(), *memories.values()):
            if hasattr(value, "is_leaf") and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    for child in module.modules():
        if hasattr(child, "rec_connect"):  # sinabs' own copy of these layers raises an error
            kind: Any = type(child)
            twin = kind.__new__(kind)
            memo[id(child)] = twin
            twin.__dict__.update(copy.deepcopy(vars(child), memo))
    return copy.deepcopy(module, memo).eval()


def resolve_weights(layer: Any) -> Any:
    """Return `layer` with the weights that its forward method uses.

    torch computes a weight before each forward, where it is pruned, normed or parametrized: its
    attribute is that of the last forward. A copy is returned then.

    Raises:
        UnsupportedLayerError: Another hook may change what the layer computes.
    """
    check_hooks(layer)
    hooks = list(getattr(layer, "_forward_pre_hooks", {}).values())
    if not hooks and "parametrizations" not in getattr(layer, "_modules", {}):
        return layer
    computed = copy_module(layer)
    for hook in computed._forward_pre_hooks.values():
        hook(computed, ())
    return computed


def check_hooks(layer: Any) -> None:
    """Raise `UnsupportedLayerError` for a forward hook other than those that set a weight."""
    hooks = (
        *getattr(layer, "_forward_pre_hooks", {}).values(),
        *getattr(layer, "_forward_hooks", {}).values(),
    )
    for hook in hooks:
        function = hook if inspect.isroutine(hook) else type(hook)
        if not str(function.__module__).startswith(WEIGHT_HOOKS):
            raise UnsupportedLayerError(
                f"has a forward hook ({_describe_place(function)}), which may change what it "
                "computes",
                "remove the hook before the import",
            )


def _describe_place(function: Any) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{function.__module__}.{function.__qualname__}"
    return f"{code.co_filename}:{code.co_firstlineno}"
