"""Dataset `digit-motions`: videos and simulated event recordings of moving handwritten digits.

Each of scikit-learn's 1,797 real handwritten digits (see `digits_events`) makes one of eight
motions. A video has two labels: `digit`, visible in one frame, and `motion`, which needs several.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .cache import cached_array, cached_recordings
from .dataset import Dataset, FrameSet, compute_digest
from .digits_events import CLASSES, SPLIT_SEED, TEST_PER_CLASS, load_sklearn_digits
from .frames import stack_frames
from .motion import Motion, render
from .options import DataOptions
from .recordings import Recordings
from .sensor import Sensor, simulate_events
from .split import stratified_split
from .video_options import Part
from .videos import Videos

NAME = "digit-motions"
# Pose parameter and sign of each motion: columns run right, rows down, angles counter-clockwise.
MOTION_AXES = {
    "left": ("column", -1),
    "right": ("column", 1),
    "up": ("row", -1),
    "down": ("row", 1),
    "rotate left": ("angle", 1),
    "rotate right": ("angle", -1),
    "zoom in": ("size", 1),
    "zoom out": ("size", -1),
}
MOTIONS = tuple(MOTION_AXES)
VALIDATION_PER_CLASS = 18  # of the digits that are not in the test part
WHITE = 255  # gray level of full ink


@dataclass(frozen=True)
class Scene:
    """Parameters of the videos of moving digits.

    A video has `images` frames of `width` x `height` pixels, one every `interval` microseconds. At
    a random moment of the video, the digit's center is up to `offset` pixels from the frame's on
    each axis, the digit is tilted by up to `tilt` radians, and a digit pixel covers `scale` pixels,
    multiplied or divided by up to `scale_jitter`; all are sampled per video. One of these changes
    at constant speed: from the first frame to the last, the center moves by `displacement` pixels,
    the digit rotates by `rotation` radians, or its size is multiplied or divided by `zoom`, faster
    or slower by up to the fraction `speed_jitter`. The frame wraps around. As the moment is random,
    a single frame carries little information about the direction.
    """

    width: int = 16
    height: int = 16
    images: int = 32
    interval: int = 10_000
    scale: float = 1.1
    scale_jitter: float = 1.1
    offset: float = 1.0
    tilt: float = 0.2
    displacement: float = 10.0
    rotation: float = 0.9
    zoom: float = 1.6
    speed_jitter: float = 0.2
    sensor: Sensor = Sensor(threshold=0.5, mismatch=0.1, dark=0.3, seed=0)

    @property
    def duration(self) -> int:
        """Duration from the first frame to the last, inclusive, microseconds."""
        return (self.images - 1) * self.interval + 1


def load_digit_motions(options: DataOptions) -> Dataset:
    """Load the recordings as event frames, or as gray images: 1,437 for training, 360 for test.

    Images (`options.values` "gray") are evenly spaced over the video, (1, 16, 16) each.
    `options.label` is the label to learn, "digit" (default) or "motion". The test digits are those
    of `digits-events`. Raises `MissingPackage` without scikit-learn, and `DataError` for another
    label.
    """
    scene, label = Scene(), options.label or "digit"
    if label not in ("digit", "motion"):
        raise DataError(f"{NAME}: has no label {label!r}; choose 'digit' or 'motion'")
    if options.values == "gray":
        videos = _load_videos(options.seed)
        frames = np.linspace(0, scene.images - 1, options.timesteps).round().astype(np.int64)
        events, labels = videos.frames[:, frames].swapaxes(0, 1), videos.labels
    else:
        recordings, labels = load_motion_recordings(options.seed)
        events = stack_frames(recordings.events, options, scene.duration)
    train, test = (
        FrameSet(events[:, part], labels[label][part])
        for part in stratified_split(labels["digit"], TEST_PER_CLASS, SPLIT_SEED)
    )
    provenance = {
        "source": "scikit-learn's handwritten digits, moving before a simulated "
        + ("camera" if options.values == "gray" else "event sensor"),
        "license": "CC BY 4.0 (the digits)",
        "split": f"{TEST_PER_CLASS} of each digit held out, seed {SPLIT_SEED}",
        "options": options.model_dump(mode="json", exclude={"folder"}),
        "scene": asdict(scene),
        "duration_us": scene.duration,
    }
    classes = {"digit": CLASSES, "motion": len(MOTIONS)}[label]
    return Dataset(NAME, train, test, classes, compute_digest(train, test, options), provenance)


def load_motion_videos(part: Part, seed: int = 0) -> Videos:
    """Load the videos of a part: 1,257 for training, 180 for validation, 360 for test.

    A video has 32 gray frames of 16 x 16 pixels and labels "digit" and "motion". The split is by
    digit and the same for all seeds. Raises `MissingPackage` without scikit-learn.
    """
    videos = _load_videos(seed)
    return videos.select(split_indices(videos.labels["digit"], part))


def split_indices(digits: NDArray[np.int64], part: Part) -> NDArray[np.int64]:
    """Indices of the digits of a part, int64, ascending."""
    rest, test = stratified_split(digits, TEST_PER_CLASS, SPLIT_SEED)
    train, validation = stratified_split(digits[rest], VALIDATION_PER_CLASS, SPLIT_SEED)
    return {"train": rest[train], "validation": rest[validation], "test": test}[part]


def load_motion_recordings(seed: int = 0) -> tuple[Recordings, dict[str, NDArray[np.int64]]]:
    """Load the event recording of each digit's video, in scikit-learn's order, and both labels."""
    scene = Scene()
    recordings = cached_recordings(
        NAME,
        _cache_parameters(scene, seed),
        scene.width,
        scene.height,
        lambda: _simulate_recordings(scene, seed),
    )
    return recordings, {
        "digit": recordings.labels,
        "motion": assign_motions(recordings.labels, seed),
    }


def assign_motions(digits: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Assign a random motion to each digit, int64, balanced within each class of digits."""
    generator = np.random.default_rng(seed)
    motions = np.zeros_like(digits)
    for digit in np.unique(digits):
        members = np.flatnonzero(digits == digit)
        turns = (np.arange(len(members)) + digit) % len(MOTIONS)
        motions[members] = generator.permutation(turns)
    return motions


def sample_trajectory(scene: Scene, motion: str, generator: np.random.Generator) -> Motion:
    """Sample the pose over a video with the named motion, one entry of `MOTION_AXES`."""
    axis, sign = MOTION_AXES[motion]
    jitter = {
        "row": scene.offset,
        "column": scene.offset,
        "angle": scene.tilt,
        "size": np.log(scene.scale_jitter),
    }
    pose = {
        name: np.full(scene.images, generator.uniform(-limit, limit))
        for name, limit in jitter.items()
    }
    change = {"angle": scene.rotation, "size": np.log(scene.zoom)}.get(axis, scene.displacement)
    speed = generator.uniform(1 - scene.speed_jitter, 1 + scene.speed_jitter)
    progress = np.linspace(0, 1, scene.images) - generator.uniform()
    pose[axis] = pose[axis] + sign * speed * change * progress
    return Motion(pose["row"], pose["column"], pose["angle"], scene.scale * np.exp(pose["size"]))


def render_wrapped(
    image: NDArray[np.floating], motion: Motion, scene: Scene
) -> NDArray[np.float64]:
    """Render a moving image in a frame that wraps around, float64 (images, height, width), 0..1."""
    height, width = scene.height, scene.width
    inside = replace(
        motion,
        row=(motion.row + height / 2) % height - height / 2,
        column=(motion.column + width / 2) % width - width / 2,
    )
    padded = render(image, inside, 2 * width, 2 * height)
    padded = np.roll(padded, (-height // 2, -width // 2), axis=(1, 2))
    tiles = padded.reshape(len(motion), 2, height, 2, width)
    folded: NDArray[np.float64] = tiles.sum(axis=(1, 3))
    return folded.clip(max=1.0)


def _iter_videos(scene: Scene, seed: int) -> Iterator[NDArray[np.float64]]:
    """Rendered video of each digit, in scikit-learn's order."""
    images, labels = load_sklearn_digits()
    generator = np.random.default_rng((seed, len(images)))
    for image, motion in zip(images, assign_motions(labels, seed), strict=True):
        yield render_wrapped(image, sample_trajectory(scene, MOTIONS[motion], generator), scene)


def _simulate_recordings(scene: Scene, seed: int) -> Recordings:
    events = tuple(
        simulate_events(video, scene.sensor, scene.interval) for video in _iter_videos(scene, seed)
    )
    return Recordings(events, load_sklearn_digits()[1])


def _load_videos(seed: int) -> Videos:
    scene = Scene()

    def render_all() -> NDArray[np.uint8]:
        videos = np.stack(list(_iter_videos(scene, seed)))
        return np.round(videos * WHITE).astype(np.uint8)

    frames = cached_array(f"{NAME}-video", _cache_parameters(scene, seed), render_all)
    labels = load_sklearn_digits()[1]
    return Videos(frames[:, :, None], {"digit": labels, "motion": assign_motions(labels, seed)})


def _cache_parameters(scene: Scene, seed: int) -> dict[str, Any]:
    return {"scene": asdict(scene), "motions": list(MOTIONS), "seed": seed}
