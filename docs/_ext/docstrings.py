"""Sphinx extension: read docstrings that are written for a terminal as reStructuredText.

Docstrings hold indented equations, code in single backquotes, and shapes such as
`(timesteps, batch, *shape)`. Indented blocks before the first section become literal blocks, and
characters that reStructuredText would take for markup are escaped outside of backquotes.
"""

import re
from typing import Any

from sphinx.application import Sphinx

SECTION = re.compile(
    r"(Args|Arguments|Attributes|Returns|Raises|Yields|Example|Examples|Note|Notes):$"
)
BLOCK_INDENT = 4
NDARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[[^\]]*\], ~?(?:numpy\.)?dtype"
    r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\]"
)


def process_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Rewrite the `lines` of a docstring in place, before napoleon reads its sections."""
    lines[:] = convert(lines)


def convert(lines: list[str]) -> list[str]:
    """Mark indented blocks before the first section as literal, and escape all other lines."""
    result: list[str] = []
    in_section = in_block = False
    for line in lines:
        in_section = in_section or bool(SECTION.match(line))
        indented = len(line) - len(line.lstrip()) >= BLOCK_INDENT
        if line.strip() and not indented:
            in_block = False
        elif line.strip() and not in_section and not in_block:
            in_block = True
            result += ["", "::", ""]
        result.append(line if in_block or not line.strip() else escape(line))
    return result


def escape(line: str) -> str:
    """Escape `*`, `|` and trailing underscores outside of backquotes."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*|]|_(?=\W|$))", r"\\\1", part)
        for part in parts
    )


def process_signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write `NDArray[float64]` where Python has resolved the alias."""
    return tuple(text and NDARRAY.sub(r"NDArray[\1]", text) for text in (signature, returns))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect before napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", process_docstring, priority=400)
    app.connect("autodoc-process-signature", process_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
