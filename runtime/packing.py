"""Integer arrays at the bits that they have: values `low + step * code`, codes packed in bytes.

`step` is the largest number that divides all differences, so even weights of mixed sign and ternary
ones take no bit more than they need. Codes lie in C order, lowest bit first.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BITS = 32
CHUNK = 1 << 20  # values, a multiple of 8: the bits of a chunk fill whole bytes
Packing = dict[str, Any]


def pack(array: NDArray[np.integer[Any]]) -> tuple[NDArray[np.uint8], Packing]:
    """Pack a nonempty array of integers whose values differ by less than 2^32.

    Returns:
        The packed codes, uint8 (bytes,), and what `unpack` needs: shape, bits, low and step.
    """
    low = int(array.min())
    differences = (array.reshape(-1).astype(np.int64) - low).astype(np.uint32)
    step = int(np.gcd.reduce(np.unique(differences))) or 1
    bits = max(1, (int(differences.max()) // step).bit_length())
    packing = {"shape": list(array.shape), "bits": bits, "low": low, "step": step}
    return _pack_bits(differences // np.uint32(step), bits), packing


def unpack(packed: NDArray[np.uint8], packing: Packing) -> NDArray[np.int64]:
    """Restore the values of an array, int64 of its shape.

    Raises:
        ValueError: The description is damaged or does not fit the bytes.
    """
    shape, bits, low, step = (packing[key] for key in ("shape", "bits", "low", "step"))
    numbers = [*shape, bits, low, step]
    if not all(type(number) is int for number in numbers) or min([*shape, 0]) < 0:
        raise ValueError(f"a packed array has {packing}, needs integers")
    size = math.prod(shape)
    fits = 1 <= bits <= MAX_BITS and 1 <= step <= 2 << MAX_BITS - bits and abs(low) < 1 << MAX_BITS
    if not fits or packed.dtype != np.uint8 or packed.shape != (-(-size * bits // 8),):
        raise ValueError(f"a packed array of {packed.size} bytes does not fit {packing}")
    codes = _unpack_bits(packed, size, bits).astype(np.int64)
    values: NDArray[np.int64] = (codes * step + low).reshape(shape)
    return values


def _pack_bits(codes: NDArray[np.uint32], bits: int) -> NDArray[np.uint8]:
    if bits == 8:
        return codes.astype(np.uint8)
    places = np.arange(bits, dtype=np.uint32)
    parts = []
    for at in range(0, len(codes), CHUNK):
        ones = (codes[at : at + CHUNK, None] >> places & 1).astype(np.uint8)
        parts.append(np.packbits(ones, bitorder="little"))
    return np.concatenate(parts)


def _unpack_bits(packed: NDArray[np.uint8], size: int, bits: int) -> NDArray[np.uint32]:
    if bits == 8:
        return packed.astype(np.uint32)
    codes = np.empty(size, np.uint32)
    for at in range(0, size, CHUNK):
        count = min(CHUNK, size - at)
        first, last = at * bits // 8, -(-(at + count) * bits // 8)
        found = np.unpackbits(packed[first:last], count=count * bits, bitorder="little")
        whole = np.zeros((count, MAX_BITS), np.uint8)
        whole[:, :bits] = found.reshape(count, bits)
        codes[at : at + count] = np.packbits(whole, axis=1, bitorder="little").view("<u4")[:, 0]
    return codes
