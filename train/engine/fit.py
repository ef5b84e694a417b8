"""The fit loop: a recipe's network, its loss and its optimiser, on Lightning."""

import platform
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from ...runtime.errors import RecipeError
from ..data import Dataset, FrameSet, train_val_split
from ..data.augment import augment
from ..evaluation.evaluate import model_accuracy
from ..losses.registry import compute_losses, make_projection_head
from ..nn.gradient_checkpointing import checkpoint_activations
from ..nn.layers import SpikingLayer
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe
from .checkpoint import MODEL_FILE, TrainedModel, build_network, write_trained_model
from .trainer import (
    make_loader,
    prepare_run,
    run_trainer,
    seed_epoch,
)
from .training_config import TrainingOptions

Batch = tuple[Tensor, Tensor]


def train_recipe(
    recipe: Recipe, data: Dataset, folder: Path, resume: bool = False, progress: bool = False
) -> TrainedModel:
    """Train `recipe` on the training part of `data` and leave the weights in `folder`.

    After every epoch `last.ckpt` holds all that a killed run needs; with `resume` the run goes on
    from there and ends with the weights, bit for bit, of a run never killed. Raises `RecipeError`
    where the batch is larger than the data, and `FileError` where `folder` cannot be written, or
    holds a run that neither was asked to resume nor may be mixed with this recipe.
    """
    training, validation = train_val_split(
        data, recipe.training.validation_per_class, recipe.training.seed
    )
    needed = recipe.training.batch_size * recipe.devices.devices * recipe.devices.nodes
    if len(training) < needed:
        raise RecipeError(
            f"training.batch_size = {recipe.training.batch_size}: {data.name} has {len(training)} training samples, "
            f"a step takes {needed}; take a smaller batch"
        )
    provenance = make_provenance(recipe, data)
    start = prepare_run(recipe, folder, resume, MODEL_FILE)
    torch.manual_seed(recipe.training.seed)
    module = TrainingModule(recipe, build_network(recipe, provenance))
    judge = ValidationCallback(recipe.training, validation) if validation else None
    loader = make_loader(FrameDataset(training), recipe.training.batch_size, recipe.training.seed)
    with checkpoint_activations(module.network.layers, recipe.training.gradient_checkpointing):
        first = run_trainer(
            module,
            loader,
            folder,
            recipe.training.epochs,
            start,
            progress,
            recipe.devices,
            recipe.training.accumulate_grad_batches,
            recipe.training.tensorboard,
            [judge] if judge else [],
        )
    if judge and judge.weights:
        module.network.load_state_dict(judge.weights)
    trained = TrainedModel(module.network.cpu().eval(), recipe, provenance)
    if first:
        write_trained_model(folder / MODEL_FILE, trained)
    return trained


def make_provenance(recipe: Recipe, data: Dataset) -> dict[str, Any]:
    """Return the provenance of a run of `recipe` on `data`."""
    bits = int(max(data.train.events.max(), data.test.events.max())).bit_length()
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


class FrameDataset(TorchDataset[Batch]):
    """Samples in memory as float32 batches (timesteps, batch, channels, height, width)."""

    def __init__(self, frames: FrameSet):
        self.events = torch.from_numpy(frames.events.copy())
        self.labels = torch.from_numpy(frames.labels.copy())

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> Batch:
        chosen = torch.tensor(indices)
        return self.events[:, chosen].float(), self.labels[chosen]


class TrainingModule(lightning.LightningModule):
    """One run's training: the network, its loss, its optimiser, and what each epoch gave."""

    def __init__(self, recipe: Recipe, network: SpikingNetwork):
        super().__init__()
        self.recipe = recipe
        self.network = network
        readout = network.layers[-1]
        assert isinstance(readout, SpikingLayer)
        self.projection_head = make_projection_head(recipe.loss, readout.linear.weight.shape[1])

    def on_train_epoch_start(self) -> None:
        fit = self.recipe.training
        seed_epoch(fit.seed, self.current_epoch)
        self.network.quantize(self.current_epoch >= fit.epochs - fit.qat_epochs)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        clips, labels = batch
        objective = self.recipe.loss
        views = [augment(clips, self.recipe.augment) for _ in range(objective.num_views)]
        labels = labels.repeat(objective.num_views)
        quantised = self.network.layer_list[0].quantized
        # Integers stay whole numbers in float32, not in 16 bits.
        with torch.autocast(clips.device.type, enabled=False) if quantised else nullcontext():
            features = self.network.features(torch.cat(views, dim=1))
            logits = self.network.compute_logits(features).float()
        parts = compute_losses(objective, logits, labels, self.projection_head(features.flatten(2)))
        loss = torch.stack(list(parts.values())).sum()
        right = (logits.detach().sum(dim=0).argmax(dim=-1) == labels).float().mean()
        told = {**parts, "loss": loss, "accuracy": right}
        for name, value in told.items():
            shown = name in ("loss", "accuracy")
            self.log(name, value.detach(), on_step=False, on_epoch=True, prog_bar=shown)
        return loss

    def configure_optimizers(self) -> Any:
        fit = self.recipe.training
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=fit.lr, weight_decay=fit.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, fit.lr, int(self.trainer.estimated_stepping_batches)
        )
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]


class ValidationCallback(lightning.Callback):
    """After each epoch, how often the validation samples are answered right after the last step.

    Where the epoch is to be chosen by it, keeps the `weights` of the best so far, of equals the
    last; across a resume as well.
    """

    def __init__(self, options: TrainingOptions, validation: FrameSet):
        self.options, self.validation = options, validation
        self.accuracy = 0.0
        self.weights: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: Any, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        network, fit = pl_module.network, self.options
        quantised = trainer.current_epoch >= fit.epochs - fit.qat_epochs
        right = float(model_accuracy(network, self.validation, quantised)[-1])
        pl_module.log("validation", right)
        counts = fit.select_epoch == "validation" and (quantised or not fit.qat_epochs)
        if counts and right >= self.accuracy:
            self.accuracy = right
            self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.accuracy, self.weights = state_dict["accuracy"], state_dict["weights"]
