import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pumice.runtime.errors import MissingPackage
from pumice.train.data import digits_events
from pumice.train.data.dataset import Dataset
from pumice.train.data.digits_events import load_digits_events, simulate_recordings
from pumice.train.data.frames import stack_frames
from pumice.train.data.motion import render
from pumice.train.data.options import DataOptions
from pumice.train.data.recordings import Recordings, read_recordings
from pumice.train.data.saccades import Scene, saccade_motion
from pumice.train.data.sensor import simulate_events
from pumice.train.data.split import stratified_split

SCENE = Scene()
DIGITS = load_digits()


def load_with_cache(cache: Path, **options: object) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        return load_digits_events(DataOptions.model_validate(options))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the recordings of seed 0."""
    folder = tmp_path_factory.mktemp("cache")
    load_with_cache(folder, timesteps=1)
    return folder


@pytest.fixture(scope="module")
def recordings(cache: Path) -> Recordings:
    (file,) = (cache / "pumice").iterdir()
    return read_recordings(file, 16, 16)


@pytest.fixture
def small_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the digits, for tests that make recordings of their own."""
    images, labels = DIGITS.images[:450] / 16, DIGITS.target[:450]
    monkeypatch.setattr(digits_events, "load_sklearn_digits", lambda: (images, labels))


def test_every_digit_is_recorded_in_order(recordings: Recordings) -> None:
    assert np.array_equal(recordings.labels, DIGITS.target)
    lengths = [len(events) for events in recordings.events]
    assert min(lengths) > 100 and 200 < np.mean(lengths) < 300
    assert all(0 <= events.t[0] <= events.t[-1] < SCENE.duration for events in recordings.events)


def test_a_recording_is_the_simulation_of_its_digits_video(recordings: Recordings) -> None:
    starts = np.random.default_rng(0).uniform(-SCENE.jitter, SCENE.jitter, (1797, 2))
    for k in (0, 900, 1796):
        video = render(DIGITS.images[k] / 16, saccade_motion(SCENE, starts[k]), 16, 16)
        assert recordings.events[k] == simulate_events(video, SCENE.sensor, 10_000)


def test_the_path_has_constant_speed_along_three_saccades() -> None:
    motion = saccade_motion(replace(SCENE, amplitude=4.0, images=2), np.array([0.5, 0.25]))
    path = [
        (row - 0.5, column - 0.25) for row, column in zip(motion.row, motion.column, strict=True)
    ]
    assert path == [(-2, -3), (2, -1), (2, 1), (-2, 3), (-4, 2), (-4, -2)]
    assert (motion.scale == SCENE.scale).all() and (motion.angle == 0).all()


def test_one_seed_makes_one_set_of_recordings(small_dataset: None) -> None:
    scene = replace(SCENE, width=4, height=4, images=1)
    assert (
        simulate_recordings(scene, 5)
        == simulate_recordings(scene, 5)
        != simulate_recordings(scene, 6)
    )


def test_the_parts_have_the_documented_sizes(cache: Path) -> None:
    data = load_with_cache(cache, timesteps=5)
    assert data.train.events.shape == (5, 1437, 2, 16, 16)
    assert data.test.events.shape == (5, 360, 2, 16, 16)
    assert np.bincount(data.test.labels).tolist() == [36] * 10
    assert data.train.events.max() == 1 and 0.02 < data.train.events.mean() < 0.15


def test_the_split_never_changes(cache: Path, recordings: Recordings) -> None:
    _, held_out = stratified_split(DIGITS.target, 36, 1797)
    assert hashlib.sha256(held_out.astype("<i8").tobytes()).hexdigest()[:16] == "e9a7f5e4be8fddb8"
    frames = stack_frames([recordings.events[k] for k in held_out], DataOptions(), SCENE.duration)
    assert np.array_equal(load_with_cache(cache).test.events, frames)


def test_the_split_does_not_depend_on_the_seed(small_dataset: None, tmp_path: Path) -> None:
    first, second = (load_with_cache(tmp_path, timesteps=1, seed=seed) for seed in (0, 1))
    assert np.array_equal(first.test.labels, second.test.labels)
    assert first.test != second.test and first.digest != second.digest


def test_the_cache_changes_nothing(small_dataset: None, tmp_path: Path) -> None:
    generated, read = load_with_cache(tmp_path), load_with_cache(tmp_path)
    assert generated == read and len(list((tmp_path / "pumice").iterdir())) == 1


def test_pooling_and_counts_keep_every_event(cache: Path, recordings: Recordings) -> None:
    data = load_with_cache(cache, pool=4, values="counts", timesteps=2)
    assert data.train.events[:, 0].shape == (2, 2, 4, 4) and data.train.events.max() < 255
    total = int(data.train.events.sum()) + int(data.test.events.sum())
    assert total == sum(len(events) for events in recordings.events)


def test_provenance_names_source_split_and_settings(cache: Path) -> None:
    provenance = load_with_cache(cache, timesteps=1).provenance
    assert "simulated" in provenance["source"] and "36 of each class" in provenance["split"]
    assert provenance["scene"]["sensor"]["threshold"] == 0.5
    assert provenance["options"]["timesteps"] == 1


def test_without_scikit_learn_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingPackage, match=r"scikit-learn: pip install 'pumice\[train\]'"):
        load_with_cache(tmp_path)
