"""The engines by name; each is imported when it is asked for."""

from collections.abc import Sequence
from importlib import util

from ..runtime.errors import EngineError, MissingPackage
from ..runtime.verify import RunFunction
from .doctor import install_hint
from .options import ENGINES, EngineName

REQUIRED_PACKAGES: dict[EngineName, tuple[str, ...]] = {
    "reference": (),
    "cpu": ("numba",),
    "onnx": ("onnx", "onnxruntime"),
    "lava": ("lava",),
}


def get_engine(name: EngineName) -> RunFunction:
    """Return the engine called `name`; raises `MissingPackage` where it lacks something."""
    absent = missing_packages(REQUIRED_PACKAGES[name])
    if absent:
        raise MissingPackage(f"{name}: needs {', '.join(absent)}; {install_hint(absent[0])}")
    if name == "cpu":
        from ..runtime.engines.cpu.engine import run as fast

        return fast
    if name == "onnx":
        from ..convert.formats.onnx.writer import run_onnx

        return run_onnx
    if name == "lava":
        from ..deploy.lava import run as lava

        return lava
    from ..runtime.engines.reference import run as reference

    return reference


def select_engines(names: str | None) -> tuple[EngineName, ...]:
    """Return the reference and the engines in `names`, a list with commas; all installed if None.

    Raises `EngineError` for a name that is none.
    """
    if names is None:
        return tuple(name for name in ENGINES if not missing_packages(REQUIRED_PACKAGES[name]))
    given = [name.strip() for name in names.split(",") if name.strip()]
    for name in given:
        if name not in ENGINES:
            raise EngineError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    return tuple(name for name in ENGINES if name in (*given, "reference"))


def missing_packages(packages: Sequence[str]) -> list[str]:
    """Return those of `packages` that cannot be imported, without importing any."""
    return [package for package in packages if util.find_spec(package) is None]
