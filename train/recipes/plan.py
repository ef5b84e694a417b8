"""Plan a training run before torch is loaded: its recipe, its folder, and the settings to keep."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtime.config import validate
from ...runtime.errors import FileError, RecipeError
from ...runtime.files import atomic_write
from ..engine.run_folder import (
    BEFORE_QAT_FILE,
    ENCODER_FILE,
    MODEL_FILE,
    RECIPE_FILE,
    RESUME_FILE,
    check_creatable,
    check_run_folder,
    check_unlocked,
    count_epochs,
    lock_run,
    make_run_folder,
    read_json,
    read_run_recipe,
    write_run_recipe,
)
from ..ssl.recipe import PretrainRecipe
from .loader import load_recipe
from .preflight import check_training
from .recipe import Recipe
from .sweep_space import parse_seeds

SEEDS_FILE = "seeds.json"
MISSING_RECIPE = (
    "RECIPE is missing: name one (see 'pumice recipes'), or resume a run with --resume -o RUN"
)
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class RunPlan:
    """A training run to start or to resume: its recipe and its folder."""

    recipe: Recipe
    folder: Path
    resume: bool = False


def plan_run(
    name: PathLike | None,
    overrides: Sequence[str] = (),
    *,
    output: PathLike | None = None,
    data_folder: PathLike | None = None,
    resume: bool = False,
    epochs: int | None = None,
) -> RunPlan:
    """Plan a run from a recipe, or the continuation of a run from its folder alone.

    Args:
        name: A recipe; with `resume` perhaps the folder of a run, or None.
        overrides: Settings of the recipe, such as "training.lr=1e-3".
        output: Folder of the run; default "runs/NAME".
        data_folder: Folder of the dataset; the run remembers it as given.
        resume: Continue the run in its folder, with the settings stored there.
        epochs: Number of epochs. A resumed run may be given more: see `extend_run`.

    Raises:
        RecipeError: The recipe is unknown, wrong or impossible.
        DataError: The dataset does not exist.
        FileError: The folder holds another run, or another process uses it.
    """
    stored = _stored_run(name, output) if resume else None
    if stored is not None:
        _reject_overrides(overrides, stored)
        recipe, folder = read_run_recipe(stored, Recipe), stored
    elif name is None:
        raise RecipeError(MISSING_RECIPE)
    else:
        recipe = load_recipe(name, overrides)
        folder = Path(output) if output else Path("runs") / Path(name).stem
    recipe = _replace(recipe, data_folder, None if stored else epochs)
    check_training(recipe)
    check_run_folder(folder, resume, MODEL_FILE)
    check_unlocked(folder)
    check_creatable(folder)
    if stored is not None and epochs is not None and epochs != recipe.training.epochs:
        recipe = extend_run(folder, recipe, epochs)
    return RunPlan(recipe, folder, resume)


def plan_seeds(
    name: PathLike | None,
    seeds: str | None,
    overrides: Sequence[str] = (),
    *,
    output: PathLike | None = None,
    data_folder: PathLike | None = None,
    resume: bool = False,
    epochs: int | None = None,
) -> list[RunPlan]:
    """Plan a run for each of `seeds`, such as "0,1,2", in subfolders "seed-0", ... of `output`.

    With `resume`, the folder alone is enough, runs that were not begun are started, and further
    seeds may be added. Otherwise as `plan_run`.
    """
    resumed = _stored_seeds(name, output) if resume else None
    stored = _read_seeds(resumed) if resumed else None
    if stored and resumed:
        _reject_overrides(overrides, resumed)
        folder, numbers = resumed, parse_seeds(seeds) if seeds else stored.seeds
    elif name is None or seeds is None:
        raise RecipeError(MISSING_RECIPE)
    else:
        folder = Path(output) if output else Path("runs") / Path(name).stem
        numbers = parse_seeds(seeds)
    plans = []
    for seed in numbers:
        run, recipe, settings = folder / f"seed-{seed}", name, [*overrides]
        if stored is not None and not (run / RECIPE_FILE).exists():
            check_creatable(run)
            plans.append(RunPlan(_replace(stored.recipe, data_folder, epochs, seed), run, resume))
            continue
        if stored is not None:
            recipe = None
        else:
            settings.append(f"training.seed={seed}")
        plan = plan_run(
            recipe, settings, output=run, data_folder=data_folder, resume=resume, epochs=epochs
        )
        plans.append(plan)
    return plans


@dataclass(frozen=True)
class SeedRuns:
    """Runs of one recipe that differ in their seed."""

    recipe: Recipe
    seeds: tuple[int, ...]


def write_seeds(plans: Sequence[RunPlan]) -> None:
    """Write recipe and seeds to the folder of the runs, so that it alone resumes them."""
    folder = plans[0].folder.parent
    make_run_folder(folder)
    known = _read_seeds(folder)
    seeds = {plan.recipe.training.seed for plan in plans} | set(known.seeds if known else ())
    document = {"seeds": sorted(seeds), "recipe": plans[0].recipe.model_dump(mode="json")}
    with atomic_write(folder / SEEDS_FILE) as temporary:
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True), encoding="utf-8")


def holds_seeds(name: PathLike | None, output: PathLike | None) -> bool:
    """True where the folder that is to be resumed holds runs of several seeds."""
    return _stored_seeds(name, output) is not None


def _stored_seeds(name: PathLike | None, output: PathLike | None) -> Path | None:
    folder = _stored_run(name, output) if name is None else None if output else Path(name)
    return folder if folder is not None and (folder / SEEDS_FILE).is_file() else None


def _read_seeds(folder: Path) -> SeedRuns | None:
    document = read_json(folder / SEEDS_FILE)
    if document is None:
        return None
    try:
        seeds = parse_seeds(",".join(map(str, document["seeds"])))
        recipe = document["recipe"]
    except (KeyError, TypeError, RecipeError) as error:
        raise FileError(f"{folder / SEEDS_FILE}: lists no seeds and recipe; train anew") from error
    return SeedRuns(validate(Recipe, recipe, str(folder / SEEDS_FILE)), seeds)


def plan_pretraining(
    name: PathLike | None,
    overrides: Sequence[str] = (),
    *,
    output: PathLike | None = None,
    resume: bool = False,
) -> tuple[PretrainRecipe, Path]:
    """Plan a pretraining run, or the continuation of one from its folder alone.

    Returns:
        Its recipe and its folder.

    Raises:
        RecipeError: The recipe is unknown or wrong.
        FileError: The folder holds another run, or another process uses it.
    """
    stored = _stored_run(name, output) if resume else None
    if stored is not None:
        _reject_overrides(overrides, stored)
        recipe, folder = read_run_recipe(stored, PretrainRecipe), stored
    elif name is None:
        raise RecipeError(MISSING_RECIPE)
    else:
        recipe = load_recipe(name, overrides, kind="pretraining")
        folder = Path(output) if output else Path("runs") / Path(name).stem
    check_run_folder(folder, resume, ENCODER_FILE)
    check_unlocked(folder)
    check_creatable(folder)
    return recipe, folder


def _reject_overrides(overrides: Sequence[str], folder: Path) -> None:
    if overrides:
        raise RecipeError(
            f"--set {overrides[0]}: a resumed run keeps its settings (those in {folder}); only "
            "--epochs may change"
        )


def extend_run(folder: Path, recipe: Recipe, epochs: int) -> Recipe:
    """Give the run in `folder` more epochs; returns its new recipe.

    The run then continues as if it had had that length from the start: from its last epoch, or
    from the last one before quantization-aware training. This needs a learning rate that does not
    depend on the length, `training.schedule` "constant" or "step".

    Raises:
        RecipeError: The schedule depends on the length, or `epochs` is not above the present one.
    """
    training = recipe.training
    if epochs < training.epochs:
        raise RecipeError(
            f"--epochs {epochs}: {folder} has {training.epochs} epochs; a run can only be extended"
        )
    trained = (folder / RESUME_FILE).exists()
    cause = _fixed_length(recipe)
    if trained and cause:
        raise RecipeError(
            f"--epochs {epochs}: {cause}; train anew, with --set training.schedule=constant or "
            "step if it is to be extended later"
        )
    before_qat = folder / BEFORE_QAT_FILE
    quantized = count_epochs(folder) - (training.epochs - training.qat_epochs) > 0
    if training.qat_epochs and quantized and not before_qat.exists():
        raise FileError(
            f"{folder}: {BEFORE_QAT_FILE} is missing, from which a longer run continues; train anew"
        )
    extended = _replace(recipe, None, epochs)
    with lock_run(folder):
        if before_qat.exists():
            before_qat.replace(folder / RESUME_FILE)
        write_run_recipe(folder, extended)
    return extended


def _fixed_length(recipe: Recipe) -> str:
    """Why the run of `recipe` cannot be extended; empty if it can."""
    training = recipe.training
    if not training.can_extend and training.patience:
        return "training.patience ends the run by itself"
    if not training.can_extend:
        return (
            f'training.schedule is "{training.schedule.name}", whose learning rates depend on the '
            "number of epochs"
        )
    for name in recipe.loss.scheduled_losses:
        return f"the weight of loss.{name} depends on the number of epochs"
    return ""


def _stored_run(name: PathLike | None, output: PathLike | None) -> Path | None:
    """The folder of the run that is named alone, if there is one."""
    if name is None:
        return None if output is None else Path(output)
    return Path(name) if (Path(name) / RECIPE_FILE).is_file() and not output else None


def _replace(
    recipe: Recipe, data_folder: PathLike | None, epochs: int | None, seed: int | None = None
) -> Recipe:
    tables = recipe.model_dump()
    if seed is not None:
        tables["training"]["seed"] = seed
    if data_folder is not None:
        tables["data"]["folder"] = Path(data_folder)
    if epochs is not None:
        tables["training"]["epochs"] = epochs
    return validate(Recipe, tables, "train")
