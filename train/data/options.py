"""Options of a dataset: table `[data]` of a recipe."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from ...runtime.config import Options

Binning = Literal["time", "count"]
Values = Literal["binary", "counts", "gray"]


class DataOptions(Options):
    """Choice of a dataset, and conversion of its events or images to frames.

    - `name`: name of the dataset.
    - `folder`: where its files are, for datasets that are not generated.
    - `timesteps`: frames per sample.
    - `binning`: frames are slices of equal "time" or of equal event "count".
    - `values`: value of a pixel, "binary" (1 where there was an event), "counts" (number of events,
      at most 255) or "gray" (video images of `digit-motions` instead of events, 0 to 255).
    - `pool`: downsampling factor; squares of `pool` x `pool` pixels become one.
    - `seed`: seed of generated recordings; the train/test split never depends on it.
    - `label`: label to learn, for datasets with labels of several kinds.
    - `size`: side in pixels that a dataset is rescaled to, where it can be; 0 keeps its own.
    - `window`: length in microseconds of the windows that recordings are cut into, where they are.
    - `value_bits`: most significant bits kept of an image's 8-bit values. Images are repeated over
      all timesteps. The bias that centers them is clipped where values are large, so 4 bits convert
      with less error than 8.
    - `labels`: whether labels may be used; with `false`, no label may be learned from.
    """

    name: str = "digits-events"
    folder: Path | None = None
    timesteps: int = Field(default=8, ge=1)
    binning: Binning = "time"
    values: Values = "binary"
    pool: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    label: Literal["digit", "motion"] | None = None
    size: int = Field(default=0, ge=0)
    window: int = Field(default=0, ge=0)
    value_bits: int = Field(default=8, ge=1, le=8)
    labels: bool = True

    @field_validator("values", mode="before")
    @classmethod
    def _spell_gray(cls, values: Any) -> Any:
        """Networks of format version 1 have the spelling "grey" in their provenance."""
        return "gray" if values == "grey" else values
