"""Load a model: a file, the folder of a training run, or Python code that defines torch layers."""

import importlib
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

from ..runtime.errors import FileError, NetworkError
from .engine.run_folder import MODEL_FILE


def check_model(name: str | os.PathLike[str]) -> None:
    """Check that the files of `name` exist, before torch is loaded; raises `FileError`."""
    text = os.fspath(name)
    location, colon, _ = text.rpartition(":")
    path = Path(location if colon and not Path(text).exists() else text)
    if path.is_dir() and not (path / MODEL_FILE).is_file():
        raise FileError(f"{path}: holds no {MODEL_FILE}; train first, or name the file itself")
    if not path.exists() and (not colon or path.suffix == ".py"):
        raise FileError(f"{path}: no such file")


def load_model(name: str | os.PathLike[str]) -> Any:
    """Load the model that `name` refers to, in a form that `pumice.convert` accepts.

    Args:
        name: The folder of a training run or its `.safetensors` file, `FILE.py:NAME` or
            `PACKAGE.MODULE:NAME` (the code is executed, and NAME is called if it is a class or a
            function), or a model file such as `.net`, `.nir` or `.pumice`.

    Returns:
        The float network of a training run, the object that NAME refers to, or the path.

    Raises:
        FileError: The file does not exist.
        NetworkError: The code raises an exception or lacks NAME.
    """
    text = os.fspath(name)
    location, colon, attribute = text.rpartition(":")
    if colon and not Path(text).exists():
        return _export_own(_instantiate(text, _load_attribute(text, location, attribute)))
    path = Path(text)
    if path.is_dir() or path.suffix == ".safetensors":
        from .engine.checkpoint import read_trained_model
        from .export import export_network

        return export_network(read_trained_model(path).network)
    return path


def load_object(name: str) -> Any:
    """Load NAME of `FILE.py:NAME` or `PACKAGE.MODULE:NAME`, called if it is a class or a function.

    Raises `FileError` and `NetworkError` as `load_model`.
    """
    location, colon, attribute = name.rpartition(":")
    if not colon:
        raise FileError(f"{name}: no such file; name a run folder, or FILE.py:NAME")
    return _instantiate(name, _load_attribute(name, location, attribute))


def _export_own(model: Any) -> Any:
    """Export a `SpikingNetwork` to the converter; return any other model unchanged."""
    if "pumice.train.nn.network" in sys.modules:
        from .export import export_network
        from .nn.network import SpikingNetwork

        if isinstance(model, SpikingNetwork):
            return export_network(model)
    return model


def _load_attribute(name: str, location: str, attribute: str) -> Any:
    module = _load_module(name, location)
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError:
        raise NetworkError(f"{name}: {location} has no {attribute!r}") from None


def _load_module(name: str, location: str) -> ModuleType:
    path = Path(location)
    if path.suffix == ".py" and not path.is_file():
        raise FileError(f"{location}: no such file")
    with _wrap_errors(name):
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


def _instantiate(name: str, value: Any) -> Any:
    if inspect.isclass(value) or inspect.isroutine(value):
        with _wrap_errors(name):
            return value()
    return value


@contextmanager
def _import_path(folder: Path) -> Iterator[None]:
    """Prepend `folder` to the module search path."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _wrap_errors(name: str) -> Iterator[None]:
    """Raise any exception of third-party code as a one-line `NetworkError`."""
    try:
        yield
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines() or [""]
        raise NetworkError(f"{name}: {type(error).__name__}: {lines[0]}") from error
