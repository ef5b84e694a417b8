"""Thousands of random networks, in parts that can be run one by one: see tests/nightly.sh.

`PUMICE_PART=3/50` runs the third of fifty parts, whose networks are always the same; without it all
run in one go, with new networks each time.
"""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def read_part(text: str | None) -> tuple[int, int] | None:
    """Parse "number/parts", the number from 1; None where `text` is None or empty."""
    if not text:
        return None
    number, _, parts = text.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        raise ValueError(f"PUMICE_PART is {text!r}, needs number/parts such as 3/50")
    return int(number), int(parts)


def thousands(count: int) -> Decorator:
    """Let a test take `count` examples, or those of the part that `PUMICE_PART` names."""
    part = read_part(os.environ.get("PUMICE_PART"))

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        chosen = settings(
            max_examples=-(-count // (part[1] if part else 1)),
            deadline=None,
            database=None,
            derandomize=False,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(test)
        return seed(f"{part[0]}/{part[1]}")(chosen) if part else chosen

    return decorate
