"""The videos that a recipe names, as frames or as events of a simulated sensor."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .digit_motions import Scene, load_motion_recordings, load_motion_videos, split_indices
from .frames import to_frames
from .sensor import Sensor, simulate_events
from .video_folder import open_video_folder
from .video_options import Part, VideoOptions
from .videos import Videos, VideoSource

EVENT_FRAMES = 24  # that a digit's whole recording is cut into
INTERVAL = 1000  # microseconds between two images before the sensor; it does not matter how many
WHITE = 255


def load_videos(options: VideoOptions, part: Part) -> VideoSource:
    """Return the videos of `part`, which has been looked through.

    Raises `DataError` where files are absent or too many of them cannot be used.
    """
    if options.name != "digit-motions":
        found = open_video_folder(options, part=part)
        return found if options.input == "frames" else EventVideos(found)
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
    """Videos as a simulated event sensor sees them, clip by clip: a `VideoSource`.

    Position p holds the events, 0 or 1 of each polarity, between images p and p + 1 of a video;
    from one position asked for to the next the sensor sees a straight change.
    """

    videos: VideoSource
    sensor: Sensor = Sensor()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Positions of each video, one fewer than its images."""
        return self.videos.lengths - 1

    @property
    def labels(self) -> Mapping[str, NDArray[np.int64]]:
        """Those of the videos."""
        return self.videos.labels

    @property
    def shape(self) -> tuple[int, ...]:
        """OFF and ON events, (2, height, width)."""
        return (2, *self.videos.shape[1:])

    @property
    def value_bits(self) -> int:
        """Bits of a value: 1."""
        return 1

    def clip(self, video: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the events from each of `positions` to the next, uint8 (positions, *shape)."""
        ends = np.append(positions, positions[-1] + 1)
        images = self.videos.clip(video, ends).mean(axis=1) / WHITE
        events = simulate_events(images, self.sensor, INTERVAL)
        # The last moment belongs to the last frame.
        return to_frames(events, len(positions), duration=INTERVAL * len(positions) + 1)
