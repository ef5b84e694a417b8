"""Lazy import of a module that Lava imports but rarely uses."""

import importlib
import sys
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Placeholder that imports the module of its name on first attribute access."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def lazy_import(name: str) -> None:
    """Defer loading the module `name` from its import to its first use.

    Lava imports scipy.signal, which takes longer than all other imports together, only for its own
    model of `Conv`.
    """
    sys.modules.setdefault(name, LazyModule(name))
