from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier

from pumice.train.data import digit_motions
from pumice.train.data.digit_motions import (
    MOTIONS,
    Scene,
    assign_motions,
    load_motion_recordings,
    load_motion_videos,
    render_wrapped,
    sample_trajectory,
)
from pumice.train.data.motion import Motion
from pumice.train.data.registry import load
from pumice.train.data.videos import Videos

DIGITS = load_digits()
SCENE = Scene()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def small_dataset(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """A third of the digits, cached for the tests of this module."""
    images, labels = DIGITS.images[:600] / 16, DIGITS.target[:600]
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(digit_motions, "load_sklearn_digits", lambda: (images, labels))


def pixels(videos: Videos, image: int) -> np.ndarray:
    return videos.frames[:, image].reshape(len(videos), -1).astype(float)


def test_parts_are_disjoint_and_have_every_motion() -> None:
    parts = [load_motion_videos(part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [60, 180, 360]
    frames = np.concatenate([part.frames for part in parts])
    assert len(np.unique(frames.reshape(600, -1), axis=0)) == 600
    for part in parts[1:]:
        assert set(part.labels["motion"]) == set(range(8))
        assert set(np.bincount(part.labels["digit"])) == {len(part) // 10}


def test_motions_are_balanced_within_each_digit() -> None:
    motions = assign_motions(DIGITS.target, 0)
    counts = [np.bincount(motions[DIGITS.target == digit], minlength=8) for digit in range(10)]
    assert np.ptp(counts, axis=1).max() <= 1
    assert not np.array_equal(motions, assign_motions(DIGITS.target, 1))


def test_load_returns_events_with_either_label() -> None:
    digit, motion = (load("digit-motions", label=label) for label in ("digit", "motion"))
    recordings, labels = load_motion_recordings()
    assert digit.train.events.shape == (8, 240, 2, 16, 16)
    assert np.array_equal(digit.test.events, motion.test.events)
    assert (digit.classes, motion.classes) == (10, 8) and digit.digest != motion.digest
    assert load("digit-motions").test == digit.test
    assert np.array_equal(labels["digit"], DIGITS.target[:600]) and len(recordings) == 600


def test_load_returns_gray_images_of_the_same_digits() -> None:
    gray, events = load("digit-motions", values="gray", timesteps=32), load("digit-motions")
    assert np.array_equal(gray.test.events, load_motion_videos("test").frames.swapaxes(0, 1))
    assert np.array_equal(gray.test.labels, events.test.labels)
    pair = load("digit-motions", values="gray", timesteps=2)
    assert np.array_equal(pair.train.events, gray.train.events[[0, 31]])
    assert gray.digest != pair.digest and "camera" in gray.provenance["source"]


def test_the_cache_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = load_motion_videos("test").frames
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert np.array_equal(load_motion_videos("test").frames, frames)


def test_each_motion_changes_one_pose_parameter() -> None:
    changes = []
    for name in MOTIONS:
        pose = sample_trajectory(SCENE, name, np.random.default_rng(0))
        ends = {k: getattr(pose, k)[[0, -1]] for k in ("row", "column", "angle", "scale")}
        changes.append(
            [(k, np.sign(last - first)) for k, (first, last) in ends.items() if first != last]
        )
    signs = (("column", -1), ("column", 1), ("row", -1), ("row", 1))
    turns = (("angle", 1), ("angle", -1), ("scale", 1), ("scale", -1))
    assert changes == [[one] for one in signs + turns]


def test_the_frame_wraps_around() -> None:
    image = np.zeros((8, 8))
    image[2:6, 2:6] = 1
    zeros = np.zeros(3)
    pose = Motion(zeros, np.array([0.0, 8.0, 16.0]), zeros, np.ones(3))
    first, edge, wrapped = render_wrapped(image, pose, SCENE)
    assert np.array_equal(first, wrapped)
    assert np.allclose(np.roll(first, 8, axis=1), edge) and edge[:, 0].any() and edge[:, -1].any()


def test_a_motion_needs_two_frames_to_classify() -> None:
    train, test = load_motion_videos("test"), load_motion_videos("validation")

    def score(first: int, last: int) -> float:
        trees = ExtraTreesClassifier(100, random_state=0)
        features = [
            pixels(part, last) - pixels(part, first) * (first != last) for part in (train, test)
        ]
        trees.fit(features[0], train.labels["motion"])
        return float(trees.score(features[1], test.labels["motion"]))

    assert score(14, 18) > 0.8 and score(16, 16) < 0.5
