"""Files as broken disks and careless hands leave them."""

from collections.abc import Callable, Sequence

import numpy as np

from pumice.runtime import Network
from pumice.runtime.errors import FileError


def outcome(read: Callable[[], Network]) -> Network | str:
    """`read` and say how it went: the network that came, or the one line of its error."""
    try:
        return read()
    except FileError as error:
        assert str(error) and "\n" not in str(error)
        return str(error)


def damaged(content: bytes, how: str, count: int) -> Sequence[bytes]:
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
