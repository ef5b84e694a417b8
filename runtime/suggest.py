"""Suggest the nearest known name in the error message for an unknown one."""

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to `name`, or list all known names where none is near."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), names, 1, 0.5)
    if len(name) > 2:
        near += [each for each in names if each.startswith(name.lower())]
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
