"""Datasets of video files encoded as frame differences, with their own splits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...runtime.errors import DataError
from ..data.clips import ClipOptions, frame_indices, uniform_clip_starts
from ..data.dataset import Dataset, FrameSet, compute_digest
from ..data.video_folder import VideoFolder, open_video_folder
from ..data.video_options import Part, VideoOptions
from .encode import frame_differences

SPLITS = {
    "kth": "by person, as published by its authors",
    "ucf11": "by group: 20 to 25 for test",
    "ucf101": "by group, an official list",
    "hmdb51": "an official list",
    "minikinetics": "folders train and val",
}


class VideoSpikeOptions(VideoOptions):
    """Videos encoded as spikes: table `[video]` of a recipe.

    Videos are gray and downscaled.

    - `timesteps`: frame differences of a clip.
    - `stride`: distance of the frames of a difference.
    - `clips`: number of clips of each video, evenly spaced.
    - `spike_fraction`: fraction of all pixels and timesteps that spike.
    """

    name: Literal["kth", "ucf11", "ucf101", "hmdb51", "minikinetics"] = "kth"
    input: Literal["frames"] = "frames"
    height: int = Field(default=32, ge=8)
    width: int = Field(default=32, ge=8)
    grayscale: bool = True
    timesteps: int = Field(default=20, ge=1)
    stride: int = Field(default=1, ge=1)
    clips: int = Field(default=4, ge=1)
    spike_fraction: float = Field(default=0.05, gt=0, lt=1)


def load_video_dataset(options: VideoSpikeOptions, folder: Path | None = None) -> Dataset:
    """Load a video dataset, from `folder` if any, as clips of ON and OFF spikes.

    Parts are split by person or group: no video has clips in both. Raises `DataError` where files
    are missing, too many cannot be used, or a class of the test part is not in the training part.
    """
    located = options.model_copy(update={"folder": folder or options.folder})
    parts: dict[Part, VideoFolder] = {
        "train": open_video_folder(located, part="train"),
        "test": open_video_folder(located, part="test"),
    }
    names = parts["train"].classes
    unknown = sorted({*parts["test"].classes} - {*names})
    if unknown:
        raise DataError(f"{options.name}: {', '.join(unknown)}: only among the test videos")
    numbers = {name: k for k, name in enumerate(names)}
    train, test = (encode_videos(part, numbers, options) for part in parts.values())
    provenance = {
        "source": f"{options.name}, difference of adjacent images",
        "split": SPLITS[options.name],
        "skipped": [reason for part in parts.values() for reason in part.skipped],
        "options": options.model_dump(mode="json", exclude={"folder", "splits"}),
    }
    digest = compute_digest(train, test, options.model_copy(update={"splits": None}))
    return Dataset(options.name, train, test, len(names), digest, provenance)


def encode_videos(
    videos: VideoFolder, numbers: Mapping[str, int], options: VideoSpikeOptions
) -> FrameSet:
    """Encode clips of `videos` as (timesteps, clips, 2, height, width); labels by `numbers`."""
    clip_options = ClipOptions(timesteps=options.timesteps + 1, stride=options.stride)
    frames: list[NDArray[np.uint8]] = []
    labels = []
    for video, length in enumerate(videos.lengths.tolist()):
        label = numbers[videos.classes[videos.labels["class"][video]]]
        for start in uniform_clip_starts(length, clip_options, options.clips).tolist():
            images = videos.clip(video, frame_indices(start, clip_options, length))
            frames.append(
                frame_differences(images.mean(axis=1, dtype=np.float32), options.spike_fraction)
            )
            labels.append(label)
    return FrameSet(np.stack(frames, axis=1), np.array(labels, np.int64))
