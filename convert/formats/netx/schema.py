"""One layer of a netx file: its entries by name, each checked when it is asked for."""

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
    """A layer by its position, its type (`conv`, `dense` ...) and its entries."""

    position: int
    kind: str
    entries: Arrays

    @property
    def name(self) -> str:
        """What its population is called."""
        return f"{self.kind}{self.position}"

    def has(self, key: str) -> bool:
        """Whether there is an entry `key`."""
        return key in self.entries

    def integers(self, key: str) -> NDArray[Any]:
        """Return the whole numbers of entry `key`, int64; raises `FileError`."""
        if key not in self.entries:
            raise FileError(f"{self.name}: has no {key!r}")
        if not self.entries[key].size:
            raise FileError(f"{self.name}: {key} is empty")
        return as_readonly(self.entries[key], np.int64, f"{self.name}: {key}", FileError)

    def integer(self, key: str) -> int:
        """Return the one whole number of entry `key`; raises `FileError`."""
        values = self.integers(key)
        if values.size != 1:
            raise FileError(f"{self.name}: {key} holds {values.size} numbers, needs one")
        return int(values.reshape(()))

    def pair(self, key: str, least: int) -> tuple[int, int]:
        """Return entry `key`, one number or two (height, width); raises `FileError`."""
        values = self.integers(key).reshape(-1)
        if values.size not in (1, 2) or int(values.min()) < least:
            raise FileError(f"{self.name}: {key} is {values}, needs two numbers from {least}")
        return int(values[0]), int(values[-1])

    def shape(self) -> tuple[int, ...]:
        """Return the shape of its neurons; raises `FileError`."""
        sizes = tuple(int(size) for size in self.integers("shape").reshape(-1))
        if len(sizes) == 2:
            sizes = (1, *sizes)
        if len(sizes) not in (1, 3) or min(sizes) < 1:
            raise FileError(f"{self.name}: shape {sizes} is not (neurons,) or three sizes")
        return sizes

    def neuron_parameter(self, key: str, otherwise: int) -> Any:
        """Return the neurons' `key`, one number or an array, or `otherwise` where it is absent."""
        if not self.has(f"neuron/{key}"):
            return otherwise
        values = self.integers(f"neuron/{key}")
        return int(values.reshape(())) if values.size == 1 else values

    def neuron_type(self) -> str:
        """Return the type of its neurons, empty where it has none; raises `FileError`."""
        return _read_text(self.entries, "neuron/type", self.name) if self.has("neuron/type") else ""


def read_layers(file: Arrays) -> list[Layer]:
    """Return the layers of a file in their order; raises `FileError` where there are none."""
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
    found = []
    for position in range(len(grouped)):
        if str(position) not in grouped:
            raise FileError(f"has {len(grouped)} layers, but none is number {position}")
        entries = grouped[str(position)]
        found.append(Layer(position, _read_text(entries, "type", f"layer {position}"), entries))
    return found


def _read_text(entries: Arrays, key: str, who: str) -> str:
    if key not in entries:
        raise FileError(f"{who}: has no {key!r}")
    values = entries[key]
    text = bytes(values.reshape(-1)[0]) if values.dtype.kind == "S" and values.size == 1 else b""
    if not text.isascii() or not text.decode().replace("_", "").isalnum():
        raise FileError(f"{who}: its {key} is no word")
    return text.decode()
