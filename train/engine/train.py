"""`pumice.train`: train a model or a recipe on a dataset."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypedDict, Unpack

from pydantic import BaseModel
from torch import nn

from ...runtime.config import validate
from ...runtime.errors import RecipeError
from ..data import Dataset
from ..data.augment_options import AugmentOptions
from ..data.options import DataOptions
from ..losses.options import LossOptions
from ..models.modules import as_network
from ..models.options import CustomOptions
from ..models.readout_options import ReadoutOptions
from ..nn.external import PROVENANCE, ExternalModel
from ..nn.network import SpikingNetwork
from ..recipes.dataset import load_recipe_dataset
from ..recipes.loader import load_recipe
from ..recipes.recipe import Recipe
from ..recipes.teacher_options import TeacherOptions
from .checkpoint import TrainedModel
from .fit import train_recipe
from .teacher import Teacher
from .training_config import DeviceOptions, TrainingOptions
from .transfer_options import TransferOptions

TeacherArgument = nn.Module | Sequence[nn.Module] | TeacherOptions | Mapping[str, Any]
Loss = str | Sequence[str] | Mapping[str, Any] | LossOptions
CLASSIFICATION_LOSSES = ("cross_entropy", "tet", "mse", "mae", "huber", "custom")


class TrainingSettings(TypedDict, total=False):
    """Further settings of `train`: tables `[training]`, `[augment]` and `[devices]` of a recipe."""

    batch_size: int
    optimizer: str | Mapping[str, Any]
    lr: float
    schedule: str | Mapping[str, Any]
    weight_decay: float
    clip_gradient: float
    averaging: str | Mapping[str, Any] | None
    patience: int
    seed: int
    qat_epochs: int
    accumulate_grad_batches: int
    validation_per_class: int
    select_epoch: Literal["last", "validation"]
    gradient_checkpointing: bool
    tensorboard: bool
    num_workers: int | None
    augment: AugmentOptions | Mapping[str, Any]
    devices: DeviceOptions | Mapping[str, Any]
    readout: ReadoutOptions | Mapping[str, Any]
    transfer: TransferOptions | Mapping[str, Any]


def train(
    model: nn.Module | Recipe | str | os.PathLike[str],
    data: Dataset | None = None,
    epochs: int | None = None,
    loss: Loss | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool | None = None,
    teacher: TeacherArgument | None = None,
    **settings: Unpack[TrainingSettings],
) -> TrainedModel:
    """Train a model, or the network of a recipe, on a dataset.

    The model is trained in place, ends in evaluation mode and carries its provenance to
    `pumice.convert`. The last third of the epochs, about, is quantization-aware (`qat_epochs`).

        pumice.train(model, data, epochs=18, loss="etc", augment={"shift": 1})
        pumice.train("digits-events", epochs=3, out="runs/digits")

    Args:
        model: A spiking network; a torch module of `pumice.nn` layers, or from events (timesteps,
            batch, *shape) to logits (timesteps, batch, classes); or a recipe, its file or name.
        data: Dataset; None loads the recipe's.
        epochs: Passes over the training samples; default 20, or the recipe's.
        loss: A name such as "etc", a list of names, or a mapping from name to weight or options
            (`{"etc": 0.5}`); "FILE.py:NAME" is a function of your own. Cross-entropy is added where
            none of them classifies. Default: cross-entropy, or the recipe's.
        out: Folder of checkpoints, history and weights; None keeps no files.
        resume: Continue the run in `out`, if there is one; it ends bit for bit as an unbroken run.
        progress: Show a progress bar; None shows one in a terminal or notebook.
        teacher: Models that the loss "distillation" learns from: a torch module or several, which
            read the mean frame (batch, *shape) unless they are pumice's; or the table `[teacher]`.
        **settings: Further settings, see `TrainingOptions`: `batch_size`, `optimizer`, `lr`,
            `seed`, `qat_epochs`, ...; the tables `augment`, `devices`, `readout`, `transfer`.

    Returns:
        The trained network with its recipe, provenance and history.

    Raises:
        RecipeError: A setting is unknown or out of range, or the batch is larger than the data.
        NetworkError: The model or the teacher does not fit the data.
        DataError: The recipe's dataset is missing or damaged.
        FileError: `out` cannot be written, or holds a run that is not to be resumed.
    """
    network, recipe = _resolve(model, data)
    options, teachers = _resolve_teacher(teacher)
    recipe = _override(recipe, epochs, loss, dict(settings), options)
    if data is None:
        data = load_recipe_dataset(recipe)
    if progress is None:
        progress = sys.stderr.isatty() or "ipykernel" in sys.modules
    if resume and out is None:
        raise RecipeError("train: resume needs the folder of the run; give out")
    with TemporaryDirectory(prefix="pumice-train-") if out is None else nullcontext(out) as folder:
        trained = train_recipe(
            recipe, data, Path(folder), resume, progress, network, teacher=teachers
        )
    if isinstance(model, nn.Module) and not isinstance(model, SpikingNetwork):
        setattr(model, PROVENANCE, trained.provenance)
    return trained


def parse_loss(loss: Loss) -> dict[str, Any]:
    """Convert a loss in short form to the recipe's table `[loss]`; see `train`."""
    if isinstance(loss, LossOptions):
        return loss.model_dump(exclude_none=True)
    if isinstance(loss, Mapping):
        table = {
            name: {"weight": value} if isinstance(value, int | float) else value
            for name, value in loss.items()
        }
    elif isinstance(loss, str | Sequence):
        table = {name: {} for name in ([loss] if isinstance(loss, str) else loss)}
    else:
        raise RecipeError(f"train: loss is {loss!r}, needs a name, a list of names or a mapping")
    for name in [name for name in table if ":" in name]:
        table["custom"] = {"function": name, **table.pop(name)}
    if not any(name in table for name in CLASSIFICATION_LOSSES):
        table = {"cross_entropy": {}, **table}
    return table


def _resolve(model: Any, data: Any) -> tuple[SpikingNetwork | None, Recipe]:
    """The network to train in place, if there is one, and its recipe."""
    if data is not None and not isinstance(data, Dataset):
        raise RecipeError(
            f"train: data is {type(data).__name__}, needs a Dataset; see pumice.datasets.load and "
            "pumice.datasets.from_arrays"
        )
    if isinstance(model, nn.Module):
        if data is None:
            raise RecipeError(f"train: {type(model).__name__} needs a dataset; give data")
        network = as_network(model, data.input_shape)
        return network, _recipe_of(network, data)
    if isinstance(model, Recipe):
        return None, model
    if isinstance(model, str | os.PathLike):
        return None, load_recipe(model)
    raise RecipeError(
        f"train: model is {type(model).__name__}, needs a torch module, a Recipe, or the name or "
        "path of one"
    )


def _resolve_teacher(
    teacher: TeacherArgument | None,
) -> tuple[TeacherOptions | None, Teacher | None]:
    """The table `[teacher]` and, of models given as objects, the teacher itself."""
    if teacher is None or isinstance(teacher, TeacherOptions):
        return teacher, None
    if isinstance(teacher, Mapping):
        return validate(TeacherOptions, teacher, "train: teacher"), None
    models = [teacher] if isinstance(teacher, nn.Module) else list(teacher)
    if not models or not all(isinstance(model, nn.Module) for model in models):
        raise RecipeError(
            f"train: teacher is {teacher!r}, needs a torch module, a list of them, or the table "
            "[teacher]"
        )
    names = tuple(f"python:{type(model).__qualname__}" for model in models)
    return TeacherOptions(models=names), Teacher(models, mean_frame=True)


def _recipe_of(network: SpikingNetwork, data: Dataset) -> Recipe:
    """Create the recipe that trains `network` on `data` with default settings."""
    module = network.module if isinstance(network, ExternalModel) else network
    options = network.options or CustomOptions(type=type(module).__qualname__)
    known = set(DataOptions.model_fields)
    table = {k: v for k, v in data.provenance.get("options", {}).items() if k in known}
    table = {"name": data.name, **table, "timesteps": data.timesteps}
    settings: dict[str, Any] = {"data": table, "network": options.model_dump()}
    if isinstance(network, ExternalModel):
        settings["training"] = {"qat_epochs": 0}
    if data.task == "regression":
        settings["loss"] = {"mse": {}}
    return validate(Recipe, settings, "train")


def _override(
    recipe: Recipe,
    epochs: int | None,
    loss: Loss | None,
    settings: dict[str, Any],
    teacher: TeacherOptions | None = None,
) -> Recipe:
    """Apply the arguments of `train`; `qat_epochs` stays the same fraction of the epochs."""
    tables = recipe.model_dump()
    for name in ("augment", "devices", "readout", "transfer"):
        given = settings.pop(name, None)
        if given is not None:
            if not isinstance(given, Mapping | BaseModel):
                raise RecipeError(f"train: {name} is {given!r}, needs a mapping of settings")
            tables[name] |= given.model_dump() if isinstance(given, BaseModel) else given
    training = tables["training"]
    if epochs is not None:
        if isinstance(epochs, int):
            training["qat_epochs"] = epochs * training["qat_epochs"] // training["epochs"]
        training["epochs"] = epochs
    training |= settings
    if teacher is not None:
        tables["teacher"] = teacher.model_dump()
    if loss is not None:
        tables["loss"] = parse_loss(loss)
    unknown = set(settings) - set(TrainingOptions.model_fields)
    if unknown:  # the error names the argument, not a table
        validate(TrainingOptions, settings, "train")
    return validate(Recipe, tables, "train")
