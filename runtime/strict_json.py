"""Parse JSON of other people: no NaN, no infinity, and an error of one kind."""

import json
import math
from typing import Any

MAX_DIGITS = 400  # of an integer; doubles have at most 309 before the point


def parse_json(text: str | bytes) -> Any:
    """Parse `text`; raises `ValueError` where it is no JSON, nested too deeply, or not finite."""
    try:
        return json.loads(text, parse_constant=_reject, parse_float=_finite, parse_int=_integer)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None


def _reject(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _reject(text)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)
