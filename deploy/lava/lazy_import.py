"""What must happen before Lava can be imported, and what of it can wait."""

import importlib
import sys
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Stands in for the module of its name until an attribute is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def lazy_import(name: str) -> None:
    """Have the module `name` loaded when it is first used, not when it is imported.

    Lava imports scipy.signal, which takes longer than all else, for its own model of `Conv` alone.
    """
    sys.modules.setdefault(name, LazyModule(name))
