"""AEDAT 2.0, 3.1 and 4: chips, headers, packets and compression."""

import struct
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from event_bytes import aedat2_davis, aedat3_packet, aedat4_header, aedat4_packet

from pumice.runtime.errors import DataError, MissingPackage
from pumice.runtime.stream import StreamStats
from pumice.runtime.stream.formats import (
    Aedat2Decoder,
    Aedat3Decoder,
    Aedat4Decoder,
    EventDecoder,
)

CHIP = b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n"
END = b"#!END-HEADER\r\n"
ROWS = [(5, 9, 1, 100), (127, 0, 0, 350), (64, 64, 1, 360)]


def decode(
    kind: Callable[[StreamStats], EventDecoder], *parts: bytes
) -> tuple[list[list[int]], StreamStats]:
    stats = StreamStats()
    decoder = kind(stats)
    chunks = [chunk for part in parts for chunk in decoder.decode(part)]
    chunks += decoder.finish()
    return [row for chunk in chunks for row in np.stack(chunk[:4], axis=1).tolist()], stats


def aedat2(*words: tuple[int, int], header: bytes = CHIP) -> bytes:
    return b"#!AER-DAT2.0\r\n" + header + b"".join(struct.pack(">II", *word) for word in words)


def test_a_dvs128_is_mirrored_and_its_polarity_bit_inverted() -> None:
    words = [(0, 1000), (5 << 1 | 1, 1001), (3 << 8 | 127 << 1, 1002)]
    expected = [[127, 127, 1, 1000], [122, 127, 0, 1001], [0, 124, 1, 1002]]
    for chip in (b"# AEChip: a.b.DVS128\r\n", b"# AEChip: DVS128_PAER\r\n", b"# none\n", b""):
        assert decode(Aedat2Decoder, aedat2(*words, header=chip))[0] == expected


@pytest.mark.parametrize(
    ("chip", "width", "height"),
    [
        ("Davis346blue", 346, 260),
        ("DAVIS346", 346, 260),
        ("Davis346red", 346, 260),
        ("Davis240C", 240, 180),
        ("Davis640", 640, 480),
        ("Davis128", 128, 128),
    ],
)
def test_a_davis_is_mirrored_both_ways(chip: str, width: int, height: int) -> None:
    header = f"# AEChip: eu.seebetter.{chip}\r\n".encode() + END
    words = [(0, 5), (3 << 22 | 7 << 12 | 1 << 11, 6), (1 << 10, 7), (1 << 31, 8)]
    rows, stats = decode(Aedat2Decoder, aedat2(*words, header=header))
    assert rows == [[width - 1, height - 1, 0, 5], [width - 8, height - 4, 1, 6]]
    assert stats.malformed == 0


@pytest.mark.parametrize("chip", ["Cochlea", "SciDVS", "DVS640", "DVS128andCochleaAMS1b", "Davis9"])
def test_an_unknown_chip_is_rejected_by_name(chip: str) -> None:
    with pytest.raises(DataError, match=f"^is of {chip}; known are DVS128, DAVIS128"):
        decode(Aedat2Decoder, aedat2((0, 1), header=f"# AEChip: a.b.{chip}\r\n".encode() + END))


def test_addresses_of_more_than_16_bits_need_a_chip() -> None:
    body = aedat2_davis(ROWS).partition(END)[2]
    for header in (b"", b"# int32 address, int32 timestamp\r\n", END):
        with pytest.raises(DataError, match="names no chip.* '# AEChip: DAVIS346'"):
            decode(Aedat2Decoder, b"#!AER-DAT2.0\r\n" + header + body)


def test_strays_after_64_kib_of_a_recording_without_a_chip_are_malformed() -> None:
    words = [(0, k) for k in range(9000)] + [(1 << 20, 9001)] * 3
    rows, stats = decode(Aedat2Decoder, aedat2(*words, header=b""))
    assert len(rows) == 9000 and stats.malformed == 3


@pytest.mark.parametrize("end", [b"", END, b"#End Of ASCII Header\r\n"])
@pytest.mark.parametrize("row", range(140, 144))
def test_an_event_that_begins_with_the_comment_sign_is_an_event(end: bytes, row: int) -> None:
    words = [(row << 22 | 5 << 12 | 1 << 11, 1000), (10 << 22 | 6 << 12 | 1 << 11, 1001)]
    assert aedat2(words[0], header=b"")[14:15] == b"#"
    rows, stats = decode(Aedat2Decoder, aedat2(*words, header=CHIP + end))
    assert rows == [[234, 179 - row, 1, 1000], [233, 169, 1, 1001]] and stats.malformed == 0


def test_a_header_line_with_control_characters_is_passed_where_the_end_is_marked() -> None:
    header = b"# serial \x00\x01\x02\r\n" + CHIP + b"# caf\xe9 \xff\r\n" + END
    assert decode(Aedat2Decoder, aedat2((0, 5), header=header))[0] == [[239, 179, 0, 5]]


def test_a_header_without_end_is_rejected_in_bounded_memory() -> None:
    with pytest.raises(DataError, match="has no end of its header"):
        decode(Aedat2Decoder, *(b"#!AER-DAT2.0\r\n" + b"# x" * 20000 for _ in range(100)))


def test_a_clock_of_32_bits_goes_on() -> None:
    words = [(0, (1 << 32) - 5), (0, 3), (0, 1 << 31), (0, 3 << 30), (0, 7)]
    t = [row[3] for row in decode(Aedat2Decoder, aedat2(*words))[0]]
    late = [(1 << 32) + more for more in (3, 1 << 31, 3 << 30)]
    assert t == [(1 << 32) - 5, *late, (2 << 32) + 7]


HEAD3 = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n"


@pytest.mark.parametrize(
    ("size", "events", "valid"), [(4, -1, -1), (0, 3, 3), (-8, 2, 2), (2**31 - 1, 9, 9), (8, 2, 3)]
)
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_packet_of_impossible_size_is_malformed(
    kind: int, size: int, events: int, valid: int
) -> None:
    head = struct.pack("<HHiiiiii", kind, 0, size, 4, 0, events, events, valid)
    data = HEAD3 + aedat3_packet(ROWS) + head + bytes(4000)
    rows, stats = decode(Aedat3Decoder, data)
    assert rows == [list(row) for row in ROWS] and stats.malformed == 1


@pytest.mark.parametrize("kind", [0, 1])
def test_a_packet_beyond_the_end_is_malformed(kind: int) -> None:
    head = struct.pack("<HHiiiiii", kind, 0, 8, 4, 0, 1000, 1000, 1000)
    rows, stats = decode(Aedat3Decoder, HEAD3 + aedat3_packet(ROWS) + head + bytes(80))
    assert rows == [list(row) for row in ROWS] and stats.malformed == 1


def test_overflows_of_31_bits_are_in_the_packet() -> None:
    rows, _ = decode(Aedat3Decoder, HEAD3 + aedat3_packet([(0, 0, 0, 7)], overflow=2))
    assert rows == [[0, 0, 0, (2 << 31) + 7]]


def test_a_compressed_aedat_3_is_named() -> None:
    data = b"#!AER-DAT3.1\r\n#Format: SerializedTS\r\n#!END-HEADER\r\n"
    with pytest.raises(DataError, match="of format SerializedTS; needs format RAW"):
        decode(Aedat3Decoder, data)


@pytest.mark.parametrize("compression", [1, 2, 3, 4])
def test_compressed_packets_are_decoded_and_damaged_ones_counted(compression: int) -> None:
    compress = compressor(compression)
    damaged = struct.pack("<ii", 0, 40) + b"\x04\x22\x4d\x18" + bytes(36)
    data = aedat4_header(["EVTS"], compression) + aedat4_packet(ROWS[:1], compress=compress)
    data += damaged + aedat4_packet(ROWS[1:], compress=compress)
    rows, stats = decode(Aedat4Decoder, data)
    assert rows == [list(row) for row in ROWS] and stats.malformed == 1


@pytest.mark.parametrize("compression", [1, 3])
def test_a_packet_that_expands_without_bound_is_malformed(compression: int) -> None:
    compress = compressor(compression)
    bomb = compress(bytes(200 << 20))
    data = aedat4_header(["EVTS"], compression) + struct.pack("<ii", 0, len(bomb)) + bomb
    data += aedat4_packet(ROWS, compress=compress)
    tracemalloc.start()
    rows, stats = decode(Aedat4Decoder, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == [list(row) for row in ROWS] and stats.malformed == 1
    assert peak < 400 << 20


def compressor(compression: int) -> Callable[[bytes], bytes]:
    if compression < 3:
        frame = pytest.importorskip("lz4.frame", reason="lz4 is not installed: the streams extra")
        return frame.compress  # type: ignore[no-any-return]
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    return zstandard.ZstdCompressor().compress  # type: ignore[no-any-return]


@pytest.mark.parametrize(("compression", "package"), [(1, "lz4"), (3, "zstandard")])
def test_an_absent_library_is_named(
    compression: int, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    monkeypatch.setitem(__import__("sys").modules, "lz4.frame", None)
    with pytest.raises(
        MissingPackage, match=rf"needs {package}, which is not .*'pumice\[streams\]'"
    ):
        decode(Aedat4Decoder, aedat4_header(["EVTS"], compression))


def test_an_unknown_compression_is_named() -> None:
    with pytest.raises(DataError, match="damaged header .compression 9 is unknown"):
        decode(Aedat4Decoder, aedat4_header(["EVTS"], 9))


@pytest.mark.parametrize("version", ["2.0", "3.1"])
def test_what_a_header_names_is_one_short_line_in_the_message(version: str) -> None:
    value = "a\r\u2028\x85\x1b[31m" + "b" * 5000
    name = "# AEChip: " if version == "2.0" else "#Format: "
    head = f"#!AER-DAT{version}\r\n{name}{value}\r\n#!END-HEADER\r\n".encode()
    with pytest.raises(DataError) as error:
        decode(Aedat2Decoder if version == "2.0" else Aedat3Decoder, head)
    assert str(error.value).isprintable() and len(str(error.value)) < 200


def test_of_several_event_streams_the_first_is_decoded() -> None:
    data = aedat4_header(["FRME", "EVTS", "EVTS"]) + aedat4_packet(ROWS[:1], 2)
    data += aedat4_packet(ROWS, 1) + aedat4_packet(ROWS[:1], 0, kind=b"FRME")
    assert decode(Aedat4Decoder, data)[0] == [list(row) for row in ROWS]


def test_what_follows_the_packets_is_no_packet() -> None:
    body = aedat4_packet(ROWS)
    end = len(aedat4_header(["EVTS"])) + len(body)
    for table in (end, -1):
        data = aedat4_header(["EVTS"], table=table) + body
        rows, stats = decode(Aedat4Decoder, data + b"\x09" * 40)
        assert rows == [list(row) for row in ROWS] and stats.malformed == (table < 0)


def test_a_description_that_is_no_text_does_no_harm() -> None:
    data = bytearray(aedat4_header(["EVTS"]) + aedat4_packet(ROWS))
    for place in range(80, 300):
        altered = data.copy()
        altered[place] = 0xE9
        assert decode(Aedat4Decoder, bytes(altered))[0] in ([list(row) for row in ROWS], [])
