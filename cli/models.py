"""What `check` and `convert` take: a file, the folder of a training run, or torch layers."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from ..convert.importers.open import ImportOptions
from ..runtime.errors import FileError, NetworkError


def import_options(
    input_shape: str | None, value_bits: int, dt: float | None, reset: Literal["zero"] | None
) -> ImportOptions:
    """Return what the options of a verb say; raises `NetworkError` where a shape is none."""
    return ImportOptions(_parse_shape(input_shape), value_bits, dt, reset)


def _parse_shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(part.strip().isdecimal() for part in parts):
        raise NetworkError(
            f"--input-shape {text}: needs one number of neurons, or channels,height,width"
        )
    return tuple(int(part) for part in parts)


def load_model(name: str) -> Any:
    """Return what `name` says, as `pumice.convert.compatibility` takes it.

    Of the folder of a training run it is the network in real numbers. Layers are taken by running
    the file or module that makes them. Raises `FileError` where there is no such file, and
    `NetworkError` where it fails.
    """
    place, colon, attribute = name.rpartition(":")
    if colon and not Path(name).exists():
        return _to_float_network(_instantiate(name, _load_attribute(name, place, attribute)))
    path = Path(name)
    if path.is_dir() or path.suffix == ".safetensors":
        from ..train.export import to_importable

        return to_importable(path)
    return path


def _to_float_network(model: Any) -> Any:
    """Return a network of pumice's own layers in real numbers, and anything else as it is."""
    if "pumice.train.nn.network" in sys.modules:
        from ..train import SpikingNetwork, to_float_network

        if isinstance(model, SpikingNetwork):
            return to_float_network(model)
    return model


def _load_attribute(name: str, place: str, attribute: str) -> Any:
    module = _load_module(name, place)
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError:
        raise NetworkError(f"{name}: {place} has no {attribute!r}") from None


def _load_module(name: str, place: str) -> ModuleType:
    path = Path(place)
    if path.suffix == ".py" and not path.is_file():
        raise FileError(f"{place}: no such file")
    with _wrap_errors(name):
        try:
            return _execute(place)
        except (ValueError, ImportError):
            if "lava" not in sys.modules:
                raise
        from ..train.models.slayer import import_slayer

        import_slayer()  # SLAYER does not import on Python 3.11 unless it is helped
        return _execute(place)


def _execute(place: str) -> ModuleType:
    path = Path(place)
    if path.suffix != ".py":
        with _import_path(Path.cwd()):
            return importlib.import_module(place)
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
    """Have modules looked for in `folder` first."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _wrap_errors(name: str) -> Iterator[None]:
    """Tell in one line what went wrong in code that is not pumice's."""
    try:
        yield
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines() or [""]
        raise NetworkError(f"{name}: {type(error).__name__}: {lines[0]}") from error
