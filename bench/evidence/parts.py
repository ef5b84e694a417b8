"""Parts of `bench.evidence` by name; each module is imported when it is used."""

import importlib
from collections.abc import Sequence

from bench.evidence.cells import Part

MODULES = {
    "low-timesteps": "bench.evidence.low_timesteps",
    "prednext": "bench.evidence.prednext",
    "hrsnn": "bench.evidence.hrsnn",
    "recipes": "bench.evidence.recipes",
    "energy": "bench.evidence.energy",
}


def load_part(name: str) -> Part:
    """Load a part.

    Raises:
        KeyError: There is no part of that name.
    """
    part = importlib.import_module(MODULES[name]).PART
    assert isinstance(part, Part)
    return part


def load_parts(names: Sequence[str]) -> list[Part]:
    """Load the parts, all of them where none is named."""
    return [load_part(name) for name in (names or MODULES)]
