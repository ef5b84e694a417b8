"""Damage files: cut, altered bytes, entries lost or misshapen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pumice.runtime import Network
from pumice.runtime.errors import FileError


def read_or_error(read: Callable[[], Network]) -> Network | str:
    """Call `read`: the network it returns, or the one line of its error."""
    try:
        return read()
    except FileError as error:
        assert str(error) and "\n" not in str(error)
        return str(error)


def damage_file(content: bytes, how: str, count: int) -> Sequence[bytes]:
    """`count` copies of `content`, cut at a random place or with random bytes replaced."""
    rng = np.random.default_rng(3)
    if how == "cut":
        return [content[: rng.integers(len(content))] for _ in range(count)]
    copies = []
    for _ in range(count):
        copy = bytearray(content)
        for place in rng.integers(len(content), size=rng.choice([1, 3, 20])):
            copy[place] = rng.integers(256)
        copies.append(bytes(copy))
    return copies


def corrupt_entries(arrays: Mapping[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """Yield `count` copies of a file's datasets with an entry or two lost or misshapen."""
    rng = np.random.default_rng(3)
    for _ in range(count):
        copy = dict(arrays)
        for key in rng.choice(sorted(copy), rng.integers(1, 3), replace=False):
            values = np.asarray(copy.pop(key))
            if rng.random() < 0.85:
                copy[key] = _misshape(values, rng)
        yield copy


def _misshape(values: Any, rng: np.random.Generator) -> Any:
    flat = values.reshape(-1)
    numbers = [-1, 0, 1, 7, 2**31, -(2**40), 2**63 - 1]
    others = [-1.0, 0.0, 0.5, 1e30, np.nan, np.inf]
    words = [b"dense", b"conv", b"CUBA", b"LIF", b"Flatten", b"Linear", b"Input", b"\xff\xfe"]
    choices = [
        np.zeros(0),
        np.array(rng.choice(numbers)),
        np.full(values.shape, rng.choice(others)),
        np.array(words[rng.integers(len(words))]),
        flat,
        flat[:1],
        np.concatenate([flat, flat]),
        values.T,
        values[None, None],
    ]
    return choices[rng.integers(len(choices))]
