"""Dataset `digits-events`: simulated event recordings of real handwritten digits.

scikit-learn's 1,797 digits (8 x 8 pixels, 17 gray levels; E. Alpaydin and C. Kaynak, "Optical
Recognition of Handwritten Digits", UCI, 1998, CC BY 4.0) are moved along three saccades in front
of a simulated sensor, as N-MNIST did with MNIST in front of a real one (G. Orchard et al.,
Frontiers in Neuroscience 9:437, 2015). The digits are real, the events are simulated.
"""

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import MissingPackage
from .cache import cached_recordings
from .dataset import Dataset, FrameSet, compute_digest, hold_out
from .frames import stack_frames
from .motion import render
from .options import DataOptions
from .recordings import Recordings
from .saccades import CORNERS, Scene, saccade_motion
from .sensor import simulate_events

NAME = "digits-events"
CLASSES = 10
MAX_GRAY = 16  # gray level of full ink
TEST_PER_CLASS = 36  # 360 of 1,797 recordings, 20 percent
SPLIT_SEED = 1797  # the split does not depend on the seed of the recordings


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


def load_sklearn_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Load scikit-learn's digits, 0 (paper) to 1 (ink), (1797, 8, 8), and their labels."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingPackage(f"{NAME} needs scikit-learn: pip install 'pumice[train]'") from error
    dataset = load_digits()
    return dataset.images / MAX_GRAY, dataset.target
