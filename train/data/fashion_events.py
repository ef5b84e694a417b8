"""Dataset `fashion-events`: simulated event recordings of the garments of Fashion-MNIST.

The 28 x 28 pixels of each garment are averaged to 14 x 14 and moved along three saccades in front
of a simulated sensor of 16 x 16 pixels. The images are real, the events are simulated. With 10,000
test samples, differences of a point can be told from chance.

H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms", arXiv 1708.07747, 2017; MIT license.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset, FrameSet, compute_digest
from .events import Events
from .fashion_mnist import CLASSES, read_parts
from .file_frames import FRAME_FIELDS, recording_source
from .frame_cache import CacheOptions, cached_frames
from .images import Images
from .motion import render_translation
from .options import DataOptions
from .saccades import CORNERS, Scene, saccade_motion
from .sensor import simulate_events

NAME = "fashion-events"
SCENE = Scene(scale=1.0)
AVERAGED = 2  # pixels on each axis that become one
WHITE = 255
FIELDS = FRAME_FIELDS - {"window", "value_bits", "sensor"}


@dataclass(frozen=True, eq=False)
class GarmentRecorder:
    """Simulates the recording of a garment by its index: `images`, and the `starts` of paths."""

    images: Images
    starts: NDArray[np.float64]
    scene: Scene

    def __call__(self, index: int) -> Events:
        """Events of the garment."""
        pixels = self.images[index, 0].astype(np.float64) / WHITE
        side = len(pixels) // AVERAGED
        small = pixels.reshape(side, AVERAGED, side, AVERAGED).mean(axis=(1, 3))
        scene = self.scene
        motion = saccade_motion(scene, self.starts[index])
        video = render_translation(small, motion, scene.width, scene.height)
        return simulate_events(video, scene.sensor, scene.interval)


def load_fashion_events(options: DataOptions) -> Dataset:
    """Load the events of 60,000 garments for training and of 10,000 for test, as published.

    The images come from the files of Fashion-MNIST in `options.folder`. Recordings are simulated on
    first use, which takes a few minutes, and cached as frames. Raises `DataError` where a file is
    missing or damaged.
    """
    parts = read_parts(NAME, options.folder)
    train, test = (
        _record_part(images, labels, options, part) for part, (images, labels) in enumerate(parts)
    )
    provenance = {
        "source": "Fashion-MNIST, moved before a simulated event sensor",
        "license": "MIT (the images)",
        "split": "as published",
        "options": options.model_dump(mode="json", exclude={"folder"}),
        "scene": asdict(SCENE),
        "duration_us": SCENE.duration,
    }
    return Dataset(NAME, train, test, CLASSES, compute_digest(train, test, options), provenance)


def _record_part(
    images: Images, labels: NDArray[np.int64], options: DataOptions, part: int
) -> FrameSet:
    """Frames of a part, from the cache; its number and the seed decide the starts of the paths."""
    generator = np.random.default_rng([options.seed, part])
    starts = generator.uniform(-SCENE.jitter, SCENE.jitter, (len(images), 2))
    recorder = GarmentRecorder(images, starts, SCENE)
    indices: Sequence[int] = range(len(images))
    sensor = SCENE.width, SCENE.height
    source = recording_source(indices, recorder, sensor, options, SCENE.duration)
    parameters = _cache_parameters(images, options, part)
    cached = cached_frames(NAME, parameters, source, CacheOptions(options.cache))
    return FrameSet(cached.source, labels)


def _cache_parameters(images: Images, options: DataOptions, part: int) -> Mapping[str, Any]:
    return {
        "images": hashlib.sha256(images.tobytes()).hexdigest(),
        "scene": asdict(SCENE),
        "corners": CORNERS.tolist(),
        "averaged": AVERAGED,
        "seed": options.seed,
        "part": part,
        "options": options.model_dump(mode="json", include=FIELDS),
    }
