"""Code of the user: attributes of Python files and modules, by `FILE.py:NAME`. Imports no torch."""

import hashlib
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

from ..runtime.errors import FileError, NetworkError


def check_code(name: str) -> None:
    """Check `FILE.py:NAME` or `PACKAGE.MODULE:NAME` without executing it; raises `FileError`."""
    location, colon, attribute = name.rpartition(":")
    if not (colon and location and attribute):
        raise FileError(f"{name}: needs FILE.py:NAME or PACKAGE.MODULE:NAME")
    if location.endswith(".py") and not Path(location).is_file():
        raise FileError(f"{location}: no such file")


def code_digest(name: str) -> str | None:
    """SHA-256 of the file of `FILE.py:NAME`, hexadecimal; None of an installed module."""
    location = Path(name.rpartition(":")[0])
    return hashlib.sha256(location.read_bytes()).hexdigest() if location.is_file() else None


def load_attribute(name: str) -> Any:
    """Execute the code of `FILE.py:NAME` or `PACKAGE.MODULE:NAME` and return NAME.

    Raises:
        FileError: The file does not exist.
        NetworkError: The code raises an exception or lacks NAME.
    """
    location, _, attribute = name.rpartition(":")
    module = _load_module(name, location)
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError:
        raise NetworkError(f"{name}: {location} has no {attribute!r}") from None


def _load_module(name: str, location: str) -> ModuleType:
    path = Path(location)
    if path.suffix == ".py" and not path.is_file():
        raise FileError(f"{location}: no such file")
    with wrap_errors(name):
        try:
            return _execute(location)
        except (ValueError, ImportError):
            if "lava" not in sys.modules:
                raise
        from .models.slayer import import_slayer

        import_slayer()  # SLAYER fails to import on Python 3.11 without these patches
        return _execute(location)


def _execute(location: str) -> ModuleType:
    path = Path(location)
    if path.suffix != ".py":
        with _import_path(Path.cwd()):
            return importlib.import_module(location)
    with _import_path(path.resolve().parent):
        spec = util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        spec.loader.exec_module(module)
        return module


@contextmanager
def _import_path(folder: Path) -> Iterator[None]:
    """Prepend `folder` to the module search path."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def wrap_errors(name: str) -> Iterator[None]:
    """Raise any exception of third-party code as a one-line `NetworkError`."""
    try:
        yield
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines() or [""]
        raise NetworkError(f"{name}: {type(error).__name__}: {lines[0]}") from error
