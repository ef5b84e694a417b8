"""Parse the options that describe an imported model."""

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..train.export import ImportSettings


def parse_import_settings(  # noqa: PLR0913 (one per option)
    input_shape: str | None,
    value_bits: int,
    dt: float | None,
    reset: Literal["zero", "subtract", "delayed_subtract"] | None,
    timing: Literal["slayer", "synchronous", "pipelined"],
    skip_layers: int,
    signed: bool,
    input_scale: float,
) -> "ImportSettings":
    """Parse settings of `convert`; raises `NetworkError` for an invalid shape."""
    return {
        "input_shape": _parse_shape(input_shape),
        "value_bits": value_bits,
        "dt": dt,
        "reset": reset,
        "timing": timing,
        "skip_layers": skip_layers,
        "signed": signed,
        "input_scale": input_scale,
    }


def _parse_shape(text: str | None) -> tuple[int, ...] | None:
    from ..runtime.errors import NetworkError

    if text is None:
        return None
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(re.fullmatch(r"\s*\d{1,9}\s*", part) for part in parts):
        raise NetworkError(
            f"--input-shape {text}: needs one number of neurons, or channels,height,width"
        )
    return tuple(int(part) for part in parts)
