import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pumice.runtime.errors import FileError, RecipeError
from pumice.train.checkpoint import NAME, read_trained
from pumice.train.data.dataset import Data, FrameSet
from pumice.train.fit import Fitting, fit
from pumice.train.loop import RESUMABLE
from pumice.train.recipe import Recipe

EPOCHS = 4
RECIPE = {
    "data": {"name": "made", "timesteps": 3},
    "network": {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]},
    "objective": {"cross_entropy": {}, "etc": {"temperature": 4.0}},
    "augment": {"shift": 1},
    "fit": {"epochs": EPOCHS, "quantised_epochs": 2, "batch": 8, "seed": 3},
}


def made(samples: int = 40) -> Data:
    random = np.random.default_rng(0)
    labels = np.arange(samples) % 3
    frames = random.random((samples, 3, 2, 8, 8)) < 0.1
    for frame, label in zip(frames, labels, strict=True):
        frame[:, :, 2 * label : 2 * label + 2] |= random.random((3, 2, 2, 8)) < 0.6
    whole = FrameSet(frames.astype(np.uint8), labels.astype(np.int64))
    return Data("made", whole, whole, 3, "digest", {})


def weights(folder: Path) -> bytes:
    return (folder / NAME).read_bytes()


def test_training_lowers_the_loss_and_leaves_a_network_that_reads_back(tmp_path: Path) -> None:
    trained = fit(Recipe.model_validate(RECIPE), made(), tmp_path)
    again = read_trained(tmp_path)
    for one, other in zip(
        trained.network.state_dict().values(), again.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    assert again.recipe == trained.recipe


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="made has 7 training samples; take a smaller batch"):
        fit(Recipe.model_validate(RECIPE), made(7), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_runs_of_one_recipe_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        fit(Recipe.model_validate(RECIPE), made(), tmp_path / name)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")


SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
import test_fit
from pumice.train.fit import Fitting, fit
from pumice.train.recipe import Recipe
whole = Fitting.training_step
def step(self, batch, index):
    time.sleep(0.05)
    return whole(self, batch, index)
Fitting.training_step = step
fit(Recipe.model_validate(test_fit.RECIPE), test_fit.made(), Path(sys.argv[1]), resume=True)
"""


def test_a_killed_run_goes_on_to_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    fit(Recipe.model_validate(RECIPE), made(), whole)
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    for after in (1, 2):  # killed once in the first epochs, once in the quantised ones
        process = subprocess.Popen([sys.executable, "-c", script, str(killed)])
        while _epochs(killed) < after and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert after <= _epochs(killed) < EPOCHS
        assert not (killed / NAME).exists()
    fit(Recipe.model_validate(RECIPE), made(), killed, resume=True)
    assert weights(killed) == weights(whole)
    assert (killed / "history.json").read_bytes() == (whole / "history.json").read_bytes()


def _epochs(folder: Path) -> int:
    if not (folder / RESUMABLE).exists():
        return 0
    return int(torch.load(folder / RESUMABLE, weights_only=True)["epoch"]) + 1


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    fit(Recipe.model_validate(RECIPE), made(), tmp_path)
    with pytest.raises(FileError, match="--resume"):
        fit(Recipe.model_validate(RECIPE), made(), tmp_path)
    other = Recipe.model_validate({**RECIPE, "augment": {"shift": 0}})
    with pytest.raises(FileError, match="another recipe"):
        fit(other, made(), tmp_path, resume=True)


def test_a_cut_weights_file_is_refused_in_one_line(tmp_path: Path) -> None:
    fit(Recipe.model_validate(RECIPE), made(), tmp_path)
    whole = weights(tmp_path)
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="not a whole trained network") as caught:
        read_trained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_killed_after_its_last_epoch_still_leaves_its_weights(tmp_path: Path) -> None:
    fit(Recipe.model_validate(RECIPE), made(), tmp_path)
    before = weights(tmp_path)
    (tmp_path / NAME).unlink()
    fit(Recipe.model_validate(RECIPE), made(), tmp_path, resume=True)
    assert weights(tmp_path) == before


def test_an_interrupt_is_one_and_the_handler_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Fitting, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(Recipe.model_validate(RECIPE), made(), tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (tmp_path / NAME).exists()


def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, _: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match="cannot be written: No space left on device") as caught:
        fit(Recipe.model_validate(RECIPE), made(), tmp_path)
    assert "\n" not in str(caught.value)
    assert not [f for f in tmp_path.iterdir() if f.name.startswith(".")]
