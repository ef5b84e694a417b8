"""Gradient checkpointing: activations computed twice, so that fewer are kept."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextmanager
def checkpoint_activations(modules: Iterable[nn.Module], enabled: bool = True) -> Iterator[None]:
    """Keep of each of `modules` its inputs alone, and compute the rest again when going backward.

    Gradients are the same, bit for bit, and so are batch norm's statistics: the second pass leaves
    them alone. Holds inside the block, and where it is `wanted`.
    """
    chosen = list(modules) if enabled else []
    for module in chosen:
        _wrap_forward(module)
    try:
        yield
    finally:
        for module in chosen:
            del module.forward


def _wrap_forward(module: nn.Module) -> None:
    whole = module.forward

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_statistics(module)

    def forward(*values: Tensor) -> Tensor:
        result: Tensor = checkpoint(whole, *values, use_reentrant=False, context_fn=contexts)
        return result

    module.forward = forward


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Keep what batch norm has learnt of its inputs as it is."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = norm.num_batches_tracked.clone()  # type: ignore[union-attr]
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
