"""Shipped recipes for events, as they are: the part `recipes`.

N-MNIST has 900 recordings here, so that its recipe is measured by cross-validation: each recording
is a test sample once for each seed, and the network has seen four fifths of the others.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.evidence.accuracy_tables import Tables, make_page, scores_at
from bench.evidence.beds import draw_fold
from bench.evidence.cells import Cell, CellResult, Context, Page, Part, Results, group_by_name
from bench.evidence.low_timesteps import evaluate_model
from bench.evidence.statistics import estimate
from bench.results import Claim
from pumice.train import load_recipe, train_recipe
from pumice.train.data import load

NAME, SHIPPED, SEEDS = "recipes", "as shipped", 3


@dataclass(frozen=True)
class Shipped:
    """A recipe: the folder of its data, if it needs one, and folds of cross-validation, if any.

    `targets` holds accuracies in percent by timestep.
    """

    folder: str = ""
    folds: int = 0
    targets: tuple[tuple[int, float], ...] = ()


RECIPES = {
    "nmnist": Shipped("nmnist900", 5, ((1, 93.0), (10, 97.5))),
    "digits-events": Shipped(),
    "digits-events-sew": Shipped(),
}


def list_cells(context: Context, results: Results) -> list[Cell]:
    """List a cell for each recipe, seed and fold."""
    present = {
        name: each for name, each in RECIPES.items() if not each.folder or context.has(each.folder)
    }
    if context.quick:
        return [make_cell("digits-events", 0, 0)]
    return [
        make_cell(name, seed, fold)
        for seed in range(SEEDS)
        for name, each in present.items()
        for fold in range(max(each.folds, 1))
    ]


def make_cell(name: str, seed: int, fold: int) -> Cell:
    """Make the cell of a recipe; its settings hold the recipe, without the seed."""
    recipe = load_recipe(name)
    tables = recipe.model_dump(mode="json", exclude_defaults=True)
    return Cell(NAME, f"{SHIPPED} | {name}", {"name": name, "fold": fold, "recipe": tables}, seed)


def measure(cell: Cell, context: Context) -> dict[str, Any]:
    """Train the recipe, and read the test samples once."""
    torch.set_num_threads(1)
    name, shipped = cell.settings["name"], RECIPES[cell.settings["name"]]
    recipe = load_recipe(name, list(_overrides(cell.seed, context, shipped)))
    data = load(**recipe.data.model_dump())
    if shipped.folds:
        data = draw_fold(data, shipped.folds, cell.settings["fold"])
    with tempfile.TemporaryDirectory() as folder:
        trained = train_recipe(recipe, data, Path(folder))
    return evaluate_model(trained, data)


def _overrides(seed: int, context: Context, shipped: Shipped) -> Iterator[str]:
    yield f"training.seed={seed}"
    yield "training.num_workers=0"
    if shipped.folder:
        yield f"data.folder={context.data / shipped.folder}"
    if context.quick:
        yield from ("training.epochs=1", "training.qat_epochs=1", "data.timesteps=2")


def report(results: Sequence[CellResult], folder: Path) -> Page:
    """Accuracies in float and in integers, and whether the targets are met."""
    page = make_page(results, Tables(list(RECIPES), ()), folder)
    claims = []
    for name, group in group_by_name(results).items():
        recipe = name.rpartition(" | ")[2]
        for timestep, target in RECIPES[recipe].targets:
            found = estimate(scores_at(group, timestep))
            verdict = "reproduced" if found.mean >= target else "not reproduced"
            claim = f"{recipe}: {target:g} % or more at T = {timestep}, in integers"
            where = f"{found.samples} test samples of cross-validation, {found.runs} seeds"
            claims.append(Claim("this project", claim, verdict, f"{found} %", where))
    return Page(page.tables, claims, page.figures)


PART = Part(
    NAME,
    list_cells,
    measure,
    report,
    (
        "bench/evidence/recipes.py",
        "train/losses/*.py",
        "train/nn/layers.py",
        "train/nn/network.py",
        "train/engine/training_module.py",
        "train/data/augment.py",
    ),
)
