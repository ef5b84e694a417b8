"""Text tables for summaries: plain text in a terminal, HTML in a notebook."""

from collections.abc import Collection
from dataclasses import dataclass
from html import escape


def count_of(count: int, noun: str) -> str:
    """Format a count with its noun: "1 core", "1,200 cores"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True, repr=False)
class TextTable:
    """A printable table.

    Attributes:
        columns: Headers.
        rows: Cells of each row, as many as columns.
        right_aligned: Headers of the columns that are aligned to the right.
        title: Line before the table.
        footer: Line after the table.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right_aligned: Collection[str] = ()
    title: str = ""
    footer: str = ""

    def __str__(self) -> str:
        """Format as plain text."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        text = [
            "  ".join(
                cell.rjust(width) if column in self.right_aligned else cell.ljust(width)
                for cell, width, column in zip(line, widths, self.columns, strict=True)
            ).rstrip()
            for line in lines
        ]
        text.insert(1, "-" * max(map(len, text)))
        return "\n".join([*filter(None, [self.title]), *text, *filter(None, [self.footer])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        caption = ". ".join(filter(None, (self.title, self.footer)))
        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows
        )
        return (
            f"<table><caption>{escape(caption)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
