"""Settings of `bench.hrsnn`, read from `hrsnn_settings.toml`."""

import tomllib
from pathlib import Path
from typing import Any

from pumice.train.hrsnn import HrsnnOptions
from pumice.train.hrsnn.options import Variant

FILE = Path(__file__).with_suffix(".toml")
BINS = 1  # time bins of the read-out; with more it would encode time in place of the network


def network_options(name: str | None = None, variant: Variant = "HeN/HeS") -> HrsnnOptions:
    """Options of the network, with the distributions searched for `variant` on dataset `name`."""
    settings: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    distributions = settings[name][variant] if name else {}
    return HrsnnOptions.model_validate(settings["network"] | distributions)
