"""Compatibility patch for importing Lava 0.10.0, for SLAYER training and for the Lava engine.

It is in the runtime since neither of the two may import the other. Lava is imported on use only.
"""

import dataclasses
import importlib
import importlib.metadata
import multiprocessing
import sys
from typing import Any

from .errors import MissingPackage

INSTALL_COMMAND = "pip install --no-deps --ignore-requires-python lava-nc==0.10.0"


def check_installed() -> None:
    """Raise `MissingPackage` where Lava is not installed; imports nothing."""
    try:
        importlib.metadata.version("lava-nc")
    except importlib.metadata.PackageNotFoundError:
        raise MissingPackage(
            f"lava-nc is not installed: {INSTALL_COMMAND} (or: pumice doctor --fix)"
        ) from None


def patch_lava() -> None:
    """Make Lava importable; call it before any other import of Lava.

    Lava 0.10.0 declares Python 3.10. Since 3.11 a dataclass may not have an unhashable default,
    and `lava.magma.compiler.var_model` has one: an instance of its dataclass `ByteEncoder`, which
    is made hashable while that module is imported. Lava sets the start method of multiprocessing to
    fork and fails where that was set before, so such a setting is undone. Nothing else remains
    changed. Raises `MissingPackage` where Lava is not installed.
    """
    check_installed()
    ready = "lava.magma.runtime.message_infrastructure.multiprocessing" in sys.modules
    if not ready and multiprocessing.get_start_method(allow_none=True) == "fork":
        multiprocessing.set_start_method(None, force=True)
    plain = dataclasses.dataclass

    def hashable(cls: Any = None, /, **options: Any) -> Any:
        if getattr(cls, "__name__", "") == "ByteEncoder":
            options["unsafe_hash"] = True
        return plain(cls, **options)

    dataclasses.dataclass = hashable
    try:
        importlib.import_module("lava.magma.compiler.var_model")
    finally:
        dataclasses.dataclass = plain
