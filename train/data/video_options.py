"""Options of a video dataset: table `[data]` of a pretraining recipe."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from ...runtime.config import Options

VideoSet = Literal[
    "digit-motions", "fashion-motions", "ucf101", "hmdb51", "minikinetics", "kth", "ucf11", "folder"
]
Part = Literal["train", "validation", "test"]


class VideoOptions(Options):
    """Choice of a video dataset, and conversion of its frames.

    - `name`: name of the dataset.
    - `folder`: where its files are; not of `digit-motions`.
    - `splits`: folder of the official lists, if other than `folder`.
    - `split`: number of the official split, for datasets with several.
    - `input`: "frames" (gray or color values of 8 bits) or "events" of a simulated sensor.
    - `height`, `width`: size that videos from files are resized to, pixels.
    - `grayscale`: one channel instead of red, green and blue.
    - `unreadable`: largest fraction of files that may be unusable; those are skipped and named.
    - `cache`: whether decoded videos are written to the user's cache folder.
    - `seed`: seed of generated videos.
    """

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
