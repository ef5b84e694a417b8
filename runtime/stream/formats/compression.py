"""LZ4 and Zstandard frames, decompressed within a bound of memory."""

from collections.abc import Callable

from ...errors import DataError
from ...extras import import_extra

Decompress = Callable[[bytes], bytes]
MAX_BYTES = 64 << 20  # of one frame, decompressed


def make_decompressor(kind: int) -> Decompress:
    """Return the function that decompresses a packet of AEDAT 4's compression number `kind`.

    The function raises `DataError` where the packet is damaged or larger than 64 MiB. Raises
    `DataError` where the number is unknown, `MissingPackage` where the library is absent.
    """
    if kind == 0:
        return bytes
    if kind in (1, 2):
        return _make_lz4()
    if kind in (3, 4):
        return _make_zstandard()
    raise DataError(f"compression {kind} is unknown; needs 0 to 4")


def _make_lz4() -> Decompress:
    frames = import_extra("lz4.frame", "streams", "AEDAT 4 compressed by LZ4")

    def decompress(data: bytes) -> bytes:
        frame = frames.LZ4FrameDecompressor()
        try:
            result: bytes = frame.decompress(data, MAX_BYTES)
        except (RuntimeError, ValueError, EOFError) as error:
            raise DataError(f"is not an LZ4 frame ({error})") from None
        if not frame.eof:
            raise DataError(f"is a cut LZ4 frame, or of more than {MAX_BYTES} bytes")
        return result

    return decompress


def _make_zstandard() -> Decompress:
    zstandard = import_extra("zstandard", "streams", "AEDAT 4 compressed by Zstandard")

    def decompress(data: bytes) -> bytes:
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_BYTES).stream_reader(data)
        parts, size = [], 0
        try:
            while part := reader.read(1 << 20):
                parts.append(part)
                size += len(part)
                if size > MAX_BYTES:
                    raise DataError(f"is a Zstandard frame of more than {MAX_BYTES} bytes")
        except zstandard.ZstdError as error:
            raise DataError(f"is not a Zstandard frame ({error})") from None
        return b"".join(parts)

    return decompress
