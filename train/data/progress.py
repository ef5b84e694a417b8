"""Progress bar on standard error, in terminals and notebooks alone."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
QUICK = 2  # steps that are too few for a bar


def track(
    items: Iterable[Item], total: int, label: str, progress: bool | None = None
) -> Iterator[Item]:
    """Pass `items` on, with a bar of `total` steps; None shows one in a terminal or notebook."""
    shown = sys.stderr.isatty() or "ipykernel" in sys.modules if progress is None else progress
    if not shown or total <= QUICK:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(
        items, label, total=total, console=Console(file=sys.stderr), transient=True
    )
