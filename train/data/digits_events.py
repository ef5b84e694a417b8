"""Dataset `digits-events`: simulated event recordings of real handwritten digits.

scikit-learn's 1,797 digits (8 x 8 pixels, 17 gray levels; E. Alpaydin and C. Kaynak, "Optical
Recognition of Handwritten Digits", UCI, 1998, CC BY 4.0) are moved along three saccades in front
of a simulated sensor, as N-MNIST did with MNIST in front of a real one (G. Orchard et al.,
Frontiers in Neuroscience 9:437, 2015). The digits are real, the events are simulated.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import MissingPackage
from .cache import cached_recordings
from .dataset import Dataset, FrameSet, compute_digest, hold_out
from .frames import stack_frames
from .motion import Motion, render
from .options import DataOptions
from .recordings import Recordings
from .sensor import Sensor, simulate_events

NAME = "digits-events"
CLASSES = 10
MAX_GRAY = 16  # gray level of full ink
TEST_PER_CLASS = 36  # 360 of 1,797 recordings, 20 percent
SPLIT_SEED = 1797  # the split does not depend on the seed of the recordings
# Corners of the path, as N-MNIST's saccades: down and right, up and right, back to the left.
CORNERS = np.array([(-1, -1), (1, 0), (-1, 1), (-1, -1)], np.float64)
N_SACCADES = len(CORNERS) - 1


@dataclass(frozen=True)
class Scene:
    """Parameters of the saccades of a digit in front of the sensor.

    The sensor has `width` x `height` pixels; a digit pixel covers `scale` of them on each axis. A
    corner of the path is `amplitude` sensor pixels from the center on each axis; each digit's path
    is shifted by up to `jitter` sensor pixels on each axis, sampled per digit. A saccade has
    `images` frames, one every `interval` microseconds, which are half a frame's distance off the
    corners, so that the path does not end exactly at its start: a pixel that returned to its first
    intensity would be at the threshold of an event.
    """

    width: int = 16
    height: int = 16
    scale: float = 1.5
    amplitude: float = 1.2
    jitter: float = 0.25
    images: int = 10
    interval: int = 10_000
    sensor: Sensor = Sensor(threshold=0.5, mismatch=0.1, dark=0.3, seed=0)

    @property
    def duration(self) -> int:
        """Duration from the first frame to the last, inclusive, microseconds."""
        return (N_SACCADES * self.images - 1) * self.interval + 1


def load_digits_events(options: DataOptions) -> Dataset:
    """Load the digits' events as frames: 1,437 recordings for training, 360 for test.

    36 recordings of each class are held out, the same for all seeds. scikit-learn does not name the
    writers, so a writer may be in both parts. Raises `MissingPackage` without scikit-learn.
    """
    scene = Scene()
    parameters = {"scene": asdict(scene), "corners": CORNERS.tolist(), "seed": options.seed}
    recordings = cached_recordings(
        NAME,
        parameters,
        scene.width,
        scene.height,
        lambda: simulate_recordings(scene, options.seed),
    )
    samples = FrameSet(stack_frames(recordings.events, options, scene.duration), recordings.labels)
    train, test = hold_out(samples, TEST_PER_CLASS, SPLIT_SEED)
    provenance = {
        "source": "scikit-learn's handwritten digits, moved before a simulated event sensor",
        "license": "CC BY 4.0 (the digits)",
        "split": f"{TEST_PER_CLASS} of each class held out, seed {SPLIT_SEED}",
        "options": options.model_dump(mode="json", exclude={"folder"}),
        "scene": asdict(scene),
        "duration_us": scene.duration,
    }
    return Dataset(NAME, train, test, CLASSES, compute_digest(train, test, options), provenance)


def simulate_recordings(scene: Scene, seed: int) -> Recordings:
    """Simulate a recording of each digit, in scikit-learn's order; takes a few seconds."""
    images, labels = load_sklearn_digits()
    generator = np.random.default_rng(seed)
    events = []
    for image in images:
        motion = saccade_motion(scene, generator.uniform(-scene.jitter, scene.jitter, 2))
        video = render(image, motion, scene.width, scene.height)
        events.append(simulate_events(video, scene.sensor, scene.interval))
    return Recordings(tuple(events), labels)


def saccade_motion(scene: Scene, start: NDArray[np.float64]) -> Motion:
    """Path along the corners at constant speed, shifted by `start` (row, column)."""
    moments = (np.arange(N_SACCADES * scene.images) + 0.5) / scene.images
    row, column = (
        scene.amplitude * np.interp(moments, np.arange(N_SACCADES + 1), corners) + shift
        for corners, shift in zip(CORNERS.T, start, strict=True)
    )
    return Motion(row, column, np.zeros(len(moments)), np.full(len(moments), scene.scale))


def load_sklearn_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Load scikit-learn's digits, 0 (paper) to 1 (ink), (1797, 8, 8), and their labels."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingPackage(f"{NAME} needs scikit-learn: pip install 'pumice[train]'") from error
    dataset = load_digits()
    return dataset.images / MAX_GRAY, dataset.target
