"""Recipes of the papers at full size: shapes, memory, and steps on random samples."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch._subclasses.fake_tensor import FakeTensorMode

from pumice.runtime.errors import DataError
from pumice.train.hrsnn.recipe import HrsnnRecipe
from pumice.train.models.registry import build_model
from pumice.train.recipes.loader import load_any_recipe
from pumice.train.recipes.recipe import Recipe
from pumice.train.recipes.smoke import smoke_test
from pumice.train.ssl.recipe import PretrainRecipe

PAPERS = {
    "etc-dvs-cifar10": ("vggsnn", (2, 48, 48), 10),
    "tet-dvs-cifar10": ("vggsnn", (2, 48, 48), 10),
    "tcl-cifar100": ("resnet19", (3, 32, 32), 4),
    "stcl-cifar100": ("resnet19", (3, 32, 32), 4),
    "ucf101": ("sew_resnet18", (3, 128, 128), 16),
}


@pytest.mark.parametrize("name", PAPERS)
def test_a_recipe_of_each_paper_takes_real_steps(name: str) -> None:
    network, shape, timesteps = PAPERS[name]
    recipe = load_any_recipe(name)
    report = smoke_test(recipe, steps=1)
    assert (recipe.network.name, report.input_shape, report.timesteps) == (
        network,
        shape,
        timesteps,
    )
    assert report.memory and report.memory_with_checkpointing and report.step_memory
    assert report.memory_with_checkpointing < report.memory
    assert report.memory > report.step_memory
    assert report.parameters > 9e6


def test_the_neurons_of_sew_resnet18_are_those_of_the_literature() -> None:
    with FakeTensorMode():
        network = build_model(load_any_recipe("ucf101").network, (3, 128, 128), 2)
        sizes = dict(zip(network.layers, network.layer_shapes(), strict=True))
    named = {str(layer.name): shape for layer, shape in sizes.items()}
    assert named["stem"] == (64, 64, 64) and named["stage4.block2.conv2"] == (512, 4, 4)
    del named["output"]
    assert sum(math.prod(shape) for shape in named.values()) == 876_544


def test_an_hrsnn_of_2000_neurons_learns_from_a_batch() -> None:
    report = smoke_test(load_any_recipe("dvs-gesture"))
    assert (report.kind, report.neurons, report.classes) == ("hrsnn", 2000, 11)
    assert report.loss > 0 and report.memory is None


def test_a_recipe_whose_shapes_depend_on_files_is_an_error(tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text('[data]\nname = "folder"\n')
    with pytest.raises(DataError, match="folder: the shape of its samples depends on its files"):
        smoke_test(load_any_recipe(recipe))


def run_smoke(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "pumice", "train", *arguments, "--smoke", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_kind_of_a_file_is_told_by_its_tables(tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    for table, kind in (("objective", PretrainRecipe), ("hrsnn", HrsnnRecipe), ("loss", Recipe)):
        extra = 'name = "simsiam"' if table == "objective" else ""
        recipe.write_text(f'[data]\nname = "digit-motions"\n[{table}]\n{extra}\n')
        assert type(load_any_recipe(recipe)) is kind


def test_the_command_prints_what_a_step_needs() -> None:
    report = run_smoke("digits-events")
    assert (report["kind"], report["input_shape"]) == ("training", [2, 16, 16])
    assert report["step_memory_measured"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", ["etc-dvs-cifar10", "etc-cifar100", "sew"])
def test_steps_take_the_memory_that_is_estimated(
    name: str, checkpointing: bool, tmp_path: Path
) -> None:
    """Within 15 %. SEW-ResNet-18 at 128 x 128 and T = 16 is trained with labels here."""
    if name == "sew":
        name = str(tmp_path / "sew.toml")
        Path(name).write_text(
            '[data]\nname = "dvs-gesture"\ntimesteps = 16\n[network]\nname = "sew_resnet18"\n'
            'stem = "large"\n[training]\nqat_epochs = 0\n'
        )
    setting = f"training.gradient_checkpointing={str(checkpointing).lower()}"
    report = run_smoke(name, "--set", setting)
    assert report["step_memory_measured"] == pytest.approx(report["step_memory"], rel=0.15)
