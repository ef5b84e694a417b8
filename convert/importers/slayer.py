"""Import networks of SLAYER (lava-dl) blocks, through their own export; lava-dl is not imported.

SLAYER is archived and its export is incomplete: `Average` and `TimeDecimation` fail, `KWTA` writes
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
from ..formats.netx.reader import NetxOptions, build_network

NOT_EXPORTED = ("TimeDecimation", "KWTA")
Entries = dict[str, NDArray[Any]]


def from_slayer(
    blocks: Any, input_shape: tuple[int, ...] | None = None, value_bits: int = 1
) -> tuple[Network, tuple[LayerDiagnostic, ...]]:
    """Import a network of SLAYER blocks, whose weights and states are integers already.

    Args:
        blocks: Blocks in their order, or a module that has them as `blocks`; they have run at
            least once, and are not changed.
        input_shape: As in `read_netx`.
        value_bits: As in `read_netx`.

    Returns:
        The network, and a diagnostic per block.

    Raises:
        NetworkError: A block is not supported.
    """
    arrays = export_blocks(blocks)
    try:
        return build_network(arrays, NetxOptions(input_shape, value_bits), {"format": "slayer"})
    except FileError as error:
        raise NetworkError(str(error)) from None


def is_slayer(module: Any) -> bool:
    """Test whether `module` consists of SLAYER blocks."""
    return any(hasattr(block, "export_hdf5") for block in _list_blocks(module))


def export_blocks(blocks: Any) -> Entries:
    """Export `blocks` to the datasets of a `.net` file, by their full names.

    Raises:
        NetworkError: A block has not run yet, or does not export integers.
    """
    return {
        f"layer/{number}/{key}": value
        for number, block in enumerate(_list_blocks(blocks))
        for key, value in _export_block(number, block).items()
    }


def _list_blocks(blocks: Any) -> list[Any]:
    listed = getattr(blocks, "blocks", blocks)
    return list(listed) if isinstance(listed, Iterable) else [listed]


class _GroupRecorder:
    """Replaces the HDF5 group that a block exports to."""

    def __init__(self) -> None:
        self.entries: Entries = {}

    def create_dataset(
        self, name: str, shape: Any = None, dtype: DTypeLike = None, data: Any = None
    ) -> None:
        """Store `data` as HDF5 would."""
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
    if getattr(getattr(block, "neuron", None), "real_norm", None) is not None:
        raise NetworkError(
            f"block {number} ({kind}): SLAYER does not export the norms of resonators; use none"
        )
    recorder = _GroupRecorder()
    with _preserve_weight_norm(block):
        try:
            block.export_hdf5(recorder)
        except TypeError:
            raise NetworkError(
                f"block {number} ({kind}): its pre_hook_fx gives no integers for export; "
                "leave it at the neuron's quantize_8bit"
            ) from None
        except (AttributeError, NotImplementedError):
            synapse = getattr(block, "synapse", getattr(block, "input_synapse", None))
            if not getattr(synapse, "complex", False):
                raise
            raise NetworkError(
                f"block {number} ({kind}): SLAYER exports dense blocks of resonators alone; "
                "use Dense"
            ) from None
    entries = recorder.entries
    entries["delayShift"] = np.array(int(getattr(block, "delay_shift", True)))
    norm: Any = getattr(getattr(block, "neuron", None), "norm", None)
    if hasattr(norm, "std"):
        divisor = float(norm.std(norm.running_var))
        entries["neuron/weight_exp"] = np.array(round(np.log2(divisor)))
    return entries


@contextmanager
def _preserve_weight_norm(block: Any) -> Iterator[None]:
    """Export the current weights of `block` without removing their weight norm."""
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
