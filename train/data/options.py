"""What a recipe says about its data: table `[data]`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Binning = Literal["time", "count"]
Values = Literal["binary", "counts", "grey"]


class DataOptions(BaseModel):
    """Which data set, and how its events become frames.

    `folder` holds a data set that is not made here. `timesteps` frames a recording, cut by
    `binning`: slices of equal "time", or of equal event "count". The `values` of a pixel are
    "binary" (1 where there was an event), "counts" (events, at most 255) or, of digits in motion,
    "grey": no events, but the images of the video, 0 to 255. `pool` joins squares of `pool` x
    `pool` pixels. `seed` makes the recordings of a data set that is made here; the
    split into training and test samples never depends on it. `label` chooses what is to be told,
    of a data set that has labels of several kinds. `size` scales a data set that says so to so many
    pixels a side, `window` cuts its recordings into pieces of so many microseconds. Images are
    shown for all `timesteps`, unchanged, of each pixel the highest `value_bits` bits: the bias that
    centres them is cut where the values are large, so 4 convert better than 8. With `labels =
    false` no label may be learned from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
