"""Dataset `fashion-motions`: videos of garments that move in front of changing backgrounds.

Each video shows one image of Fashion-MNIST (see `fashion_mnist`) in one of eight motions. What
surrounds the garment, a texture and pieces of other garments, is the same within a short clip and
another one later in the video; light, an occluding square and noise change from frame to frame. A
video has two labels: `look`, the class of the garment, and `motion`.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .cache import cached_array
from .dataset import Dataset, FrameSet, compute_digest
from .digit_motions import MOTION_AXES, MOTIONS, assign_motions
from .fashion_mnist import CLASSES, read_parts
from .images import quantize_images
from .motion import Motion, render
from .options import DataOptions
from .split import stratified_split
from .video_options import Part
from .videos import Videos

NAME = "fashion-motions"
SPLIT_SEED = 0
PER_CLASS = {"train": 600, "validation": 200, "test": 400}  # videos; test ones of test images
PART_SEEDS = {"train": 0, "validation": 1, "test": 2}
WHITE = 255
Values = NDArray[np.float64]


@dataclass(frozen=True)
class GarmentScene:
    """Parameters of the videos of moving garments.

    A video has `images` frames of `side` x `side` pixels. A garment pixel covers `scale` pixels,
    multiplied or divided by up to exp(`scale_jitter`); the garment's center is up to `offset`
    pixels from the frame's and the garment is tilted by up to `tilt` radians. All of these drift
    slowly, by up to `drift` pixels, `tilt_drift` radians and the factor exp(`scale_drift`), and one
    of them also changes at constant speed: over the video the center moves by `displacement`
    pixels, the garment rotates by `rotation` radians, or its size is multiplied or divided by
    `zoom`, faster or slower by up to the fraction `speed_jitter`. The frame does not wrap around.

    The background is a smooth texture of gray levels up to `background`, which fades into another
    one near the middle of the video. Each of `distractors` pieces of other garments is visible for
    30 to 50 % of the video. Each frame has a contrast of 1 +- `flicker`, a brightness of +- 0.4
    `flicker`, a square of `occlusion` pixels of random gray, and noise of standard deviation
    `noise`.
    """

    side: int = 28
    images: int = 24
    scale: float = 0.72
    scale_jitter: float = 0.1
    scale_drift: float = 0.05
    offset: float = 3.0
    drift: float = 1.5
    tilt: float = 0.6
    tilt_drift: float = 0.15
    displacement: float = 12.0
    rotation: float = 1.8
    zoom: float = 1.9
    speed_jitter: float = 0.2
    background: float = 0.6
    distractors: int = 2
    flicker: float = 0.35
    occlusion: float = 7.0
    noise: float = 0.06

    @cached_property
    def time(self) -> Values:
        """Moments of the frames, 0 to 1, (images,)."""
        return np.linspace(0, 1, self.images)


def load_fashion_motions(options: DataOptions) -> Dataset:
    """Load clips from the middle of the videos: 6,000 for training, 4,000 for test.

    A sample is `options.timesteps` consecutive gray images, (1, 28, 28) of 8 bits.
    `options.label` is the label to learn, "look" (default) or "motion"; `options.folder` holds
    Fashion-MNIST's files. Raises `DataError` where these are missing or damaged, for another label,
    and for more timesteps than a video has frames.
    """
    scene, label = GarmentScene(), options.label or "look"
    if label not in ("look", "motion"):
        raise DataError(f"{NAME}: has no label {label!r}; choose 'look' or 'motion'")
    if options.timesteps > scene.images:
        raise DataError(
            f"{NAME}: timesteps is {options.timesteps}, but videos have {scene.images} frames"
        )
    first = (scene.images - options.timesteps) // 2

    def load_part(part: Part) -> FrameSet:
        videos = load_garment_videos(part, options.folder, options.seed)
        images = videos.frames[:, first : first + options.timesteps]
        flat = quantize_images(images.reshape(-1, *videos.shape), options)
        clips = flat.reshape(len(images), options.timesteps, *flat.shape[1:])
        return FrameSet(clips.swapaxes(0, 1), videos.labels[label])

    train, test = load_part("train"), load_part("test")
    provenance = {
        "source": "Fashion-MNIST, moving before a simulated camera",
        "license": "MIT (Fashion-MNIST)",
        "split": f"600 training images and 400 test images of each class, seed {SPLIT_SEED}",
        "options": options.model_dump(mode="json", exclude={"folder"}),
        "scene": asdict(scene),
    }
    classes = {"look": CLASSES, "motion": len(MOTIONS)}[label]
    return Dataset(NAME, train, test, classes, compute_digest(train, test, options), provenance)


def load_garment_videos(part: Part, folder: Path | None, seed: int = 0) -> Videos:
    """Load the videos of a part: 6,000 for training, 2,000 for validation, 4,000 for test.

    A video has 24 gray frames of 28 x 28 pixels and labels "look" and "motion". No image of
    Fashion-MNIST is in two parts, and distractors are training images that are in none; the choice
    is the same for all seeds. The videos are generated from the files in `folder` and cached.
    Raises `DataError` where files are missing or damaged.
    """
    images, looks, distractors = _select_images(part, folder)
    scene, motions = GarmentScene(), assign_motions(looks, seed)
    parameters: dict[str, Any] = {"scene": asdict(scene), "part": part, "seed": seed}

    def generate() -> NDArray[np.uint8]:
        videos = np.empty((len(images), scene.images, scene.side, scene.side), np.uint8)
        for k, (image, motion) in enumerate(zip(images, motions, strict=True)):
            generator = np.random.default_rng((seed, PART_SEEDS[part], k))
            videos[k] = render_garment(image, MOTIONS[motion], distractors, scene, generator)
        return videos

    frames = cached_array(NAME, parameters, generate)
    return Videos(frames[:, :, None], {"look": looks, "motion": motions})


def _select_images(
    part: Part, folder: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8]]:
    """Garments of a part with their classes, and the training images that are in no part."""
    (images, labels), test = read_parts(NAME, folder)
    rest, train = stratified_split(labels, PER_CLASS["train"], SPLIT_SEED)
    distractors, validation = stratified_split(labels[rest], PER_CLASS["validation"], SPLIT_SEED)
    others = images[rest[distractors], 0]
    if part == "test":
        images, labels = test
        _, chosen = stratified_split(labels, PER_CLASS["test"], SPLIT_SEED)
    else:
        chosen = train if part == "train" else rest[validation]
    return images[chosen, 0], labels[chosen], others


def render_garment(
    image: NDArray[np.uint8],
    motion: str,
    distractors: NDArray[np.uint8],
    scene: GarmentScene,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Render the video of a garment, uint8 (images, side, side).

    Args:
        image: Gray image of the garment, (rows, columns).
        motion: An entry of `MOTIONS`.
        distractors: Images that distractors are drawn from, (images, rows, columns).
        scene: Parameters of the video.
        generator: Source of all random numbers.
    """
    path = sample_garment_path(scene, motion, generator)
    garment = render(image / WHITE, path, scene.side, scene.side)
    behind = _draw_background(scene, generator)
    for _ in range(scene.distractors):
        other = distractors[generator.integers(len(distractors))] / WHITE
        behind = np.maximum(behind, _draw_distractor(other, scene, generator))
    video = np.where(garment > COVERS, garment, np.maximum(garment, behind))
    return np.round(_disturb(video, scene, generator).clip(0, 1) * WHITE).astype(np.uint8)


COVERS = 0.08  # gray level from which a garment hides what is behind it
DRIFT_KNOTS = 4  # moments between which a drift is linear


def sample_garment_path(scene: GarmentScene, motion: str, generator: np.random.Generator) -> Motion:
    """Sample the pose over a video with the named motion, one entry of `MOTIONS`."""
    knots = np.linspace(0, 1, DRIFT_KNOTS)

    def sample_pose(jitter: float, drift: float) -> Values:
        slow = np.interp(scene.time, knots, generator.uniform(-drift, drift, DRIFT_KNOTS))
        return generator.uniform(-jitter, jitter) + slow

    pose = {
        "row": sample_pose(scene.offset, scene.drift),
        "column": sample_pose(scene.offset, scene.drift),
        "angle": sample_pose(scene.tilt, scene.tilt_drift),
        "size": sample_pose(scene.scale_jitter, scene.scale_drift),
    }
    axis, sign = MOTION_AXES[motion]
    change = {"angle": scene.rotation, "size": np.log(scene.zoom)}.get(axis, scene.displacement)
    speed = generator.uniform(1 - scene.speed_jitter, 1 + scene.speed_jitter)
    progress = scene.time - generator.uniform(0.2, 0.8)
    pose[axis] = pose[axis] + sign * speed * change * progress
    return Motion(pose["row"], pose["column"], pose["angle"], scene.scale * np.exp(pose["size"]))


TEXTURE_SIDE = 5  # random gray levels on each axis of a background, between which it is linear
FADE = 12.0  # slope of the logistic function by which a background fades into the next


def _draw_background(scene: GarmentScene, generator: np.random.Generator) -> Values:
    """Two textures that fade into each other near the middle, (images, side, side)."""
    knots = np.linspace(0, 1, TEXTURE_SIDE)
    pixels = np.linspace(0, 1, scene.side)
    upscale = np.stack([np.interp(pixels, knots, row) for row in np.eye(TEXTURE_SIDE)], axis=1)
    levels = generator.random((2, TEXTURE_SIDE, TEXTURE_SIDE))
    first, second = scene.background * (upscale @ levels @ upscale.T)
    moment = generator.uniform(0.3, 0.7)
    weight = 1 / (1 + np.exp(-FADE * (scene.time - moment)))[:, None, None]
    background: Values = first + weight * (second - first)
    return background


def _draw_distractor(
    image: NDArray[np.floating[Any]], scene: GarmentScene, generator: np.random.Generator
) -> Values:
    """A small garment near the border that is visible for a part of the video."""
    start, duration = generator.uniform(-0.2, 0.9), generator.uniform(0.3, 0.5)
    visible = (scene.time > start) & (scene.time < start + duration)
    direction, distance = generator.uniform(0, 2 * np.pi), generator.uniform(7, 11)
    speed = generator.uniform(-8, 8, 2)[:, None] * (scene.time - 0.5)
    still = np.ones(scene.images)
    path = Motion(
        distance * np.sin(direction) + speed[0],
        distance * np.cos(direction) + speed[1],
        generator.uniform(-3, 3) * still,
        generator.uniform(0.3, 0.45) * still,
    )
    video = 0.9 * render(image, path, scene.side, scene.side)
    return video * visible[:, None, None]


def _disturb(video: Values, scene: GarmentScene, generator: np.random.Generator) -> Values:
    """Change contrast and brightness of each frame, occlude a square and add noise."""
    frames = (scene.images, 1, 1)
    contrast = 1 + generator.uniform(-scene.flicker, scene.flicker, frames)
    brightness = 0.4 * generator.uniform(-scene.flicker, scene.flicker, frames)
    row, column = generator.uniform(4, scene.side - 4, (2, *frames))
    rows, columns = np.mgrid[: scene.side, : scene.side]
    half = scene.occlusion / 2
    hidden = (np.abs(rows - row) < half) & (np.abs(columns - column) < half)
    occluded = np.where(hidden, generator.random(frames), video * contrast + brightness)
    disturbed: Values = occluded + scene.noise * generator.standard_normal(video.shape)
    return disturbed
