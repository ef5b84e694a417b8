"""Exporters by format, imported on first use: the runtime must not import `pumice.convert`."""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import MissingPackage

if TYPE_CHECKING:
    from .network import Network


@dataclass(frozen=True)
class Exporter:
    """An exporter: its function as "module:function", and the extra that it needs, if any."""

    entry: str
    extra: str = ""


EXPORTERS = {
    "onnx": Exporter("pumice.convert.formats.onnx.writer:write_onnx", "onnx"),
    "nir": Exporter("pumice.convert.formats.nir.files:write_nir", "convert"),
    "netx": Exporter("pumice.convert.formats.netx.writer:write_netx", "convert"),
    "c": Exporter("pumice.deploy.c.export:write_c"),
}


def export_network(
    network: "Network", path: str | os.PathLike[str], target: str, **options: Any
) -> None:
    """Write `network` to `path` in the format `target`, a key of `EXPORTERS`.

    Raises `MissingPackage` where a package of the extra is not installed.
    """
    exporter = EXPORTERS[target]
    module, _, function = exporter.entry.partition(":")
    try:
        write: Callable[..., None] = getattr(importlib.import_module(module), function)
        write(path, network, **options)
    except MissingPackage:
        raise
    except ImportError as error:
        raise MissingPackage(
            f"{target}: needs {error.name}, which is not installed; "
            f"pip install 'pumice[{exporter.extra}]'"
        ) from error
