from pathlib import Path

import numpy as np
import pytest
from command import pumice

from pumice.train.data import video_sources
from pumice.train.data.videos import Videos

RECIPE = """
[data]
name = "digit-motions"
[clips]
timesteps = 3
gap = 2
[network]
channels = [3]
kernels = [3]
strides = [2]
hidden = [8]
[objective]
name = "byol"
projector = [8, 6]
[prednext]
weight = 0.5
[training]
epochs = 1
batch_size = 8
"""


@pytest.fixture(autouse=True)
def flicker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos of two brightnesses take the place of all data sets."""
    labels = np.arange(64) % 2
    frames = np.random.default_rng(0).integers(0, 100, (64, 8, 1, 8, 8), np.uint8)
    frames[labels == 1] += 120
    monkeypatch.setattr(video_sources, "load_videos", lambda *_: Videos(frames, {"bright": labels}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    recipe = tmp_path / "flicker.toml"
    recipe.write_text(RECIPE)
    said = pumice("pretrain", recipe, "-o", tmp_path / "run", "--json")
    assert said.status == 0 and said.document["provenance"]["data"]["videos"] == 64
    return tmp_path / "run"


def test_a_pretrained_network_is_judged_by_every_protocol(run: Path) -> None:
    told = pumice("eval", run, "--protocol", "all", "--json").document
    assert told["videos"] == 64 and set(told["mean"]["bright"]) == {"retrieval", "knn", "probe"}
    assert told["finetune"]["bright"]["5"] == pytest.approx(1.0)
    said = pumice("eval", run, "--protocol", "retrieval")
    assert said.status == 0 and "R@50" in said.out and "knn" not in said.out


def test_one_protocol_says_its_own_alone(run: Path) -> None:
    said = pumice("eval", run, "--protocol", "consistency")
    assert (
        "consistency error" in said.out and "R@1" not in said.out and "feature std" not in said.out
    )


def test_a_run_is_not_written_over_unasked(run: Path) -> None:
    said = pumice("pretrain", run.parent / "flicker.toml", "-o", run)
    assert said.status == 2 and "go on with --resume" in said.err
    again = pumice("pretrain", run.parent / "flicker.toml", "-o", run, "--resume")
    assert again.status == 0


def test_an_unknown_recipe_is_refused_with_those_that_are_shipped() -> None:
    said = pumice("pretrain", "digit-motion")
    assert said.status == 2 and "digit-motions-events" in said.err
