"""Networks from SLAYER's blocks in memory, through what they export; lava-dl is not imported.

SLAYER is archived and its export lacks things: `Average` and `TimeDecimation` fail, `KWTA` writes
nothing, the exponent of a norm is not clamped. What is missing is taken from the blocks.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...runtime.errors import FileError, NetworkError
from ...runtime.network import Network
from ..diagnostics import LayerDiagnostic
from ..formats.netx.reader import build_network

NOT_EXPORTED = ("TimeDecimation", "KWTA")
Entries = dict[str, NDArray[Any]]


def from_slayer(
    blocks: Any, input_shape: tuple[int, ...] | None = None, value_bits: int = 1
) -> tuple[Network, tuple[LayerDiagnostic, ...]]:
    """Return the network of SLAYER's `blocks`, and how each was carried over.

    `blocks` are modules in their order, or a module that has them as `blocks`; they have run at
    least once and stay as they are. Otherwise as `read_netx`. Raises `NetworkError` where a block
    cannot be carried over.
    """
    arrays = export_blocks(blocks)
    try:
        return build_network(arrays, input_shape, value_bits, {"format": "slayer"})
    except FileError as error:
        raise NetworkError(str(error)) from None


def is_slayer(module: Any) -> bool:
    """Return whether `module` is made of SLAYER's blocks."""
    return any(hasattr(block, "export_hdf5") for block in _list_blocks(module))


def export_blocks(blocks: Any) -> Entries:
    """Return what a `.net` file of `blocks` would hold; raises `NetworkError`."""
    return {
        f"layer/{number}/{key}": value
        for number, block in enumerate(_list_blocks(blocks))
        for key, value in _export_block(number, block).items()
    }


def _list_blocks(blocks: Any) -> list[Any]:
    given = getattr(blocks, "blocks", blocks)
    return list(given) if isinstance(given, Iterable) else [given]


class _GroupRecorder:
    """Stands in for the HDF5 group that a block exports to."""

    def __init__(self) -> None:
        self.entries: Entries = {}

    def create_dataset(
        self, name: str, shape: Any = None, dtype: DTypeLike = None, data: Any = None
    ) -> None:
        """Keep `data` as HDF5 would."""
        values = np.asarray(data, dtype)
        self.entries[name] = np.char.encode(values) if values.dtype.kind == "U" else values


def _export_block(number: int, block: Any) -> Entries:
    kind = type(block).__name__
    if kind == "Average":
        return {"type": np.array(b"average"), "shape": np.array([block.num_outputs])}
    if kind in NOT_EXPORTED or not hasattr(block, "export_hdf5"):
        return {"type": np.array(kind.encode())}
    if getattr(block, "shape", None) is None:
        raise NetworkError(f"block {number} ({kind}): has no shape yet; run it once on any events")
    handle = _GroupRecorder()
    with _preserve_weight_norm(block):
        try:
            block.export_hdf5(handle)
        except TypeError:
            raise NetworkError(
                f"block {number} ({kind}): its pre_hook_fx gives no integers for export; "
                "leave it at the neuron's quantize_8bit"
            ) from None
    entries = handle.entries
    entries["delayShift"] = np.array(int(getattr(block, "delay_shift", True)))
    norm: Any = getattr(getattr(block, "neuron", None), "norm", None)
    if hasattr(norm, "std"):
        divisor = float(norm.std(norm.running_var))
        entries["neuron/weight_exp"] = np.array(round(np.log2(divisor)))
    return entries


@contextmanager
def _preserve_weight_norm(block: Any) -> Iterator[None]:
    """Let `block` export its weights as they are now, without taking their weight norm off."""
    normed = [m for m in block.modules() if getattr(m, "weight_norm_enabled", False)]
    for module in normed:
        for refresh in module._forward_pre_hooks.values():
            refresh(module, None)
        module.weight_norm_enabled = False
    try:
        yield
    finally:
        for module in normed:
            module.weight_norm_enabled = True
