"""Format of a recording, from its first bytes, then from the ending of its name."""

import re
from collections.abc import Callable, Iterable
from typing import Literal

from ...errors import DataError
from ...input_file import LFS_POINTER
from ..chunks import StreamStats
from .aedat2 import Aedat2Decoder
from .aedat3 import Aedat3Decoder
from .aedat4 import Aedat4Decoder
from .aer40 import OVERFLOW_ROW, Aer40Decoder
from .dat import DatDecoder
from .decoder import EventDecoder
from .event_stream import EventStreamDecoder
from .evt import EvtDecoder
from .header import find_body, is_text, shorten
from .text import CsvDecoder

Format = Literal["five-byte", "csv"]
SNIFF_BYTES = 1 << 12
OTHER_KINDS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"#ROSBAG V": "a ROS bag",
    b"\x93NUMPY": "a NumPy array",
    b"PK\x03\x04": "a zip archive (.npz or .zip)",
    b"\x1f\x8b\x08": "compressed by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard",
}
AEDAT: dict[bytes, Callable[[StreamStats], EventDecoder]] = {
    b"2.0": Aedat2Decoder,
    b"3.1": Aedat3Decoder,
    b"4.0": Aedat4Decoder,
}
ENDINGS: dict[str, Callable[[StreamStats], EventDecoder]] = {
    ".bin": Aer40Decoder,
    ".bs2": Aer40Decoder,
    ".csv": lambda stats: CsvDecoder(stats, order=None),
    ".txt": lambda stats: CsvDecoder(stats, order=None),
    ".aedat": Aedat2Decoder,
    ".aedat4": Aedat4Decoder,
    ".raw": EvtDecoder,
    ".dat": DatDecoder,
    ".es": EventStreamDecoder,
}
HEADERLESS = (".bin", ".bs2", ".csv", ".txt")


def make_decoder(
    name: Format, stats: StreamStats, sensor_height: int | None = None
) -> EventDecoder:
    """Make the decoder of a live stream, whose format is named; text is `t,x,y,polarity`.

    A `sensor_height` above 240 rows tells that a five-byte stream has no overflow marks.
    """
    if name == "csv":
        return CsvDecoder(stats)
    return Aer40Decoder(stats, overflow_marks=(sensor_height or 0) <= OVERFLOW_ROW)


def make_file_decoder(
    ending: str, head: bytes, stats: StreamStats, sensor_height: int | None = None
) -> EventDecoder:
    """Make the decoder of a recording that begins with `head` and whose name has `ending`.

    What the first bytes state is preferred to the ending. A `sensor_height` above 240 rows tells
    that a five-byte recording has no overflow marks. Raises `DataError` where the format is
    unknown, or the bytes contradict a format that begins with a header.
    """
    if head.startswith(LFS_POINTER):
        raise DataError("is a Git LFS pointer, not the recording; run: git lfs pull")
    aedat = re.match(rb"#!AER-DAT(\d[\d.]*)", head)
    if aedat:
        version = aedat[1].rstrip(b".")
        if version not in AEDAT:
            raise DataError(f"is AEDAT {shorten(version.decode())}; needs {_join(AEDAT)}")
        return AEDAT[version](stats)
    if head.startswith(b"Event Stream"):
        return EventStreamDecoder(stats)
    header = _prophesee_header(head)
    if header:
        names_evt = re.search(rb"^% (evt|format) ", header, re.MULTILINE)
        names_dat = re.search(rb"^% (Version|Data file)", header, re.MULTILINE)
        is_dat = not names_evt and (names_dat or ending == ".dat")
        return DatDecoder(stats) if is_dat else EvtDecoder(stats)
    kind = next((name for magic, name in OTHER_KINDS.items() if head.startswith(magic)), None)
    if kind and ending not in (".bin", ".bs2"):
        raise DataError(f"is {kind}; needs a recording: {', '.join(ENDINGS)}")
    if ending not in ENDINGS:
        raise DataError(f"unknown recording format; known are {', '.join(ENDINGS)}")
    if ending == ".aedat":
        raise DataError(f"is AEDAT of no version; needs {_join(AEDAT)}")
    if ending not in HEADERLESS:
        raise DataError(f"has no header of its format; needs {ENDINGS[ending](stats).expected}")
    if ENDINGS[ending] is Aer40Decoder:
        return make_decoder("five-byte", stats, sensor_height)
    return ENDINGS[ending](stats)


def _prophesee_header(head: bytes) -> bytes:
    """Return the text header of a RAW or DAT recording, as far as `head` holds it."""
    if not re.match(rb"% [A-Za-z]", head):
        return b""
    length = find_body(head, b"%", (b"% end",), at_end=True) or 0
    lines = head[:length].split(b"\n")
    return b"\n".join(lines) if len(lines) > 1 and is_text(lines[0]) else b""


def _join(versions: Iterable[bytes]) -> str:
    *first, last = (version.decode() for version in versions)
    return f"{', '.join(first)} or {last}"
