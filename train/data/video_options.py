"""What a recipe says about its videos: table `[data]` of pretraining."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

VideoSet = Literal["digit-motions", "ucf101", "hmdb51", "minikinetics", "kth", "ucf11", "folder"]
Part = Literal["train", "validation", "test"]


class VideoOptions(BaseModel):
    """Which videos, and how they are seen.

    `folder` holds a data set that is not made here, and `splits` its official lists where they lie
    elsewhere; `split` is which of them, where it has several. `input` is "frames" (grey or colour
    values of 8 bits) or "events" of a simulated sensor. Videos from files are resized to `height`
    x `width`, `grey` where asked. More than the share `unreadable` of files that cannot be used
    stops the run; the rest is left out and named. `cache` keeps decoded videos in the user's cache
    folder. `seed` makes the videos of a data set that is made here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: VideoSet = "digit-motions"
    folder: Path | None = None
    splits: Path | None = None
    split: int = Field(default=1, ge=1, le=3)
    input: Literal["frames", "events"] = "frames"
    height: int = Field(default=112, ge=8)
    width: int = Field(default=112, ge=8)
    grayscale: bool = False
    unreadable: float = Field(default=0.01, ge=0, le=1)
    cache: bool = False
    seed: int = Field(default=0, ge=0)
