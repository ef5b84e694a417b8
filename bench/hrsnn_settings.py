"""The settings of `bench.hrsnn`, from `hrsnn_settings.toml`."""

import tomllib
from pathlib import Path
from typing import Any

from pumice.train.hrsnn import HrsnnOptions
from pumice.train.hrsnn.options import Variant

FILE = Path(__file__).with_suffix(".toml")
BINS = 1  # spans of time that are counted: with more, the read-out would hold time for the network


def network_options(name: str | None = None, which: Variant = "HeN/HeS") -> HrsnnOptions:
    """Return the network, with the laws that a search found for `which` on the data set `name`."""
    told: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    laws = told[name][which] if name else {}
    return HrsnnOptions.model_validate(told["network"] | laws)
