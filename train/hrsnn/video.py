"""Videos from files as spikes: where adjacent images differ, with a data set's own split."""

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
    "kth": "by persons, as its authors published it",
    "ucf11": "by groups: 20 to 25 test",
    "ucf101": "by groups, an official list",
    "hmdb51": "an official list",
    "minikinetics": "folders train and val",
}


class VideoSpikeOptions(VideoOptions):
    """Which videos, and how they become spikes: table `[video]` of a recipe.

    They are seen grey and small. Of each, `clips` clips spread evenly over it are taken, of
    `timesteps` differences between images `stride` apart; `share` of all pixels and steps spike.
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
    """Return the clips of `options`, or of the same set in `folder`, as ON and OFF spikes.

    Those of a test video are no training samples: parts are split by persons or groups. Raises
    `DataError` where files are absent, too many cannot be used, or a test class is not trained.
    """
    chosen = options.model_copy(update={"folder": folder or options.folder})
    parts: dict[Part, VideoFolder] = {
        "train": open_video_folder(chosen, part="train"),
        "test": open_video_folder(chosen, part="test"),
    }
    names = parts["train"].classes
    strange = sorted({*parts["test"].classes} - {*names})
    if strange:
        raise DataError(f"{options.name}: {', '.join(strange)}: only among the test videos")
    numbers = {name: k for k, name in enumerate(names)}
    train, test = (encode_videos(part, numbers, options) for part in parts.values())
    told = {
        "source": f"{options.name}, difference of adjacent images",
        "split": SPLITS[options.name],
        "left_out": [each for part in parts.values() for each in part.skipped],
        "options": options.model_dump(mode="json", exclude={"folder", "splits"}),
    }
    digest = compute_digest(train, test, options.model_copy(update={"splits": None}))
    return Dataset(options.name, train, test, len(names), digest, told)


def encode_videos(
    videos: VideoFolder, numbers: Mapping[str, int], options: VideoSpikeOptions
) -> FrameSet:
    """Encode clips of `videos` as (timesteps, clips, 2, height, width); labels by `numbers`."""
    cut = ClipOptions(timesteps=options.timesteps + 1, stride=options.stride)
    frames: list[NDArray[np.uint8]] = []
    labels = []
    for video, length in enumerate(videos.lengths.tolist()):
        label = numbers[videos.classes[videos.labels["class"][video]]]
        for start in uniform_clip_starts(length, cut, options.clips).tolist():
            images = videos.clip(video, frame_indices(start, cut, length))
            frames.append(
                frame_differences(images.mean(axis=1, dtype=np.float32), options.spike_fraction)
            )
            labels.append(label)
    return FrameSet(np.stack(frames, axis=1), np.array(labels, np.int64))
