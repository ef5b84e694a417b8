"""Layers of a netx file: entries by name, validated when they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.arrays import as_readonly
from ....runtime.errors import FileError

Arrays = Mapping[str, NDArray[Any]]
MAX_LAYERS = 10_000


@dataclass(frozen=True)
class Layer:
    """A layer: its position, its type (`conv`, `dense` ...) and its entries.

    All methods but `has` raise `FileError` where an entry is not what it should be.
    """

    position: int
    kind: str
    entries: Arrays

    @property
    def name(self) -> str:
        """Name of its population."""
        return f"{self.kind}{self.position}"

    def has(self, key: str) -> bool:
        """Test for an entry `key`."""
        return key in self.entries

    def integers(self, key: str) -> NDArray[Any]:
        """Integers of entry `key`, int64."""
        if key not in self.entries:
            raise FileError(f"{self.name}: has no {key!r}")
        if not self.entries[key].size:
            raise FileError(f"{self.name}: {key} is empty")
        return as_readonly(self.entries[key], np.int64, f"{self.name}: {key}", FileError)

    def integer(self, key: str) -> int:
        """The one integer of entry `key`."""
        values = self.integers(key)
        if values.size != 1:
            raise FileError(f"{self.name}: {key} holds {values.size} numbers, needs one")
        return int(values.reshape(()))

    def pair(self, key: str, minimum: int) -> tuple[int, int]:
        """Entry `key`, one integer or two (height, width); a third, for time, must change nothing.

        `minimum` is the value that changes nothing: a kernel or stride of 1, a padding of 0.
        """
        values = self.integers(key).reshape(-1)
        if values.size == 3 and values[2] == minimum:
            values = values[:2]
        if values.size not in (1, 2) or int(values.min()) < minimum:
            raise FileError(f"{self.name}: {key} is {values}, needs two numbers from {minimum}")
        return int(values[0]), int(values[-1])

    def shape(self) -> tuple[int, ...]:
        """Shape of its neurons."""
        sizes = tuple(int(size) for size in self.integers("shape").reshape(-1))
        if len(sizes) == 2:
            sizes = (1, *sizes)
        if len(sizes) not in (1, 3) or min(sizes) < 1:
            raise FileError(f"{self.name}: shape {sizes} is not (neurons,) or three sizes")
        return sizes

    def neuron_parameter(self, key: str, default: int) -> Any:
        """Neuron parameter `key`, one integer or an array, or `default` where it is absent."""
        if not self.has(f"neuron/{key}"):
            return default
        values = self.integers(f"neuron/{key}")
        return int(values.reshape(())) if values.size == 1 else values

    def text(self, key: str, default: str) -> str:
        """Word of entry `key`, or `default` where it is absent."""
        return _read_text(self.entries, key, self.name) if self.has(key) else default

    def neuron_type(self) -> str:
        """Type of its neurons, empty where it has none."""
        return self.text("neuron/type", "")


def read_layers(file: Arrays) -> list[Layer]:
    """Group the datasets of a `.net` file into layers, in their order.

    Raises:
        FileError: There are no layers, or one is missing.
    """
    grouped: dict[str, dict[str, NDArray[Any]]] = {}
    for path, values in file.items():
        top, _, rest = path.partition("/")
        number, _, key = rest.partition("/")
        if top == "layer" and key:
            grouped.setdefault(number, {})[key] = values
    if not grouped:
        raise FileError("has no group 'layer', so it is no netx file")
    if len(grouped) > MAX_LAYERS:
        raise FileError(f"has {len(grouped)} layers, needs at most {MAX_LAYERS}")
    layers = []
    for position in range(len(grouped)):
        if str(position) not in grouped:
            raise FileError(f"has {len(grouped)} layers, but none is number {position}")
        entries = grouped[str(position)]
        layers.append(Layer(position, _read_text(entries, "type", f"layer {position}"), entries))
    return layers


def _read_text(entries: Arrays, key: str, who: str) -> str:
    if key not in entries:
        raise FileError(f"{who}: has no {key!r}")
    values = entries[key]
    text = bytes(values.reshape(-1)[0]) if values.dtype.kind == "S" and values.size == 1 else b""
    if not text.isascii() or not text.decode().replace("_", "").isalnum():
        raise FileError(f"{who}: its {key} is no word")
    return text.decode()
