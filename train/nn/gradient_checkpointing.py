"""Gradient checkpointing: recompute activations in the backward pass instead of storing them."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextmanager
def checkpoint_activations(modules: Iterable[nn.Module], enabled: bool = True) -> Iterator[None]:
    """Store only the inputs of each of `modules`, and recompute the rest in the backward pass.

    Gradients are the same, bit for bit, and so are batch norm's statistics, which the second pass
    leaves alone. Active inside the block, if `enabled`.
    """
    wrapped = list(modules) if enabled else []
    for module in wrapped:
        _wrap_forward(module)
    try:
        yield
    finally:
        for module in wrapped:
            del module.forward


def _wrap_forward(module: nn.Module) -> None:
    original = module.forward

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_statistics(module)

    def forward(*inputs: Tensor) -> Tensor:
        result: Tensor = checkpoint(original, *inputs, use_reentrant=False, context_fn=contexts)
        return result

    module.forward = forward


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Keep batch norm's running statistics as they are, in training mode."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = norm.num_batches_tracked.clone()  # type: ignore[union-attr]
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, saved, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
