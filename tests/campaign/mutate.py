"""Mutations of files: bytes, integers, cuts, repetitions and, of `.pumice` files, right digests."""

import hashlib
import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

NUMBERS = (0, 1, -1, 127, 255, 1 << 15, (1 << 31) - 1, -(1 << 31), (1 << 32) - 1, (1 << 63) - 1)
WORDS = (b"", b"-1", b"1e999", b"nan", b"9" * 5000, b"[" * 3000, b"{" * 3000, b'"', b"\xff\xfe",
         b"=1+1", b"a" + b".a" * 3000, b"../../x", b"\0" * 40, b"true", b"\n" * 99)  # fmt: skip


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """A copy of `content` with one to four mutations."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        KINDS[random.integers(len(KINDS))](data, random)
    return bytes(data)


def _place(data: bytearray, random: np.random.Generator) -> int:
    """A place, every second time in the first bytes, where headers are."""
    limit = min(len(data), 64) if random.random() < 0.5 else len(data)
    return int(random.integers(max(limit, 1)))


def _flip(data: bytearray, random: np.random.Generator) -> None:
    for _ in range(random.choice([1, 3, 20])):
        if data:
            data[_place(data, random)] ^= int(random.integers(1, 256))


def _cut(data: bytearray, random: np.random.Generator) -> None:
    del data[_place(data, random) :]


def _remove(data: bytearray, random: np.random.Generator) -> None:
    first = _place(data, random)
    del data[first : first + int(random.integers(1, 64))]


def _repeat(data: bytearray, random: np.random.Generator) -> None:
    first = _place(data, random)
    part = data[first : first + int(random.integers(1, 200))]
    data[first:first] = part * int(random.integers(1, 20))


def _number(data: bytearray, random: np.random.Generator) -> None:
    size = int(random.choice([1, 2, 4, 8]))
    value = NUMBERS[random.integers(len(NUMBERS))] & (1 << 8 * size) - 1
    first = _place(data, random)
    data[first : first + size] = value.to_bytes(size, random.choice(["little", "big"]))


def _word(data: bytearray, random: np.random.Generator) -> None:
    first = _place(data, random)
    data[first : first + int(random.integers(0, 8))] = WORDS[random.integers(len(WORDS))]


KINDS = (_flip, _flip, _cut, _remove, _repeat, _number, _number, _word)


def forge(content: bytes, random: np.random.Generator, scratch: str) -> bytes:
    """A `.pumice` file whose graph has one other value, with the right digest."""
    size = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + size])["__metadata__"]["pumice"].partition(" ")[2]
    graph = json.loads(text)
    places: list[tuple[object, object]] = []

    def walk(value: object) -> None:
        pairs: list[tuple[object, object]] = []
        if isinstance(value, dict):
            pairs = list(value.items())
        elif isinstance(value, list):
            pairs = list(enumerate(value))
        for key, inner in pairs:
            places.append((value, key))
            walk(inner)

    walk(graph)
    holder, key = places[random.integers(len(places))]
    others: list[object] = [
        *NUMBERS,
        None,
        "",
        "x" * 999,
        [],
        {},
        0.5,
        float("inf"),
        [1 << 40],
        True,
    ]
    holder[key] = others[random.integers(len(others))]  # type: ignore[index]
    header = json.dumps(graph)
    with open(scratch, "wb") as file:
        file.write(content)
    with safe_open(scratch, framework="np") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return bytes(save(tensors, {"pumice": f"{digest.hexdigest()} {header}"}))
