"""The few reads of FlatBuffers that AEDAT 4 needs, each checked against the bounds."""

import struct
from typing import NamedTuple

from ...errors import DataError

Buffer = bytes | memoryview


class Table(NamedTuple):
    """A table in `data`: where it and the offsets of its fields begin."""

    data: Buffer
    position: int
    fields: int
    field_count: int

    def field(self, index: int) -> int | None:
        """Find the offset of a field's value, None if it has its default."""
        if index >= self.field_count:
            return None
        offset = read_int(self.data, "<H", self.fields + 2 * index)
        return self.position + offset if offset else None

    def vector(self, index: int, item_bytes: int) -> tuple[int, int]:
        """Find the offset and number of the items of a vector or string, 0 if absent."""
        at = self.field(index)
        if at is None:
            return 0, 0
        start = at + read_int(self.data, "<I", at)
        count = read_int(self.data, "<I", start)
        if start + 4 + count * item_bytes > len(self.data):
            raise DataError(f"a vector of {count} items exceeds its {len(self.data)} bytes")
        return start + 4, count


def root_table(data: Buffer, identifier: bytes) -> Table:
    """Return the root table of a buffer without size prefix; `DataError` if of another kind."""
    if bytes(data[4:8]) != identifier:
        raise DataError(f"holds {bytes(data[4:8])!r} instead of {identifier!r}")
    position = read_int(data, "<I", 0)
    fields = position - read_int(data, "<i", position)
    return Table(data, position, fields + 4, (read_int(data, "<H", fields) - 4) // 2)


def read_int(data: Buffer, form: str, position: int) -> int:
    """Return the integer of struct format `form`; `DataError` outside of `data`."""
    if not 0 <= position <= len(data) - struct.calcsize(form):
        raise DataError(f"an offset of {position} leaves its {len(data)} bytes")
    value: int = struct.unpack_from(form, data, position)[0]
    return value
