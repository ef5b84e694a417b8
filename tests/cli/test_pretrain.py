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
    """Replace all datasets by videos of two brightnesses."""
    labels = np.arange(64) % 2
    frames = np.random.default_rng(0).integers(0, 100, (64, 8, 1, 8, 8), np.uint8)
    frames[labels == 1] += 120
    monkeypatch.setattr(video_sources, "load_videos", lambda *_: Videos(frames, {"bright": labels}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    recipe = tmp_path / "flicker.toml"
    recipe.write_text(RECIPE)
    result = pumice("pretrain", recipe, "-o", tmp_path / "run", "--json")
    assert result.status == 0 and result.document["provenance"]["data"]["videos"] == 64
    return tmp_path / "run"


def test_a_pretrained_network_is_evaluated_by_every_protocol(run: Path) -> None:
    scores = pumice("evaluate", run, "--protocol", "all", "--json").document
    assert scores["videos"] == 64 and set(scores["mean"]["bright"]) == {"retrieval", "knn", "probe"}
    assert scores["finetune"]["bright"]["5"] == pytest.approx(1.0)
    result = pumice("evaluate", run, "--protocol", "retrieval")
    assert result.status == 0 and "R@50" in result.out and "knn" not in result.out


def test_one_protocol_prints_only_its_own_scores(run: Path) -> None:
    result = pumice("evaluate", run, "--protocol", "consistency")
    assert (
        "consistency error" in result.out
        and "R@1" not in result.out
        and "feature std" not in result.out
    )


def test_a_run_is_not_overwritten_without_resume(run: Path) -> None:
    result = pumice("pretrain", run.parent / "flicker.toml", "-o", run)
    assert result.status == 2 and f"pumice pretrain --resume -o {run}" in result.err
    again = pumice("pretrain", run.parent / "flicker.toml", "-o", run, "--resume")
    assert again.status == 0


def test_a_run_is_resumed_from_its_folder_alone(run: Path) -> None:
    weights = (run / "encoder.safetensors").read_bytes()
    for arguments in ((run, "--resume"), ("--resume", "-o", run)):
        (run / "encoder.safetensors").unlink()
        assert pumice("pretrain", *arguments).status == 0
        assert (run / "encoder.safetensors").read_bytes() == weights
    changed = pumice("pretrain", run, "--resume", "--set", "training.lr=1")
    assert changed.status == 2 and "a resumed run keeps its settings" in changed.err
    assert pumice("pretrain").err.startswith("pumice: RECIPE is missing")


def test_an_unknown_recipe_is_an_error_that_lists_the_shipped_ones() -> None:
    result = pumice("pretrain", "digit-motion")
    assert result.status == 2 and "did you mean 'digit-motions'" in result.err
