"""Load a model: a file, the folder of a training run, or Python code that defines torch layers."""

import inspect
import os
import sys
from pathlib import Path
from typing import Any

from ..runtime.errors import FileError
from .engine.run_folder import MODEL_FILE
from .user_code import load_attribute, wrap_errors

MODEL_SUFFIXES = (".net", ".nir", ".pumice", ".safetensors")


def check_model(name: str | os.PathLike[str]) -> None:
    """Check that the files of `name` exist, before torch is loaded; raises `FileError`."""
    text = os.fspath(name)
    location, colon, _ = text.rpartition(":")
    path = Path(location if colon and not Path(text).exists() else text)
    if path.is_dir() and not (path / MODEL_FILE).is_file():
        raise FileError(f"{path}: holds no {MODEL_FILE}; train first, or name the file itself")
    if not path.exists() and (not colon or path.suffix == ".py"):
        raise FileError(f"{path}: no such file")
    if path.is_file() and str(path) == text and path.suffix not in MODEL_SUFFIXES:
        remedy = f"; name the module in it: {path}:NAME" if path.suffix == ".py" else ""
        raise FileError(f"{path}: is none of {', '.join(MODEL_SUFFIXES)}{remedy}")


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
    if ":" in text and not Path(text).exists():
        return _export_own(_instantiate(text, load_attribute(text)))
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
    if ":" not in name:
        raise FileError(f"{name}: no such file; name a run folder, or FILE.py:NAME")
    return _instantiate(name, load_attribute(name))


def _export_own(model: Any) -> Any:
    """Export a `SpikingNetwork` to the converter; return any other model unchanged."""
    if "pumice.train.nn.network" in sys.modules:
        from .export import export_network
        from .nn.network import SpikingNetwork

        if isinstance(model, SpikingNetwork):
            return export_network(model)
    return model


def _instantiate(name: str, value: Any) -> Any:
    if inspect.isclass(value) or inspect.isroutine(value):
        with wrap_errors(name):
            return value()
    return value
