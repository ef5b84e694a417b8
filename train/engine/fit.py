"""The training loop: a network, the losses and the optimizer of a recipe, on Lightning."""

import platform
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from ...runtime.errors import NetworkError, PumiceError, RecipeError
from ..data import Dataset, FrameSet, train_val_split
from ..data.augment import augment
from ..data.reading import default_workers
from ..evaluation.evaluate import model_accuracy
from ..losses.registry import compute_losses, make_projection_head
from ..nn.external import ExternalModel
from ..nn.gradient_checkpointing import checkpoint_activations
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe
from .callbacks import EpochFunction, QatCheckpoint
from .checkpoint import TrainedModel, build_network, write_trained_model
from .run_folder import MODEL_FILE, lock_run, prepare_run
from .trainer import RunOptions, RunResult, make_loader, run_trainer, seed_epoch
from .training_config import TrainingOptions

Batch = tuple[Tensor, Tensor]


def train_recipe(
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    resume: bool = False,
    progress: bool = False,
    network: SpikingNetwork | None = None,
    on_epoch: EpochFunction | None = None,
) -> TrainedModel:
    """Train the network of `recipe` on the training part of `data`; write it to `folder`.

    After every epoch `last.ckpt` holds the state of the run. With `resume`, a killed run continues
    from there and ends with the weights, bit for bit, of a run never killed.

    Args:
        recipe: Settings of the run.
        data: Dataset; its test part is not used.
        folder: Where checkpoints, history and weights go.
        resume: Continue the run in `folder`, if there is one.
        progress: Show a progress bar.
        network: Network to train in place; None builds the recipe's from the seed.
        on_epoch: Called after each epoch with its number, the number of epochs, metrics, seconds.

    Raises:
        RecipeError: The batch is larger than the data, or the devices do not exist.
        NetworkError: `network` does not fit the data.
        FileError: `folder` cannot be written, is used by another process, holds a run that is not
            to be resumed, or a run of another recipe.
    """
    options = recipe.training
    samples, validation = train_val_split(data, options.validation_per_class, options.seed)
    _check_batch(recipe, data.name, len(samples))
    provenance = make_provenance(recipe, data)
    if network is not None:
        _fit_to_data(network, data, provenance["data"]["value_bits"])
    with lock_run(folder):
        checkpoint = prepare_run(recipe, folder, resume, MODEL_FILE)
        torch.manual_seed(options.seed)
        network = build_network(recipe, provenance) if network is None else network
        run_options = RunOptions(
            folder,
            options.epochs,
            checkpoint,
            progress,
            recipe.devices,
            options.accumulate_grad_batches,
            options.tensorboard,
            on_epoch,
        )
        result = _fit(network, recipe, samples, validation, run_options)
        network.provenance = provenance
        trained = TrainedModel(network.cpu().eval(), recipe, provenance, tuple(result.history))
        if result.is_rank_zero:
            write_trained_model(folder / MODEL_FILE, trained)
    return trained


def _check_batch(recipe: Recipe, name: str, samples: int) -> None:
    """Raise `RecipeError` where a training step takes more samples than there are."""
    batch_size = recipe.training.batch_size
    step_size = batch_size * recipe.devices.world_size
    if samples < step_size:
        raise RecipeError(
            f"training.batch_size = {batch_size}: {name} has {samples} training samples, a step "
            f"takes {step_size}; choose a smaller batch"
        )


def _fit(
    network: SpikingNetwork,
    recipe: Recipe,
    samples: FrameSet,
    validation: FrameSet | None,
    run_options: RunOptions,
) -> RunResult:
    """Fit `network` in place, and load the weights of the selected epoch."""
    options = recipe.training
    module = TrainingModule(recipe, network)
    selection = ValidationCallback(options, validation) if validation else None
    workers = options.num_workers
    loader = make_loader(
        FrameDataset(samples),
        options.batch_size,
        options.seed,
        default_workers(samples.source) if workers is None else workers,
    )
    callbacks: list[lightning.Callback] = [selection] if selection else []
    if options.schedule == "constant" and options.qat_epochs:
        callbacks.append(QatCheckpoint(run_options.folder, options.epochs - options.qat_epochs))
    with checkpoint_activations(network.layers, options.gradient_checkpointing):
        result = run_trainer(module, loader, run_options, callbacks)
    if selection and selection.weights:
        network.load_state_dict(selection.weights)
    return result


def make_provenance(recipe: Recipe, data: Dataset) -> dict[str, Any]:
    """Collect recipe, data digest, seed and versions of a run, as plain values."""
    bits = max(data.train.max_value, data.test.max_value).bit_length()
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": {
            "name": data.name,
            "digest": data.digest,
            "shape": list(data.input_shape),
            "timesteps": data.timesteps,
            "classes": data.classes,
            "value_bits": 1 if bits <= 1 else 8,
            **data.provenance,
        },
        "seed": recipe.training.seed,
        "versions": {name: version(name) for name in ("pumice", "torch", "numpy")},
        "python": platform.python_version(),
    }


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


class TrainingModule(lightning.LightningModule):
    """One training run: augmentation, network, losses and optimizer."""

    def __init__(self, recipe: Recipe, network: SpikingNetwork):
        super().__init__()
        self.recipe = recipe
        self.network = network
        features = network.feature_size if recipe.loss.contrastive else 0
        self.projection_head = make_projection_head(recipe.loss, features)

    def on_train_epoch_start(self) -> None:
        """Seed the epoch; switch to quantization-aware training in the last epochs."""
        options = self.recipe.training
        seed_epoch(options.seed, self.current_epoch)
        self.network.quantize(self.current_epoch >= options.epochs - options.qat_epochs)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Augment, compute and log the losses; their sum is minimized."""
        clips, labels = batch[0].float(), batch[1]
        loss_options, network = self.recipe.loss, self.network
        views = [augment(clips, self.recipe.augment) for _ in range(loss_options.num_views)]
        labels = labels.repeat(loss_options.num_views)
        # Integers are exact in float32, not in 16 bits.
        with (
            torch.autocast(clips.device.type, enabled=False) if network.quantized else nullcontext()
        ):
            if loss_options.contrastive:
                features = network.features(torch.cat(views, dim=1))
                logits = network.compute_logits(features).float()
                projected = self.projection_head(features.flatten(2))
            else:
                logits = projected = network(torch.cat(views, dim=1)).float()
        losses = compute_losses(loss_options, logits, labels, projected)
        loss = torch.stack(list(losses.values())).sum()
        accuracy = (logits.detach().sum(dim=0).argmax(dim=-1) == labels).float().mean()
        for name, value in {**losses, "loss": loss, "accuracy": accuracy}.items():
            shown = name in ("loss", "accuracy")
            self.log(name, value.detach(), on_step=False, on_epoch=True, prog_bar=shown)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW with a one-cycle or a constant learning rate."""
        options = self.recipe.training
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=options.lr, weight_decay=options.weight_decay, fused=True
        )
        if options.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, options.lr, int(self.trainer.estimated_stepping_batches)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class ValidationCallback(lightning.Callback):
    """Validation accuracy at the last timestep after each epoch, and model selection by it.

    Keeps the `weights` of the best epoch where the recipe selects by it, the latest of ties;
    survives a resume.
    """

    def __init__(self, options: TrainingOptions, validation: FrameSet):
        self.options, self.validation = options, validation
        self.accuracy = 0.0
        self.weights: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: Any, pl_module: lightning.LightningModule) -> None:
        """Log the accuracy and keep the weights of the best epoch."""
        assert isinstance(pl_module, TrainingModule)
        network, options = pl_module.network, self.options
        quantized = trainer.current_epoch >= options.epochs - options.qat_epochs
        accuracy = float(model_accuracy(network, self.validation, quantized)[-1])
        pl_module.log("validation_accuracy", accuracy)
        eligible = options.select_epoch == "validation" and (quantized or not options.qat_epochs)
        if eligible and accuracy >= self.accuracy:
            self.accuracy = accuracy
            self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint."""
        return {"accuracy": self.accuracy, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.accuracy, self.weights = state_dict["accuracy"], state_dict["weights"]
