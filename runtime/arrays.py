"""Whole numbers, read-only arrays of them, and equality of the dataclasses that hold them."""

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
    """Return a read-only copy of `values` as integers of type `dtype`, of the same shape.

    Raises `error` where the cast would change a value (fractions, NaN, out of range).
    """
    try:
        given = np.asarray(values)
    except ValueError:
        raise error(f"{who}: holds rows of different lengths, needs an array") from None
    if given.dtype.kind not in "iubf":
        raise error(f"{who}: holds {given.dtype} values, needs integers")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise error(f"{who}: holds NaN or infinite values, needs integers")
    with np.errstate(invalid="ignore"):
        cast = given.astype(dtype, order="C")
    wrong = np.flatnonzero(cast != given)
    if wrong.size:
        value = given.reshape(-1)[wrong[0]]
        raise error(f"{who}: value {value} is not a whole number of type {np.dtype(dtype)}")
    cast.flags.writeable = False
    return cast


def as_int(value: Any, who: str) -> int:
    """Return `value` as a plain integer; raises `NetworkError` where it is none (2.0, "2")."""
    try:
        return operator.index(value)
    except TypeError:
        raise NetworkError(f"{who} is {value!r}, needs a whole number") from None


def init_values(instance: Any) -> dict[str, Any]:
    """Collect the constructor arguments of a dataclass instance, mappings as plain dicts."""
    values = {f.name: getattr(instance, f.name) for f in fields(instance) if f.init}
    return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in values.items()}


def rebuild(cls: type[Any], values: dict[str, Any]) -> Any:
    """Construct an instance of `cls` from what `init_values` collected."""
    return cls(**values)


class ValueEquality:
    """A dataclass (made with `eq=False`) that equals another of its type with equal values."""

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
