"""Load the videos that a recipe names, as frames or as events of a simulated sensor."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .digit_motions import Scene, load_motion_recordings, load_motion_videos, split_indices
from .fashion_motions import load_garment_videos
from .frames import to_frames
from .sensor import Sensor, simulate_events
from .video_folder import open_video_folder
from .video_options import Part, VideoOptions
from .videos import Videos, VideoSource

EVENT_FRAMES = 24  # timesteps of a digit's recording
INTERVAL = 1000  # microseconds between two frames seen by the sensor; any value would do
WHITE = 255


def load_videos(options: VideoOptions, part: Part) -> VideoSource:
    """Load the videos of a part, after a check of its files.

    Raises `DataError` where files are missing or too many of them cannot be used.
    """
    if options.name != "digit-motions":
        videos: VideoSource = (
            load_garment_videos(part, options.folder, options.seed)
            if options.name == "fashion-motions"
            else open_video_folder(options, part=part)
        )
        return videos if options.input == "frames" else EventVideos(videos)
    if options.input == "frames":
        return load_motion_videos(part, options.seed)
    recordings, labels = load_motion_recordings(options.seed)
    duration = Scene().duration
    chosen = split_indices(labels["digit"], part)
    frames = [
        to_frames(recordings.events[k], EVENT_FRAMES, duration=duration) for k in chosen.tolist()
    ]
    return Videos(np.stack(frames), {name: each[chosen] for name, each in labels.items()})


@dataclass(frozen=True, eq=False)
class EventVideos:
    """Videos seen by a simulated event sensor, clip by clip: a `VideoSource`.

    Position p has the events, 0 or 1 of each polarity, between frames p and p + 1 of a video.
    Between requested positions, intensity changes linearly for the sensor.
    """

    videos: VideoSource
    sensor: Sensor = Sensor()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of positions of each video, one fewer than its frames."""
        return self.videos.lengths - 1

    @property
    def labels(self) -> Mapping[str, NDArray[np.int64]]:
        """Labels of the videos."""
        return self.videos.labels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a frame of OFF and ON events, (2, height, width)."""
        return (2, *self.videos.shape[1:])

    @property
    def value_bits(self) -> int:
        """Bits per value: 1."""
        return 1

    def clip(self, video: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Events from each of `positions` to the next, uint8 (positions, *shape)."""
        ends = np.append(positions, positions[-1] + 1)
        images = self.videos.clip(video, ends).mean(axis=1) / WHITE
        events = simulate_events(images, self.sensor, INTERVAL)
        # The last timestamp belongs to the last frame.
        return to_frames(events, len(positions), duration=INTERVAL * len(positions) + 1)
