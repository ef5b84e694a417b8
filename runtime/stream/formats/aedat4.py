"""AEDAT 4, the recordings of DV (`.aedat4`)."""

import re
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ...errors import DataError
from ..chunks import EventChunk, StreamStats
from .compression import Decompress, make_decompressor
from .decoder import EventDecoder
from .flatbuffer import read_int, root_table
from .header import MAX_HEADER_BYTES

MAGIC = b"#!AER-DAT4.0\r\n"
PACKET_HEADER_BYTES = 8
MAX_PACKET_BYTES = 64 << 20  # compressed; DV writes some 10 ms a packet
EVENT = np.dtype(
    {"names": ["t", "x", "y", "on"], "formats": ["<i8", "<i2", "<i2", "u1"], "itemsize": 16,
     "offsets": [0, 8, 10, 12]}
)  # fmt: skip
CHUNK_EVENTS = 1 << 16
NODE = re.compile(
    r'<node\s+name="([^"<]*)"|<attr\s+key="(typeIdentifier|sizeX|sizeY)"[^<>]*>([^<]*)<'
)


class Aedat4Decoder(EventDecoder):
    """A header and packets, each a FlatBuffer, compressed by LZ4 or Zstandard or not at all.

    Of several event streams the one of the lowest number is decoded; other kinds of data are
    skipped. A packet that does not decompress or parse counts as malformed, and decoding goes on
    with the next; after a packet of an impossible size the rest is lost.

    Source: https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-4.0.html
    (the schemas IOHeader and EventPacket).
    """

    expected: ClassVar[str] = "AEDAT 4: a header, then packets of events"

    def __init__(self, stats: StreamStats) -> None:
        self.buffer = bytearray()
        self.skip_bytes = 0  # left of a packet
        super().__init__(stats)

    def reset(self) -> None:
        """Discard an incomplete packet and expect a header."""
        super().reset()
        self.position = 0  # of the buffer in the recording
        self.in_body = self.is_lost = False
        self.stream: int | None = None
        self.table_position = -1
        self.decompress: Decompress = bytes

    def discard(self) -> None:
        """Count an incomplete packet as malformed and drop it."""
        self.stats.malformed += bool(self.buffer) or self.skip_bytes > 0
        self.skip_bytes = 0
        self.buffer.clear()
        super().discard()

    def finish(self) -> Iterator[EventChunk]:
        """Check that the header was complete."""
        if not self.in_body:
            raise DataError(f"has no end of its header; needs {self.expected}")
        yield from super().finish()

    def _decode_part(self, data: bytes) -> Iterator[EventChunk]:
        self.buffer += data
        if not self.in_body and not self._read_header():
            return
        while not self.is_lost and self.position != self.table_position:
            if self.skip_bytes and self.buffer:
                self._drop(min(self.skip_bytes, len(self.buffer)), is_skipped=True)
                continue
            if self.skip_bytes or len(self.buffer) < PACKET_HEADER_BYTES:
                return
            stream, size = np.frombuffer(self.buffer[:PACKET_HEADER_BYTES], "<i4").tolist()
            if stream < 0 or not 0 <= size <= MAX_PACKET_BYTES:
                self.stats.malformed += 1
                self.is_lost = True
            elif self.stream not in (None, stream):
                self._drop(PACKET_HEADER_BYTES)
                self.skip_bytes = size
            elif len(self.buffer) < PACKET_HEADER_BYTES + size:
                return
            else:
                packet = bytes(self.buffer[PACKET_HEADER_BYTES : PACKET_HEADER_BYTES + size])
                self._drop(PACKET_HEADER_BYTES + size)
                yield from self._decode_packet(stream, packet)
        self.buffer.clear()

    def _drop(self, count: int, is_skipped: bool = False) -> None:
        del self.buffer[:count]
        self.position += count
        self.skip_bytes -= count * is_skipped

    def _read_header(self) -> bool:
        """Parse the header if it is complete."""
        start = len(MAGIC) + 4
        if len(self.buffer) < start:
            return False
        size = read_int(bytes(self.buffer[:start]), "<I", len(MAGIC))
        if not self.buffer.startswith(MAGIC) or size > MAX_HEADER_BYTES:
            raise DataError(f"has a header of {size} bytes; needs {self.expected}")
        if len(self.buffer) < start + size:
            return False
        try:
            self._parse_header(bytes(self.buffer[start : start + size]))
        except DataError as error:
            raise DataError(f"has a damaged header ({error}); needs {self.expected}") from None
        self._drop(start + size)
        self.in_body = True
        return True

    def _parse_header(self, data: bytes) -> None:
        table = root_table(data, b"IOHE")
        at = table.field(0)
        self.decompress = make_decompressor(0 if at is None else read_int(data, "<i", at))
        at = table.field(1)
        self.table_position = -1 if at is None else read_int(data, "<q", at)
        start, count = table.vector(2, 1)
        self._parse_description(data[start : start + count].decode("utf-8", "replace"))

    def _parse_description(self, xml: str) -> None:
        """Find the event stream of the lowest number and its sensor size; tolerate anything."""
        kinds: dict[int, dict[str, str]] = {}
        fields: dict[str, str] = {}
        for node, key, value in NODE.findall(xml):
            if re.fullmatch(r"\d{1,5}", node):
                fields = kinds.setdefault(int(node), {})
            elif key:
                fields[key] = value
        streams = [stream for stream, of in kinds.items() if of.get("typeIdentifier") == "EVTS"]
        if streams:
            self.stream = min(streams)
            sides = [kinds[self.stream].get(key, "") for key in ("sizeX", "sizeY")]
            if all(re.fullmatch(r"[1-9]\d{0,4}", side) for side in sides):
                self.size = int(sides[0]), int(sides[1])

    def _decode_packet(self, stream: int, packet: bytes) -> Iterator[EventChunk]:
        try:
            data = memoryview(self.decompress(packet))[4:]  # behind its size
            if self.stream is None and bytes(data[4:8]) != b"EVTS":
                return
            start, count = root_table(data, b"EVTS").vector(0, EVENT.itemsize)
        except DataError:
            self.stats.malformed += 1
            return
        self.stream = stream
        for first in range(0, count, CHUNK_EVENTS):
            at = start + first * EVENT.itemsize
            events = np.frombuffer(data, EVENT, min(CHUNK_EVENTS, count - first), at)
            t, x, y, on = (events[name].astype(np.int64) for name in ("t", "x", "y", "on"))
            yield EventChunk(x, y, (on != 0).astype(np.int64), t)
