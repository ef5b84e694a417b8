"""What a recipe may say about data."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Binning = Literal["time", "count"]
Values = Literal["binary", "counts"]


class DataOptions(BaseModel):
    """Which data, and how its events become frames.

    `binning` cuts a recording into `timesteps` bins of equal time or of equal event count. A frame
    holds 1 where any event fell (`binary`) or how many did, up to 255 (`counts`). `folder` is where
    the files of a data set that is not embedded lie.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    folder: Path | None = None
    timesteps: int = Field(default=10, ge=1)
    binning: Binning = "time"
    values: Values = "binary"
