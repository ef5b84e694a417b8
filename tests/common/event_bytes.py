"""Recordings of every format, written byte by byte from their specifications."""

import struct
from collections.abc import Callable, Sequence

Rows = Sequence[tuple[int, int, int, int]]  # x, y, polarity, t


def aer40(rows: Rows) -> bytes:
    """Five bytes an event, the time modulo 2^23."""
    words = (x << 32 | y << 24 | p << 23 | t % (1 << 23) for x, y, p, t in rows)
    return b"".join(word.to_bytes(5, "big") for word in words)


def text(rows: Rows, order: str = "txyp", separator: str = ",") -> bytes:
    """A line an event."""
    lines = (dict(zip("xypt", row, strict=True)) for row in rows)
    return "".join(
        separator.join(str(line[key]) for key in order) + "\n" for line in lines
    ).encode()


def aedat2_dvs128(rows: Rows) -> bytes:
    """AEDAT 2.0 of a DVS128, with a signal from outside among the events."""
    words = [(127 - y << 8 | 127 - x << 1 | 1 - p, t) for x, y, p, t in rows]
    words.insert(1, (1 << 15, 95))
    body = b"".join(struct.pack(">II", *word) for word in words)
    return b"#!AER-DAT2.0\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n" + body


def aedat2_davis(rows: Rows, width: int = 240, height: int = 180) -> bytes:
    """AEDAT 2.0 of a DAVIS, with a sample of a frame and one of motion among the events."""
    words = [(height - 1 - y << 22 | width - 1 - x << 12 | p << 11, t) for x, y, p, t in rows]
    words[1:1] = [(1 << 31, 95), (1 << 10, 96)]
    head = f"#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.Davis{width}C\r\n"
    body = b"".join(struct.pack(">II", *word) for word in words)
    return head.encode() + b"#!END-HEADER\r\n" + body


def aedat3_packet(rows: Rows, kind: int = 1, overflow: int = 0) -> bytes:
    """A packet of AEDAT 3.1 whose third event, if it has as many, is followed by an invalid one."""
    words = [(x << 17 | y << 2 | p << 1 | 1, t & 0x7FFFFFFF) for x, y, p, t in rows]
    words.insert(2, (5 << 17, 99))
    head = struct.pack("<HHiiiiii", kind, 0, 8, 4, overflow, len(words), len(words), len(rows))
    return head + b"".join(struct.pack("<II", *word) for word in words)


def aedat3(rows: Rows) -> bytes:
    """AEDAT 3.1: a packet of special events, then one of polarity events."""
    special = struct.pack("<HHiiiiii", 0, 0, 8, 4, 0, 1, 1, 1) + bytes(8)
    head = b"#!AER-DAT3.1\r\n#Format: RAW\r\n# a comment\r\n#!END-HEADER\r\n"
    return head + special + aedat3_packet(rows)


def flatbuffer(identifier: bytes, vector: bytes, count: int) -> bytes:
    """A size-prefixed FlatBuffer whose root table has one field, a vector of `count` items."""
    table = struct.pack("<HHH2xiII", 6, 8, 4, 8, 4, count)
    body = struct.pack("<I", 16) + identifier + table + vector
    return struct.pack("<I", len(body)) + body


def aedat4_header(kinds: Sequence[str], compression: int = 0, table: int = -1) -> bytes:
    """Magic, size, and the FlatBuffer IOHeader with the description of the streams."""
    path = "/mainloop/Recorder/outInfo/"
    nodes = "".join(
        f'<node name="{k}" path="{path}{k}/"><attr key="compression" type="string">NONE</attr>'
        f'<attr key="originalModuleName" type="string">capture</attr>'
        f'<attr key="originalOutputName" type="string">events</attr>'
        f'<attr key="typeDescription" type="string">Array of events.</attr>'
        f'<attr key="typeIdentifier" type="string">{kind}</attr>'
        f'<node name="info" path="{path}{k}/info/"><attr key="sizeX" type="int">346</attr>'
        f'<attr key="sizeY" type="int">260</attr><attr key="source" type="string">DAVIS346_1</attr>'
        f'<attr key="tsOffset" type="long">0</attr></node></node>'
        for k, kind in enumerate(kinds)
    )
    xml = f'<dv version="2.0"><node name="outInfo" path="{path}">{nodes}</node></dv>'.encode()
    fields = struct.pack("<HHHHH", 10, 20, 4, 12, 8)
    head = struct.pack("<I", 24) + b"IOHE" + bytes(6) + fields
    body = head + struct.pack("<iiIq", 10, compression, 12, table)
    body += struct.pack("<I", len(xml)) + xml + b"\0"
    return b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(body)) + body


def aedat4_packet(
    rows: Rows, stream: int = 0, compress: Callable[[bytes], bytes] = bytes, kind: bytes = b"EVTS"
) -> bytes:
    """A packet of events (or, empty, of another `kind`)."""
    items = b"".join(struct.pack("<qhhB3x", t, x, y, p) for x, y, p, t in rows)
    data = compress(flatbuffer(kind, items, len(rows)))
    return struct.pack("<ii", stream, len(data)) + data


def aedat4(rows: Rows) -> bytes:
    """AEDAT 4 without compression: an empty packet of another stream between two of events."""
    return (
        aedat4_header(["EVTS", "IMUS"])
        + aedat4_packet(rows[:2])
        + aedat4_packet([], 1, kind=b"IMUS")
        + aedat4_packet(rows[2:])
    )


EVT_HEAD = "% Date 2020-09-14 09:03:25\n% evt {}\n% geometry 1280x720\n% end\n"


def evt2(rows: Rows, head: str = EVT_HEAD) -> bytes:
    """EVT 2.0: a time word before each event, and one of another type."""
    words = [10 << 28 | 5]
    for x, y, p, t in rows:
        words += [8 << 28 | t >> 6 & 0xFFFFFFF, p << 28 | (t & 63) << 22 | x << 11 | y]
    return head.format("2.0").encode() + struct.pack(f"<{len(words)}I", *words)


def evt21(rows: Rows, is_legacy: bool = False, head: str = EVT_HEAD) -> bytes:
    """EVT 2.1: a time word before each word of one event."""
    halves = []
    for x, y, p, t in rows:
        base = x & ~31
        halves += [(8 << 28 | t >> 6 & 0xFFFFFFF, 0)]
        halves += [(p << 28 | (t & 63) << 22 | base << 11 | y, 1 << x - base)]
    order = 1 if is_legacy else -1
    words = [half for pair in halves for half in pair[::order]]
    return head.format("2.1").encode() + struct.pack(f"<{len(words)}I", *words)


def evt3(rows: Rows, head: str = EVT_HEAD) -> bytes:
    """EVT 3.0: single events and, for every second one, a vector of which one pixel is set."""
    words = [0xE014]
    for k, (x, y, p, t) in enumerate(rows):
        words += [8 << 12 | t >> 12 & 0xFFF, 6 << 12 | t & 0xFFF, y]
        if k % 2:
            base = max(0, x - 20)
            masks = [1 << x - base - first if 0 <= x - base - first < n else 0
                     for first, n in ((0, 12), (12, 12), (24, 8))]  # fmt: skip
            words += [3 << 12 | p << 11 | base]
            words += [4 << 12 | masks[0], 4 << 12 | masks[1], 5 << 12 | masks[2]]
        else:
            words += [2 << 12 | p << 11 | x]
    return head.format("3.0").encode() + struct.pack(f"<{len(words)}H", *words)


def dat(rows: Rows, kind: int = 0x0C) -> bytes:
    """DAT version 2."""
    head = b"% Data file containing CD events\n% Version 2\n% Width 1280\n% Height 720\n"
    words = ((t & 0xFFFFFFFF, p << 28 | y << 14 | x) for x, y, p, t in rows)
    return head + bytes([kind, 8]) + b"".join(struct.pack("<II", *word) for word in words)


def event_stream(rows: Rows, is_atis: bool = False) -> bytes:
    """Event Stream: times must not go back."""
    data = b"Event Stream" + bytes([2, 0, 0, 2 if is_atis else 1]) + struct.pack("<HH", 1280, 720)
    bits, before = (6, 0) if is_atis else (7, 0)
    for x, y, p, t in rows:
        step, before = t - before, t
        longest = (1 << bits) - 1
        overflows = step // longest
        if is_atis:
            data += b"\xff" * (overflows // 3)
            data += bytes([0xFC | overflows % 3]) if overflows % 3 else b""
        else:
            data += b"\xff" * overflows
        flags = p << 1 if is_atis else p
        data += bytes([step % longest << 8 - bits | flags]) + struct.pack("<HH", x, 719 - y)
    return data
