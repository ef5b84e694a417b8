"""`digit-motions`: short videos, and simulated event recordings, of digits that move.

scikit-learn's 1,797 real handwritten digits (see `digits_events`) are shown once each, in one of
eight motions. A video has two labels: `digit`, what is seen, and `motion`, what happens, which
takes time to tell.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
# What changes in each motion, and which way: columns run right, rows down, angles to the left.
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
VALIDATION_PER_CLASS = 18  # of the digits that are not test
WHITE = 255  # of a video, a digit's full ink


@dataclass(frozen=True)
class Scene:
    """How a digit moves.

    It is seen as `images` images of `width` x `height` pixels, one every `interval` microseconds.
    At a drawn moment of the video its centre is up to `offset` pixels off the frame's on each axis,
    it is tilted by up to `tilt` radians and a digit's pixel covers `scale` pixels, times or divided
    by up to `spread`; each is drawn for each video. One of these changes at even speed: from the
    first image to the last the centre moves by `path` pixels, the digit turns by `turn` radians, or
    its size is multiplied or divided by `zoom`, each up to the share `hurry` faster or slower. The
    frame wraps round: a digit that leaves on one side comes in on the other. As the moment is
    drawn, one image of a video says little of which way it goes.
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
        """Microseconds from the first image to the last, both counted."""
        return (self.images - 1) * self.interval + 1


def load_digit_motions(options: DataOptions) -> Dataset:
    """Return the whole recordings as event frames, or grey images: 1,437 to train, 360 to test.

    Images (`options.values` "gray") are spread evenly over the video, (1, 16, 16) each.
    `options.label` says which label they carry, "digit" (default) or "motion". The test digits are
    those of `digits-events`. Raises `MissingPackage` without scikit-learn.
    """
    scene, kind = Scene(), options.label or "digit"
    if options.values == "gray":
        videos = _load_videos(options.seed)
        places = np.linspace(0, scene.images - 1, options.timesteps).round().astype(np.int64)
        events, labels = videos.frames[:, places].swapaxes(0, 1), videos.labels
    else:
        recordings, labels = load_motion_recordings(options.seed)
        events = stack_frames(recordings.events, options, scene.duration)
    train, test = (
        FrameSet(events[:, part], labels[kind][part])
        for part in stratified_split(labels["digit"], TEST_PER_CLASS, SPLIT_SEED)
    )
    provenance = {
        "source": "scikit-learn's handwritten digits, moving before a simulated "
        + ("camera" if options.values == "gray" else "event sensor"),
        "licence": "CC BY 4.0 (the digits)",
        "split": f"{TEST_PER_CLASS} of each digit held out, seed {SPLIT_SEED}",
        "options": options.model_dump(mode="json", exclude={"folder"}),
        "scene": asdict(scene),
        "duration_us": scene.duration,
    }
    classes = {"digit": CLASSES, "motion": len(MOTIONS)}[kind]
    return Dataset(NAME, train, test, classes, compute_digest(train, test, options), provenance)


def load_motion_videos(part: Part, seed: int = 0) -> Videos:
    """Return the videos of a part: 1,257 to train, 180 to validate, 360 to test.

    Grey images of 16 x 16 pixels, 32 a video, with labels "digit" and "motion". The split goes by
    digits and is the same for all seeds. Raises `MissingPackage` without scikit-learn.
    """
    whole = _load_videos(seed)
    return whole.select(split_indices(whole.labels["digit"], part))


def split_indices(digits: NDArray[np.int64], part: Part) -> NDArray[np.int64]:
    """Return which digits belong to `part`, int64, ascending."""
    rest, test = stratified_split(digits, TEST_PER_CLASS, SPLIT_SEED)
    kept, aside = stratified_split(digits[rest], VALIDATION_PER_CLASS, SPLIT_SEED)
    return {"train": rest[kept], "validation": rest[aside], "test": test}[part]


def load_motion_recordings(seed: int = 0) -> tuple[Recordings, dict[str, NDArray[np.int64]]]:
    """Return a recording of each digit's whole video, in scikit-learn's order, and both labels."""
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
    """Return the motion of each digit, int64, drawn so that each class has as many of each."""
    generator = np.random.default_rng(seed)
    motions = np.zeros_like(digits)
    for digit in np.unique(digits):
        members = np.flatnonzero(digits == digit)
        turns = (np.arange(len(members)) + digit) % len(MOTIONS)
        motions[members] = generator.permutation(turns)
    return motions


def sample_trajectory(scene: Scene, motion: str, generator: np.random.Generator) -> Motion:
    """Return a pose drawn from `generator` that changes over a video as the name `motion` says."""
    moved, sign = MOTION_AXES[motion]
    spread = {
        "row": scene.offset,
        "column": scene.offset,
        "angle": scene.tilt,
        "size": np.log(scene.scale_jitter),
    }
    pose = {
        name: np.full(scene.images, generator.uniform(-most, most)) for name, most in spread.items()
    }
    whole = {"angle": scene.rotation, "size": np.log(scene.zoom)}.get(moved, scene.displacement)
    speed = generator.uniform(1 - scene.speed_jitter, 1 + scene.speed_jitter)
    passed = np.linspace(0, 1, scene.images) - generator.uniform()
    pose[moved] = pose[moved] + sign * speed * whole * passed
    return Motion(pose["row"], pose["column"], pose["angle"], scene.scale * np.exp(pose["size"]))


def render_wrapped(
    image: NDArray[np.floating], motion: Motion, scene: Scene
) -> NDArray[np.float64]:
    """Return what is seen where the frame wraps round, float64 (images, height, width), 0 to 1."""
    height, width = scene.height, scene.width
    inside = replace(
        motion,
        row=(motion.row + height / 2) % height - height / 2,
        column=(motion.column + width / 2) % width - width / 2,
    )
    seen = render(image, inside, 2 * width, 2 * height)
    seen = np.roll(seen, (-height // 2, -width // 2), axis=(1, 2))
    tiles = seen.reshape(len(motion), 2, height, 2, width)
    folded: NDArray[np.float64] = tiles.sum(axis=(1, 3))
    return folded.clip(max=1.0)


def _iter_videos(scene: Scene, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield the film of each digit, in scikit-learn's order."""
    images, labels = load_sklearn_digits()
    generator = np.random.default_rng((seed, len(images)))
    for image, motion in zip(images, assign_motions(labels, seed), strict=True):
        yield render_wrapped(image, sample_trajectory(scene, MOTIONS[motion], generator), scene)


def _simulate_recordings(scene: Scene, seed: int) -> Recordings:
    events = tuple(
        simulate_events(seen, scene.sensor, scene.interval) for seen in _iter_videos(scene, seed)
    )
    return Recordings(events, load_sklearn_digits()[1])


def _load_videos(seed: int) -> Videos:
    scene = Scene()

    def made() -> NDArray[np.uint8]:
        films = np.stack(list(_iter_videos(scene, seed)))
        return np.round(films * WHITE).astype(np.uint8)

    frames = cached_array(f"{NAME}-video", _cache_parameters(scene, seed), made)
    labels = load_sklearn_digits()[1]
    return Videos(frames[:, :, None], {"digit": labels, "motion": assign_motions(labels, seed)})


def _cache_parameters(scene: Scene, seed: int) -> dict[str, Any]:
    return {"scene": asdict(scene), "motions": list(MOTIONS), "seed": seed}
