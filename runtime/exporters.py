"""Exporters by format, imported on first use: the runtime must not import `pumice.convert`."""

import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .network import Network

EXPORTERS = {
    "onnx": "pumice.convert.formats.onnx.writer:write_onnx",
    "nir": "pumice.convert.formats.nir.files:write_nir",
    "netx": "pumice.convert.formats.netx.writer:write_netx",
}


def export_network(
    network: "Network", path: str | os.PathLike[str], target: str, **options: Any
) -> None:
    """Write `network` to `path` in the format `target`, a key of `EXPORTERS`."""
    module, _, function = EXPORTERS[target].partition(":")
    write: Callable[..., None] = getattr(importlib.import_module(module), function)
    write(path, network, **options)
