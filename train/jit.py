"""Compile loops with numba, with its cache on disk where one can be written."""

import warnings
from collections.abc import Callable
from typing import Any

from numba import njit

from ..runtime.errors import PumiceWarning


def njit_cached(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit(cache=True)` that goes on where no folder can be written or the disk is full.

    numba raises `RuntimeError` in the first case, and `OSError` in the second, after it compiled.
    """

    def compile_loop(function: Callable[..., Any]) -> Any:
        loop = njit(**options)(function)
        try:
            loop.enable_caching()
        except RuntimeError:
            _warn("no folder can be written; set NUMBA_CACHE_DIR")
            return loop
        save = loop._cache.save_overload

        def save_if_possible(*arguments: Any) -> None:
            try:
                save(*arguments)
            except OSError as error:
                _warn(error.strerror or str(error))

        loop._cache.save_overload = save_if_possible
        return loop

    return compile_loop


def _warn(reason: str) -> None:
    message = f"compiled loops are not cached ({reason}), so that each start takes seconds more"
    warnings.warn(message, PumiceWarning, stacklevel=3)
