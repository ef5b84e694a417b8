"""Parse TOML in bounded time and memory.

`tomllib` takes time that is quadratic in the parts of a dotted key (35 s for one of 20,000 parts),
and raises other errors than its own for deep brackets and for long numbers.
"""

import os
import re
import tomllib
from typing import Any

from .input_file import open_input

MAX_BYTES = 1 << 18  # of a file; a recipe with all keys has a few thousand
MAX_KEY_PARTS = 32
MAX_INTEGER = 1 << 63
# Both take time that is linear in the text: nothing is tried again (++, *+).
QUOTED = re.compile(r'"(?:\\.|[^"\\\n])*+"?|\'[^\'\n]*+\'?')
LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_KEY_PARTS}}}", re.ASCII)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse `text`; raises `ValueError` where it is no TOML, or nested too deeply."""
    if LONG_KEY.search(QUOTED.sub("_", text)):
        raise ValueError(f"a key of more than {MAX_KEY_PARTS} parts")
    try:
        values = tomllib.loads(text)
        _check_integers(values)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None
    return values


def _check_integers(value: Any) -> None:
    """Raise `ValueError` for an integer of more than 64 bits, which TOML need not have."""
    if isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER:
        raise ValueError(f"an integer of {value.bit_length()} bits; needs at most 64")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _check_integers(each)


def read_toml(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Read and parse the file at `path`; returns its values and its text.

    Raises `OSError` where it cannot be read, and `ValueError` where it is no TOML or too large,
    `DataError` of them where it is no regular file.
    """
    with open_input(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    text = content.decode("utf-8").replace("\r\n", "\n")
    return parse_toml(text), text
