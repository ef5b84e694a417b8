"""Integers and read-only integer arrays, and dataclasses of them: equality, copies, pickles."""

import operator
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .errors import NetworkError, PumiceError

Integers = NDArray[np.integer[Any]]


def as_readonly(
    values: ArrayLike, dtype: DTypeLike, who: str, error: type[PumiceError] = NetworkError
) -> NDArray[Any]:
    """Copy `values` to a read-only array of integer type `dtype`, of the same shape.

    Raises `error` where the cast would change a value (fractions, NaN, out of range).
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise error(f"{who}: holds rows of different lengths, needs an array") from None
    if array.dtype.kind not in "iubf":
        raise error(f"{who}: holds {array.dtype} values, needs integers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise error(f"{who}: holds NaN or infinite values, needs integers")
    with np.errstate(invalid="ignore"):
        cast = array.astype(dtype, order="C")
    changed = np.flatnonzero(cast != array)
    if changed.size:
        value = array.reshape(-1)[changed[0]]
        raise error(f"{who}: value {value} is not an integer of type {np.dtype(dtype)}")
    cast.flags.writeable = False
    return cast


def as_int(value: Any, who: str) -> int:
    """Convert `value` to a plain integer; raises `NetworkError` where it is none (2.0, "2")."""
    try:
        return operator.index(value)
    except TypeError:
        raise NetworkError(f"{who} is {value!r}, needs an integer") from None


def init_values(instance: Any) -> dict[str, Any]:
    """Collect the constructor arguments of a dataclass instance, mappings as plain dicts."""
    values = {f.name: getattr(instance, f.name) for f in fields(instance) if f.init}
    return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in values.items()}


def rebuild(cls: type[Any], values: dict[str, Any]) -> Any:
    """Construct an instance of `cls` from what `init_values` collected."""
    return cls(**values)


class ValueEquality:
    """Equality by value for dataclasses (declared with `eq=False`) that hold arrays."""

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle through the constructor, which makes arrays read-only again."""
        return rebuild, (type(self), init_values(self))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs = (
            (getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)  # type: ignore[arg-type]
            if field.compare
        )
        return all(
            np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right
            for left, right in pairs
        )
