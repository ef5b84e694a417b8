import csv
import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pumice.runtime.engines import cpu
from pumice.runtime.errors import FileError, RecipeError
from pumice.train.data.dataset import Dataset, FrameSet, train_val_split
from pumice.train.data.split import stratified_split
from pumice.train.engine.checkpoint import read_trained_model
from pumice.train.engine.fit import train_recipe
from pumice.train.engine.run_folder import MODEL_FILE, RESUME_FILE
from pumice.train.engine.training_module import TrainingModule
from pumice.train.evaluation.evaluate import model_accuracy, network_accuracy
from pumice.train.export import convert
from pumice.train.recipes.plan import extend_run
from pumice.train.recipes.recipe import Recipe

EPOCHS = 4
RECIPE: dict[str, Any] = {
    "data": {"name": "made", "timesteps": 3},
    "network": {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]},
    "loss": {"cross_entropy": {}, "etc": {"temperature": 4.0}},
    "augment": {"shift": 1},
    "training": {"epochs": EPOCHS, "qat_epochs": 2, "batch_size": 8, "seed": 3},
}


def make_data(samples: int = 40) -> Dataset:
    random = np.random.default_rng(0)
    labels = np.arange(samples) % 3
    frames = random.random((samples, 3, 2, 8, 8)) < 0.1
    for frame, label in zip(frames, labels, strict=True):
        frame[:, :, 2 * label : 2 * label + 2] |= random.random((3, 2, 2, 8)) < 0.6
    whole = FrameSet(frames.swapaxes(0, 1).astype(np.uint8), labels.astype(np.int64))
    return Dataset("made", whole, whole, 3, "digest", {})


def weights(folder: Path) -> bytes:
    return (folder / MODEL_FILE).read_bytes()


def test_training_lowers_the_loss_and_writes_a_readable_model(tmp_path: Path) -> None:
    trained = train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path)
    metrics = [float(epoch["loss"]) for epoch in history(tmp_path)]
    assert len(metrics) == EPOCHS and metrics[-1] < metrics[0]
    again = read_trained_model(tmp_path)
    for one, other in zip(
        trained.network.state_dict().values(), again.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    assert again.recipe == trained.recipe


def test_a_batch_larger_than_the_data_is_an_error_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(RecipeError, match="made has 7 training samples, a step takes 8; choose"):
        train_recipe(Recipe.model_validate(RECIPE), make_data(7), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_runs_of_one_recipe_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path / name)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")


SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
import test_fit
from pumice.train.engine.fit import train_recipe
from pumice.train.engine.training_module import TrainingModule
from pumice.train.recipes.recipe import Recipe
training_step = TrainingModule.training_step
def slow_step(self, batch, index):
    time.sleep(0.05)
    return training_step(self, batch, index)
TrainingModule.training_step = slow_step
recipe = Recipe.model_validate(test_fit.RECIPE)
train_recipe(recipe, test_fit.make_data(), Path(sys.argv[1]), resume=True)
"""


def test_a_killed_run_resumes_to_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_recipe(Recipe.model_validate(RECIPE), make_data(), whole)
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    for after in (1, 2):  # killed once in the first epochs, once in the quantized ones
        process = subprocess.Popen([sys.executable, "-c", script, str(killed)])
        while _epochs(killed) < after and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert after <= _epochs(killed) < EPOCHS
        assert not (killed / MODEL_FILE).exists()
    train_recipe(Recipe.model_validate(RECIPE), make_data(), killed, resume=True)
    assert weights(killed) == weights(whole)
    assert (killed / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()


@pytest.mark.parametrize("schedule", ["constant", {"name": "step", "every": 2, "factor": 0.5}])
def test_a_run_killed_and_extended_gives_the_weights_of_a_longer_run(
    schedule: Any, tmp_path: Path
) -> None:
    """From the folder alone: after a finished run, and after one that was stopped before QAT."""
    training = {**RECIPE["training"], "schedule": schedule}
    short, long = (
        Recipe.model_validate({**RECIPE, "training": {**training, "epochs": epochs}})
        for epochs in (EPOCHS, EPOCHS + 2)
    )
    train_recipe(long, make_data(), tmp_path / "long")
    train_recipe(short, make_data(), tmp_path / "finished")

    def stop(epoch: int, *_: object) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_recipe(short, make_data(), tmp_path / "stopped", on_epoch=stop)
    for name in ("finished", "stopped"):
        folder = tmp_path / name
        extended = extend_run(folder, short, EPOCHS + 2)
        assert extended == long
        train_recipe(extended, make_data(), folder, resume=True)
        assert weights(folder) == weights(tmp_path / "long")
        assert (folder / "history.csv").read_bytes() == (
            tmp_path / "long" / "history.csv"
        ).read_bytes()


def _epochs(folder: Path) -> int:
    if not (folder / RESUME_FILE).exists():
        return 0
    return int(torch.load(folder / RESUME_FILE, weights_only=True)["epoch"]) + 1


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path)
    with pytest.raises(FileError, match="--resume"):
        train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path)
    other = Recipe.model_validate({**RECIPE, "augment": {"shift": 0}})
    with pytest.raises(FileError, match="another recipe"):
        train_recipe(other, make_data(), tmp_path, resume=True)


def test_a_truncated_weights_file_is_a_one_line_error(tmp_path: Path) -> None:
    train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path)
    whole = weights(tmp_path)
    (tmp_path / MODEL_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="not a complete trained network") as caught:
        read_trained_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_killed_after_its_last_epoch_still_writes_its_weights(tmp_path: Path) -> None:
    train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path)
    before = weights(tmp_path)
    (tmp_path / MODEL_FILE).unlink()
    train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path, resume=True)
    assert weights(tmp_path) == before


def test_an_interrupt_is_raised_and_the_signal_handler_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (tmp_path / MODEL_FILE).exists()


def test_a_full_disk_is_a_one_line_error_without_partial_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, _: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match="cannot be written: No space left on device") as caught:
        train_recipe(Recipe.model_validate(RECIPE), make_data(), tmp_path)
    assert "\n" not in str(caught.value)
    assert not [f for f in tmp_path.iterdir() if f.name.startswith(".")]


CHOOSING = {
    **RECIPE,
    "training": {**RECIPE["training"], "validation_per_class": 4, "select_epoch": "validation"},
}


def history(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "history.csv").read_text().splitlines()))


def test_the_selected_epoch_is_the_quantized_one_with_the_best_validation_accuracy(
    tmp_path: Path,
) -> None:
    trained = train_recipe(Recipe.model_validate(CHOOSING), make_data(), tmp_path)
    training, validation = train_val_split(make_data(), 4, 3)
    assert validation is not None and len(training) == 28 and len(validation) == 12
    results = model_accuracy(trained.network, validation, quantized=True)[-1]
    metrics = [float(epoch["validation_accuracy"]) for epoch in history(tmp_path)]
    assert len(metrics) == EPOCHS and results == pytest.approx(max(metrics[-2:]))


def test_validation_samples_do_not_affect_training(tmp_path: Path) -> None:
    """The weights are the same with other values in them."""
    data = make_data()
    _, held_out = stratified_split(data.train.labels, 4, 3)
    events = data.train.events.copy()
    events[:, held_out] = 1 - events[:, held_out]
    other = replace(data, train=FrameSet(events, data.train.labels))
    recipe = Recipe.model_validate(
        {**CHOOSING, "training": {**CHOOSING["training"], "select_epoch": "last"}}
    )
    for name, each in (("one", data), ("two", other)):
        train_recipe(recipe, each, tmp_path / name)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")


def test_two_accumulated_batches_equal_one_of_twice_the_size(tmp_path: Path) -> None:
    """Without batch statistics: layers are quantized from the start."""
    quantized = {**RECIPE["training"], "epochs": 1, "qat_epochs": 1}
    plain = {**RECIPE, "loss": {"cross_entropy": {}}, "augment": {}}
    results = []
    for name, batch, accumulate in (("whole", 16, 1), ("halves", 8, 2)):
        settings = {**quantized, "batch_size": batch, "accumulate_grad_batches": accumulate}
        recipe = Recipe.model_validate({**plain, "training": settings})
        results.append(train_recipe(recipe, make_data(32), tmp_path / name).network.state_dict())
    for one, other in zip(results[0].values(), results[1].values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_gradient_checkpointing_gives_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    results = []
    for recompute in (False, True):
        settings = {**RECIPE["training"], "gradient_checkpointing": recompute}
        recipe = Recipe.model_validate({**RECIPE, "training": settings})
        trained = train_recipe(recipe, make_data(), tmp_path / str(recompute))
        results.append(trained.network.state_dict())
    for name, value in results[0].items():
        assert torch.equal(value, results[1][name]), name


def test_mixed_precision_training_is_exact_in_quantized_epochs(tmp_path: Path) -> None:
    settings = {**RECIPE["training"], "tensorboard": True}
    mixed = {**RECIPE, "training": settings, "devices": {"precision": "bf16-mixed"}}
    trained = train_recipe(Recipe.model_validate(mixed), make_data(), tmp_path)
    metrics = [float(epoch["loss"]) for epoch in history(tmp_path)]
    assert metrics[-1] < metrics[0]
    quantized = model_accuracy(trained.network, make_data().test, quantized=True)
    network = convert(trained)
    assert network_accuracy(network, make_data().test, cpu.run).tolist() == quantized.tolist()
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_missing_devices_are_a_recipe_error(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({**RECIPE, "devices": {"accelerator": "gpu"}})
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(RecipeError, match="devices: .*gpu"):
        train_recipe(recipe, make_data(), tmp_path)
