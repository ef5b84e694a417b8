"""Dataset `fashion-events`: garments that move before the simulated sensor."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data import load
from pumice.train.data.fashion_events import SCENE
from pumice.train.data.frames import to_frames
from pumice.train.data.motion import Motion, render, render_translation
from pumice.train.data.saccades import saccade_motion
from pumice.train.data.sensor import simulate_events

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28)).astype(np.uint8)
LABELS = (np.arange(12) % 10).astype(np.uint8)


def write_idx(file: Path, values: NDArray[np.uint8]) -> None:
    header = bytes([0, 0, 8, values.ndim])
    sizes = np.array(values.shape, ">u4").tobytes()
    file.write_bytes(gzip.compress(header + sizes + values.tobytes()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for prefix, part in (("train", slice(8)), ("t10k", slice(8, 12))):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", IMAGES[part])
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", LABELS[part])
    return tmp_path


def test_a_sample_is_the_recording_of_its_garment(folder: Path) -> None:
    data = load("fashion-events", folder=folder, timesteps=10)
    assert (len(data.train), len(data.test), data.input_shape) == (8, 4, (2, 16, 16))
    assert np.array_equal(data.test.labels, LABELS[8:])
    starts = np.random.default_rng([0, 1]).uniform(-0.25, 0.25, (4, 2))
    for k in range(4):
        blocks = IMAGES[8 + k].reshape(14, 2, 14, 2) / 255
        motion = saccade_motion(SCENE, starts[k])
        video = render(blocks.mean(axis=(1, 3)), motion, 16, 16)
        expected = to_frames(simulate_events(video, SCENE.sensor, 10_000), 10, duration=290_001)
        assert np.array_equal(data.test[k][0], expected)


def test_recordings_are_cached_and_depend_on_the_seed(folder: Path) -> None:
    first = load("fashion-events", folder=folder, timesteps=4)
    assert len(list((folder / "cache/pumice").glob("fashion-events-*/frames.bin"))) == 2
    again = load("fashion-events", folder=folder, timesteps=4)
    assert again == first and again.digest == first.digest
    assert load("fashion-events", folder=folder, timesteps=4, seed=1).train != first.train


def test_parts_do_not_share_paths(folder: Path) -> None:
    write_idx(folder / "t10k-images-idx3-ubyte.gz", IMAGES[:4])
    data = load("fashion-events", folder=folder, timesteps=4)
    assert data.train[:4] != data.test


def test_no_folder_is_one_line() -> None:
    with pytest.raises(DataError, match="fashion-events: no folder given; needs train-images"):
        load("fashion-events")


def test_a_translation_is_rendered_as_any_motion() -> None:
    image = IMAGES[0, :9, :13] / 255
    random = np.random.default_rng(1)
    row, column = random.uniform(-6, 6, (2, 20))
    motion = Motion(row, column, np.zeros(20), random.uniform(0.5, 2, 20))
    expected = render(image, motion, 11, 17)
    assert np.allclose(render_translation(image, motion, 11, 17), expected, rtol=0, atol=1e-12)
    turned = Motion(motion.row, motion.column, np.full(20, 0.1), motion.scale)
    with pytest.raises(DataError, match="rotates by up to 0.1, needs angles of 0"):
        render_translation(image, turned, 11, 17)
