"""Video datasets as spikes: splits, clips and errors."""

from pathlib import Path

import av
import numpy as np
import pytest

from pumice.runtime.errors import DataError, RecipeError
from pumice.train.hrsnn.fit import fit
from pumice.train.hrsnn.recipe import HrsnnRecipe, load_samples
from pumice.train.hrsnn.video import VideoSpikeOptions, load_video_dataset
from pumice.train.recipes.loader import load_recipe

RECIPE = """
[video]
name = "kth"
height = 8
width = 8
timesteps = 6
clips = 2
spike_fraction = 0.2
[readout]
bins = 1
[hrsnn]
excitatory = 20
inhibitory = 5
strengths = { input = 8.0 }
epochs = 1
"""


def write_video(file: Path, down: bool) -> None:
    """Write a video of 12 frames, in which a bright bar moves down or to the right."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for k in range(12):
            image = np.full((32, 32, 3), 20, np.uint8)
            (image if down else image.swapaxes(0, 1))[2 * k : 2 * k + 8] = 220
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


@pytest.fixture
def kth(tmp_path: Path) -> Path:
    """Two classes of KTH, with three persons for training and two for test."""
    for label in ("falling", "walking"):
        for person in (11, 12, 13, 2, 22):
            name = f"person{person:02}_{label}_d1_uncomp.avi"
            write_video(tmp_path / label / name, down=label == "falling")
    return tmp_path


def test_parts_are_split_by_person(kth: Path) -> None:
    options = VideoSpikeOptions(
        folder=kth, height=8, width=16, timesteps=6, clips=2, spike_fraction=0.1
    )
    data = load_video_dataset(options)
    assert data.train.events.shape == (6, 12, 2, 8, 16) and data.classes == 2
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6
    assert data.test.labels.tolist() == [0] * 4 + [1] * 4
    assert 0 < data.train.events.mean() <= 0.06  # a pixel is ON or OFF


def test_ucf11_is_split_by_group(tmp_path: Path) -> None:
    for group in (1, 2, 25):
        write_video(tmp_path / "diving" / f"v_diving_{group:02}_01.avi", down=True)
    data = load_video_dataset(
        VideoSpikeOptions(name="ucf11", folder=tmp_path, height=8, width=8, clips=1)
    )
    assert (len(data.train), len(data.test)) == (2, 1)


def test_a_moving_bar_is_on_in_front_and_off_behind(kth: Path) -> None:
    options = VideoSpikeOptions(
        folder=kth, height=32, width=32, timesteps=6, clips=1, spike_fraction=0.2
    )
    falling = load_video_dataset(options).train.events[:, 0]
    row = np.arange(32)[:, None]
    off, on = (
        (frame * row).sum(axis=(1, 2)) / frame.sum(axis=(1, 2)) for frame in falling.swapaxes(0, 1)
    )
    assert (on > off + 4).all() and (np.diff(on) > 0).all()


def test_a_recipe_may_name_videos(kth: Path, tmp_path: Path) -> None:
    (tmp_path / "videos.toml").write_text(RECIPE)
    recipe = load_recipe(str(tmp_path / "videos.toml"), kind="hrsnn")
    result = fit(recipe, load_samples(recipe, kth), tmp_path / "run")
    assert 0 <= result.accuracy <= 1 and result.spikes > 0
    assert (tmp_path / "run" / "network.pumice").exists()


def test_a_recipe_without_samples_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text("validation = 3\n")
    with pytest.raises(RecipeError, match=r"one of the tables \[data\] and \[video\]"):
        load_recipe(str(tmp_path / "none.toml"), kind="hrsnn")


def test_a_recipe_with_data_and_videos_is_rejected() -> None:
    with pytest.raises(ValueError, match="one of the tables"):
        HrsnnRecipe.model_validate({"data": {}, "video": {}})


def test_a_class_of_the_test_part_only_is_rejected(kth: Path) -> None:
    write_video(kth / "swimming" / "person02_swimming_d1_uncomp.avi", down=True)
    with pytest.raises(DataError, match="swimming: only among the test videos"):
        load_video_dataset(VideoSpikeOptions(folder=kth, height=8, width=8))


def test_a_folder_without_training_videos_is_rejected(tmp_path: Path) -> None:
    write_video(tmp_path / "walking" / "person02_walking_d1_uncomp.avi", down=True)
    with pytest.raises(DataError, match="kth: no videos of the part train"):
        load_video_dataset(VideoSpikeOptions(folder=tmp_path))
