"""Markdown helpers of the generated pages."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Format a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def code(text: Any) -> str:
    """Format as inline code."""
    return f"`{text}`" if str(text) else ""


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
