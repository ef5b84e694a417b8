"""Import optional packages, which an extra of pumice installs."""

import importlib
from typing import Any

from .errors import MissingPackage


def import_extra(module: str, extra: str, user: str) -> Any:
    """Import `module`; raises `MissingPackage` naming the `extra` that `user` needs for it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingPackage(
            f"{user}: needs {package}, which is not installed; pip install 'pumice[{extra}]'"
        ) from error
