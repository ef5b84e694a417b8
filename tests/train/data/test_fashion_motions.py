"""Dataset `fashion-motions`: garments in motion before changing backgrounds."""

import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data import fashion_motions, load, video_sources
from pumice.train.data.digit_motions import MOTIONS
from pumice.train.data.fashion_motions import (
    GarmentScene,
    load_garment_videos,
    render_garment,
    sample_garment_path,
)
from pumice.train.data.video_options import VideoOptions

SCENE = GarmentScene()
GENERATOR = np.random.default_rng(0)
DATA = Path(os.environ.get("PUMICE_TEST_DATA", "../shared/data")) / "fashion_mnist"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen training and four test images of each class."""
    made = tmp_path_factory.mktemp("fashion")
    for prefix, per_class in (("train", 14), ("t10k", 4)):
        labels = np.repeat(np.arange(10), per_class).astype(np.uint8)
        images = GENERATOR.integers(0, 256, (len(labels), 28, 28), np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
            content = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
            (made / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    return made


@pytest.fixture(autouse=True)
def few_videos(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setattr(fashion_motions, "PER_CLASS", {"train": 3, "validation": 2, "test": 2})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def test_no_image_is_in_two_parts_or_among_the_distractors(folder: Path) -> None:
    images = [
        fashion_motions._select_images(part, folder)[0] for part in ("train", "validation", "test")
    ]
    images.append(fashion_motions._select_images("train", folder)[2])
    assert [len(part) for part in images] == [30, 20, 20, 90]
    together = np.concatenate(images).reshape(160, -1)
    assert len(np.unique(together, axis=0)) == 160


def test_parts_have_both_labels_in_balance(folder: Path) -> None:
    videos = load_garment_videos("train", folder)
    assert videos.frames.shape == (30, 24, 1, 28, 28) and videos.value_bits == 8
    assert np.bincount(videos.labels["look"]).tolist() == [3] * 10
    assert np.ptp(np.bincount(videos.labels["motion"], minlength=8)) <= 3


def test_the_seed_decides_the_videos(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = load_garment_videos("test", folder).frames
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert np.array_equal(load_garment_videos("test", folder).frames, cached)
    assert not np.array_equal(load_garment_videos("test", folder, seed=1).frames, cached)


def test_samples_are_consecutive_images_from_the_middle(folder: Path) -> None:
    videos = load_garment_videos("test", folder)
    data = load("fashion-motions", folder=folder, timesteps=8)
    assert np.array_equal(data.test.events, videos.frames[:, 8:16].swapaxes(0, 1))
    assert np.array_equal(data.test.labels, videos.labels["look"]) and data.classes == 10
    motion = load("fashion-motions", folder=folder, timesteps=8, label="motion", pool=2)
    assert motion.classes == 8 and motion.input_shape == (1, 14, 14)
    assert np.array_equal(motion.test.labels, videos.labels["motion"])


def test_videos_are_a_source_of_frames_and_of_events(folder: Path) -> None:
    options = VideoOptions(name="fashion-motions", folder=folder)
    source = video_sources.load_videos(options, "validation")
    assert len(source.lengths) == 20 and source.shape == (1, 28, 28)
    events = video_sources.load_videos(options.model_copy(update={"input": "events"}), "validation")
    clip = events.clip(0, np.arange(4))
    assert clip.shape == (4, 2, 28, 28) and clip.max() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "digit"}, "has no label 'digit'; choose 'look' or 'motion'"),
        ({"timesteps": 25}, "timesteps is 25, but videos have 24 frames"),
        ({"folder": None}, "fashion-motions: no folder given"),
    ],
)
def test_bad_options_are_an_error(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load("fashion-motions", **{"folder": folder, **options})  # type: ignore[arg-type]


def test_digit_motions_have_no_look() -> None:
    with pytest.raises(DataError, match="has no label 'look'; choose 'digit' or 'motion'"):
        load("digit-motions", label="look")


def steady(**changes: Any) -> GarmentScene:
    """A scene without what changes from frame to frame."""
    return replace(SCENE, flicker=0.0, occlusion=0.0, noise=0.0, **changes)


def test_the_background_is_constant_in_a_clip_and_changes_between_clips() -> None:
    # Else only the pose differs between the clips of a video, and PredNext has no effect.
    black = np.zeros((28, 28), np.uint8)
    within, between = [], []
    for seed in range(20):
        video = render_garment(
            black, "left", black[None], steady(), np.random.default_rng(seed)
        ).astype(float)
        within.append(np.abs(video[7] - video[0]).mean())
        between.append(np.abs(video[23] - video[0]).mean())
    assert np.mean(between) > 15 and np.mean(within) < np.mean(between) / 4


def test_distractors_come_and_go() -> None:
    white = np.full((1, 28, 28), 255, np.uint8)
    scene = steady(background=0.0)
    counts = [
        (render_garment(0 * white[0], "up", white, scene, np.random.default_rng(seed)) > 200).any(
            axis=(1, 2)
        )
        for seed in range(20)
    ]
    fraction = np.mean(counts)
    assert 0.3 < fraction < 0.9 and not any(each.all() for each in counts)


def test_a_garment_hides_the_background_and_moves_as_labeled() -> None:
    white, black = np.full((28, 28), 255, np.uint8), np.zeros((1, 28, 28), np.uint8)
    scene = steady(offset=0.0, drift=0.0, tilt=0.0, tilt_drift=0.0)
    for motion, axis, sign in (("right", 2, 1), ("up", 1, -1)):
        video = render_garment(white, motion, black, scene, np.random.default_rng(1)) > 200
        centers = [np.nonzero(video[k])[axis - 1].mean() for k in (4, 19)]
        assert sign * (centers[1] - centers[0]) > 3


def test_all_motions_start_from_the_same_poses() -> None:
    # A single moment must not tell the motion: positions at a random moment overlap.
    first = {
        motion: [
            sample_garment_path(SCENE, motion, np.random.default_rng(seed)).column[12]
            for seed in range(200)
        ]
        for motion in MOTIONS
    }
    means = [np.mean(each) for each in first.values()]
    assert np.ptp(means) < np.std(first["left"]) / 2


def test_every_frame_flickers_and_is_occluded() -> None:
    gray = np.full((28, 28), 128, np.uint8)
    still = replace(SCENE, background=0.0, distractors=0, noise=0.0, scale=2.0, scale_jitter=0.0,
                    scale_drift=0.0, displacement=0.0, offset=0.0, drift=0.0)  # fmt: skip
    video = render_garment(gray, "left", gray[None], still, np.random.default_rng(0))
    levels = [np.bincount(frame.ravel(), minlength=256).argmax() for frame in video]
    assert len(set(levels)) > 15 and np.ptp(levels) > 50
    occluded = [(frame != level).sum() for frame, level in zip(video, levels, strict=True)]
    assert 36 <= np.median(occluded) <= 49


@pytest.mark.slow
def test_real_garments_make_the_published_numbers_of_videos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not DATA.is_dir():
        pytest.skip(f"no Fashion-MNIST in {DATA}")
    monkeypatch.setattr(
        fashion_motions, "PER_CLASS", {"train": 600, "validation": 200, "test": 400}
    )
    videos = load_garment_videos("validation", DATA)
    assert len(videos) == 2000 and 60 < videos.frames.mean() < 130
