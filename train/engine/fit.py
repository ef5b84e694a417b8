"""The training loop: a network, the losses and the optimizer of a recipe, on Lightning."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from ...runtime.errors import NetworkError, PumiceError, RecipeError
from ..data import Dataset, FrameSet, train_val_split
from ..data.reading import default_workers
from ..models import build_model
from ..nn.external import ExternalModel
from ..nn.gradient_checkpointing import checkpoint_activations
from ..nn.network import SpikingNetwork
from ..recipes.preflight import check_network
from ..recipes.recipe import Recipe
from .averaging import WeightAveraging
from .callbacks import EpochFunction, QatCheckpoint
from .checkpoint import TrainedModel, record_network, write_trained_model
from .processes import launched_devices
from .readout import check_losses, make_readout, readout_provenance, set_readout
from .run_folder import MODEL_FILE, lock_run, prepare_run
from .step_checkpoint import EpochMetrics, StepCheckpoint
from .teacher import Teacher, check_teacher, load_teacher, teacher_digests
from .trainer import RunOptions, RunResult, make_loader, run_trainer
from .training_module import Batch, TrainingModule
from .transfer import apply_transfer
from .validation import EarlyStopping, ValidationCallback


def train_recipe(
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    resume: bool = False,
    progress: bool = False,
    network: SpikingNetwork | None = None,
    on_epoch: EpochFunction | None = None,
    teacher: Teacher | None = None,
) -> TrainedModel:
    """Train the network of `recipe` on the training part of `data`; write it to `folder`.

    After every epoch, and every few minutes inside one, `last.ckpt` holds the state of the run.
    With `resume`, a killed run continues from there and ends with the weights, bit for bit, of a
    run never killed.

    Args:
        recipe: Settings of the run.
        data: Dataset; its test part is not used.
        folder: Where checkpoints, history and weights go.
        resume: Continue the run in `folder`, if there is one.
        progress: Show a progress bar.
        network: Network to train in place; None builds the recipe's from the seed.
        on_epoch: Called after each epoch with its number, the number of epochs, metrics, seconds.
        teacher: Models that losses learn from; None loads those of the recipe.

    Raises:
        TrainingError: The loss is not finite.
        RecipeError: The batch is larger than the data, or the devices do not exist.
        NetworkError: `network` does not fit the data.
        FileError: `folder` cannot be written, is used by another process, holds a run that is not
            to be resumed, or a run of another recipe.
    """
    options = recipe.training
    samples, validation = train_val_split(data, options.validation_per_class, options.seed)
    _check_batch(recipe, data.name, len(samples))
    check_losses(recipe, data)
    provenance = make_provenance(recipe, data)
    if network is not None:
        _fit_to_data(network, data, provenance["data"]["value_bits"])
    _check_mixing(recipe, provenance["data"]["value_bits"])
    teacher = _prepare_teacher(recipe, data, teacher)
    with lock_run(folder):
        checkpoint = prepare_run(recipe, folder, resume, MODEL_FILE)
        torch.manual_seed(options.seed)
        if network is None:
            network = _build(recipe, provenance["data"])
        provenance |= record_network(recipe.network, network)
        provenance |= apply_transfer(network, recipe.transfer)
        set_readout(network, make_readout(recipe.readout, data), recipe.readout.leak)
        provenance |= readout_provenance(network.readout)
        run_options = _run_options(recipe, folder, checkpoint, progress, on_epoch)
        top = 2 ** max(1, samples.max_value.bit_length()) - 1
        module = TrainingModule(recipe, network, data.classes, top, teacher)
        result = _fit(module, samples, validation, run_options)
        network.provenance = provenance
        trained = TrainedModel(network.cpu().eval(), recipe, provenance, tuple(result.history))
        if result.is_rank_zero:
            write_trained_model(folder / MODEL_FILE, trained)
    return trained


def _run_options(
    recipe: Recipe,
    folder: Path,
    checkpoint: str | None,
    progress: bool,
    on_epoch: EpochFunction | None,
) -> RunOptions:
    options = recipe.training
    return RunOptions(
        folder,
        options.epochs,
        checkpoint,
        progress,
        launched_devices(recipe.devices),
        options.accumulate_grad_batches,
        options.tensorboard,
        on_epoch,
        options.clip_gradient,
    )


def _build(recipe: Recipe, data: dict[str, Any]) -> SpikingNetwork:
    shape = tuple(data["shape"])
    check_network(recipe, shape)
    return build_model(recipe.network, shape, data["classes"], data["value_bits"])


def _check_batch(recipe: Recipe, name: str, samples: int) -> None:
    """Raise `RecipeError` where a training step takes more samples than there are."""
    batch_size = recipe.training.batch_size
    step_size = batch_size * launched_devices(recipe.devices).world_size
    if samples < step_size:
        raise RecipeError(
            f"training.batch_size = {batch_size}: {name} has {samples} training samples, a step "
            f"takes {step_size}; choose a smaller batch"
        )


def _check_mixing(recipe: Recipe, value_bits: int) -> None:
    """Raise `RecipeError` where binary events were to be summed."""
    mix = recipe.augment.mix
    if mix and mix.mixup and value_bits == 1:
        raise RecipeError(
            f"augment.mix.mixup = {mix.mixup:g}: {recipe.data.name} has binary events, whose sums "
            "are none; choose cutmix or event_mix"
        )


def _prepare_teacher(recipe: Recipe, data: Dataset, teacher: Teacher | None) -> Teacher | None:
    if recipe.teacher is None or not recipe.loss.needs_teacher:
        return None
    teacher = load_teacher(recipe.teacher) if teacher is None else teacher
    check_teacher(teacher, data)
    return teacher


def _fit(
    module: TrainingModule,
    samples: FrameSet,
    validation: FrameSet | None,
    run_options: RunOptions,
) -> RunResult:
    """Fit the network in place, and load the weights of the selected epoch or the average."""
    options, network = module.recipe.training, module.network
    averaging = WeightAveraging(options.averaging, network) if options.averaging else None
    selection = ValidationCallback(options, validation, averaging) if validation else None
    workers = options.num_workers
    loader = make_loader(
        FrameDataset(samples),
        options.batch_size,
        options.seed,
        default_workers(samples.source) if workers is None else workers,
    )
    callbacks: list[lightning.Callback] = [EpochMetrics()]
    callbacks += [each for each in (averaging, selection) if each]
    if selection and options.patience:
        callbacks.append(EarlyStopping(options, selection))
    if options.can_extend and options.qat_epochs:
        callbacks.append(QatCheckpoint(run_options.folder, options.epochs - options.qat_epochs))
    callbacks.append(StepCheckpoint(run_options.folder, options.checkpoint_minutes))
    with checkpoint_activations(network.layers, options.gradient_checkpointing):
        result = run_trainer(module, loader, run_options, callbacks)
    if selection and selection.weights:
        network.load_state_dict(selection.weights)
    elif averaging and averaging.started:
        network.load_state_dict(averaging.network.state_dict())
    return result


def make_provenance(recipe: Recipe, data: Dataset) -> dict[str, Any]:
    """Collect recipe, data digest, seed and versions of a run, as plain values."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": {
            "name": data.name,
            "digest": data.digest,
            "shape": list(data.input_shape),
            "timesteps": data.timesteps,
            "classes": data.classes,
            "value_bits": value_bits(data),
            **data.provenance,
        },
        **({"teacher": teacher_digests(recipe.teacher)} if recipe.teacher else {}),
        "seed": recipe.training.seed,
        "versions": {name: version(name) for name in ("pumice", "torch", "numpy")},
        "python": platform.python_version(),
    }


def value_bits(data: Dataset) -> int:
    """Bits of an input value: those of the largest value; 8 of event counts, which may grow."""
    largest = max(part.max_value for part in (data.train, data.test, data.validation) if part)
    counts = data.provenance.get("options", {}).get("values") == "counts"
    return 8 if counts and largest > 1 else max(1, largest.bit_length())


def _fit_to_data(network: SpikingNetwork, data: Dataset, value_bits: int) -> None:
    """Set the bits of the input values; raise `NetworkError` where shapes or classes differ."""
    name = type(network).__name__
    if isinstance(network, ExternalModel):
        network.check_output(data.timesteps, data.classes)
    else:
        network.check_frames(data.input_shape)
        (classes,) = network.layer_shapes()[-1]
        if classes < data.classes:
            raise NetworkError(
                f"{name}: has {classes} classes, but {data.name} has {data.classes}; build it with "
                "data.classes"
            )
    network.value_bits = value_bits


class FrameDataset(TorchDataset[Batch]):
    """Samples as uint8 batches (timesteps, batch, channels, height, width), read when asked for.

    Images that are repeated over time are one expanded tensor, in memory once.
    """

    def __init__(self, frames: FrameSet):
        self.source, self.labels = frames.source, torch.from_numpy(frames.labels.copy())

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> Batch | PumiceError:
        try:
            events = self.source.read(np.array(indices))
        except PumiceError as error:  # raised by the process that trains, in one line
            return error
        if events.strides[0] == 0:
            images = torch.from_numpy(events[0].copy())
            return images.expand(len(events), *images.shape), self.labels[indices]
        return torch.from_numpy(events), self.labels[indices]
