from pathlib import Path
from typing import Any

import pytest

from pumice.runtime.errors import PumiceError
from pumice.train.engine.run_folder import (
    BEFORE_QAT_FILE,
    RESUME_FILE,
    read_run_recipe,
    write_run_recipe,
)
from pumice.train.recipes.plan import plan_run
from pumice.train.recipes.recipe import Recipe


def make_run(folder: Path, epochs: int = 0, **training: Any) -> Recipe:
    """A run that was killed after `epochs`."""
    table = {"epochs": 4, "qat_epochs": 1, "schedule": "constant", **training}
    recipe = Recipe.model_validate({"data": {"name": "digits-events"}, "training": table})
    folder.mkdir()
    write_run_recipe(folder, recipe)
    (folder / "history.csv").write_text("epoch\n" + "0\n" * epochs)
    if epochs:
        (folder / RESUME_FILE).write_text("last")
    return recipe


def test_a_run_is_planned_from_a_recipe(tmp_path: Path) -> None:
    plan = plan_run("digits-events", ["training.lr=0.1"], data_folder=tmp_path, epochs=9)
    assert plan.folder == Path("runs/digits-events") and not plan.resume
    assert (plan.recipe.training.lr, plan.recipe.training.epochs) == (0.1, 9)
    assert plan.recipe.data.folder == tmp_path


@pytest.mark.parametrize("by", ["name", "output"])
def test_a_run_is_resumed_from_its_folder_alone(by: Any, tmp_path: Path) -> None:
    recipe = make_run(tmp_path / "run", 2)
    folder = tmp_path / "run"
    plan = (
        plan_run(folder, resume=True)
        if by == "name"
        else plan_run(None, output=folder, resume=True)
    )
    assert (plan.recipe, plan.folder, plan.resume) == (recipe, folder, True)


def test_a_moved_data_folder_can_be_given_to_a_resumed_run(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 2)
    plan = plan_run(tmp_path / "run", resume=True, data_folder=tmp_path)
    assert plan.recipe.data.folder == tmp_path


def test_an_extended_run_continues_before_quantization(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    make_run(folder, 4)
    (folder / BEFORE_QAT_FILE).write_text("before")
    plan = plan_run(folder, resume=True, epochs=7)
    assert plan.recipe.training.epochs == 7 and read_run_recipe(folder, Recipe) == plan.recipe
    assert (folder / RESUME_FILE).read_text() == "before" and not (
        folder / BEFORE_QAT_FILE
    ).exists()


def test_a_run_killed_before_quantization_is_extended_from_its_last_epoch(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 3)
    assert plan_run(tmp_path / "run", resume=True, epochs=9).recipe.training.epochs == 9
    assert (tmp_path / "run" / RESUME_FILE).read_text() == "last"


@pytest.mark.parametrize(
    ("training", "done", "epochs", "message"),
    [
        ({}, 2, 3, "--epochs 3: .* has 4 epochs; a run can only be extended"),
        ({"schedule": "one_cycle"}, 2, 9, 'training.schedule is "one_cycle", whose learning rates'),
        ({}, 4, 9, "before-qat.ckpt is missing"),
    ],
)
def test_a_run_that_cannot_be_extended_is_left_as_it_is(
    training: Any, done: int, epochs: int, message: str, tmp_path: Path
) -> None:
    recipe = make_run(tmp_path / "run", done, **training)
    with pytest.raises(PumiceError, match=message):
        plan_run(tmp_path / "run", resume=True, epochs=epochs)
    assert read_run_recipe(tmp_path / "run", Recipe) == recipe


def test_a_run_that_has_not_begun_may_have_any_schedule(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 0, schedule="one_cycle")
    assert plan_run(tmp_path / "run", resume=True, epochs=9).recipe.training.epochs == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": None}, "RECIPE is missing: name one"),
        ({"name": None, "resume": True}, "RECIPE is missing: name one"),
        ({"name": "digit-events"}, "did you mean 'digits-events'"),
        ({"name": "digits-events", "output": __file__}, "is a file; name a folder"),
        ({"name": None, "output": "absent", "resume": True}, "absent: holds no run"),
    ],
)
def test_a_plan_that_cannot_be_is_rejected(arguments: Any, message: str) -> None:
    with pytest.raises(PumiceError, match=message):
        plan_run(**arguments)


def test_a_resumed_run_keeps_its_settings(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 2)
    with pytest.raises(PumiceError, match="keeps its settings .* only --epochs may change"):
        plan_run(tmp_path / "run", ["training.lr=1"], resume=True)
    with pytest.raises(
        PumiceError, match="holds a run already; resume it .pumice train --resume -o"
    ):
        plan_run("digits-events", output=tmp_path / "run")
