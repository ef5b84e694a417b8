"""The compiled C core, if there is one: installing pumice builds it where a compiler is found."""

import importlib
from typing import Any

NOT_BUILT = (
    "cpu: the C core was not built, needs a C compiler (gcc, clang or MSVC) when pumice is "
    "installed; reinstall with one, or choose engine 'onnx' or 'reference'"
)
OTHER_SOURCES = (
    "cpu: the C core was built from other sources than this pumice; build it again with "
    "'pip install -e .' or 'make install', or choose engine 'onnx' or 'reference'"
)


def _import_core() -> Any:
    try:
        return importlib.import_module("._core", __package__)
    except ImportError:
        return None


core = _import_core()
