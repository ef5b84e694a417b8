"""Text headers of binary recordings."""

MAX_HEADER_BYTES = 4 << 20  # some hold all preferences of the recording program
TEXT_BYTES = bytes(byte for byte in range(256) if byte in b"\t\r\n" or 32 <= byte != 127)


def is_text(line: bytes) -> bool:
    """Test a line for the absence of control characters; any encoding above ASCII passes."""
    return not line.translate(None, TEXT_BYTES)


def find_body(data: bytes, prefix: bytes, end_lines: tuple[bytes, ...], at_end: bool) -> int | None:
    """Find where the body of a recording begins, behind header lines that start with `prefix`.

    The header ends with one of `end_lines` or before the first line that has no prefix or is not
    text (an event may begin with the byte of the prefix). Such a line still belongs to the header
    where an end line follows within 4 MiB. None while that is undecided; with `at_end` no more data
    follow.
    """
    position = 0
    while position < len(data) or at_end:
        head = data[position : position + len(prefix)]
        if head != prefix[: len(head)] or (at_end and len(head) < len(prefix)):
            return position
        newline = data.find(b"\n", position)
        line = data[position : newline if newline >= 0 else len(data)]
        if not is_text(line):
            ends = [data.find(end, position) for end in end_lines]
            newlines = [data.find(b"\n", end) for end in ends if end >= 0]
            if newlines and max(newlines) >= 0:
                return max(newlines) + 1
            return position if at_end or len(data) >= MAX_HEADER_BYTES else None
        if newline < 0:
            return len(data) if at_end else None
        position = newline + 1
        if line.strip() in end_lines:
            return position
    return None


def header_lines(header: bytes) -> list[str]:
    """Split a header into lines without their ends; bytes that are not UTF-8 are replaced."""
    return [line.strip() for line in header.decode("utf-8", "replace").split("\n")]


def shorten(value: str) -> str:
    """A value of a header for an error message: at most 40 printable characters."""
    return "".join(character if character.isprintable() else "?" for character in value[:40])
