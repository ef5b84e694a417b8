"""The fit loop: a recipe's network, its loss and its optimiser, on Lightning."""

import platform
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..runtime.errors import RecipeError
from .augment import varied
from .checkpoint import NAME, Trained, built, write_trained
from .data import Data, FrameSet, parted
from .evaluate import trained_accuracies
from .fit_options import FitOptions
from .layers import Layer
from .loop import run, seed_epoch, shuffled, started
from .networks import SpikingNetwork
from .objectives.catalogue import head, losses
from .recipe import Recipe
from .recompute import recomputed

Batch = tuple[Tensor, Tensor]


def fit(
    recipe: Recipe, data: Data, folder: Path, resume: bool = False, progress: bool = False
) -> Trained:
    """Train `recipe` on the training part of `data` and leave the weights in `folder`.

    After every epoch `last.ckpt` holds all that a killed run needs; with `resume` the run goes on
    from there and ends with the weights, bit for bit, of a run never killed. Raises `RecipeError`
    where the batch is larger than the data, and `FileError` where `folder` cannot be written, or
    holds a run that neither was asked to resume nor may be mixed with this recipe.
    """
    training, validation = parted(data, recipe.fit.validation, recipe.fit.seed)
    needed = recipe.fit.batch * recipe.devices.devices * recipe.devices.nodes
    if len(training) < needed:
        raise RecipeError(
            f"fit.batch = {recipe.fit.batch}: {data.name} has {len(training)} training samples, "
            f"a step takes {needed}; take a smaller batch"
        )
    provenance = described(recipe, data)
    start = started(recipe, folder, resume, NAME)
    torch.manual_seed(recipe.fit.seed)
    module = Fitting(recipe, built(recipe, provenance))
    judge = Validating(recipe.fit, validation) if validation else None
    loader = shuffled(Clips(training), recipe.fit.batch, recipe.fit.seed)
    with recomputed(module.network.layers, recipe.fit.recompute):
        first = run(
            module,
            loader,
            folder,
            recipe.fit.epochs,
            start,
            progress,
            recipe.devices,
            recipe.fit.accumulate,
            recipe.fit.tensorboard,
            [judge] if judge else [],
        )
    if judge and judge.weights:
        module.network.load_state_dict(judge.weights)
    trained = Trained(module.network.cpu().eval(), recipe, provenance)
    if first:
        write_trained(folder / NAME, trained)
    return trained


def described(recipe: Recipe, data: Data) -> dict[str, Any]:
    """Return the provenance of a run of `recipe` on `data`."""
    frames = data.train.frames
    bits = int(max(frames.max(), data.test.frames.max())).bit_length()
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": {
            "name": data.name,
            "digest": data.digest,
            "shape": list(frames.shape[2:]),
            "timesteps": frames.shape[1],
            "classes": data.classes,
            "value_bits": 1 if bits <= 1 else 8,
            **data.provenance,
        },
        "seed": recipe.fit.seed,
        "versions": {name: version(name) for name in ("pumice", "torch", "numpy")},
        "python": platform.python_version(),
    }


class Clips(Dataset[Batch]):
    """Frames (samples, timesteps, ...) as batches (timesteps, batch, ...), taken at once."""

    def __init__(self, frames: FrameSet):
        self.frames = torch.from_numpy(frames.frames.copy())
        self.labels = torch.from_numpy(frames.labels.copy())

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> Batch:
        chosen = torch.tensor(indices)
        return self.frames[chosen].transpose(0, 1).float(), self.labels[chosen]


class Fitting(lightning.LightningModule):
    """One run's training: the network, its loss, its optimiser, and what each epoch gave."""

    def __init__(self, recipe: Recipe, network: SpikingNetwork):
        super().__init__()
        self.recipe = recipe
        self.network = network
        readout = network.layers[-1]
        assert isinstance(readout, Layer)
        self.head = head(recipe.objective, readout.linear.weight.shape[1])

    def on_train_epoch_start(self) -> None:
        fit = self.recipe.fit
        seed_epoch(fit.seed, self.current_epoch)
        self.network.quantise(self.current_epoch >= fit.epochs - fit.quantised_epochs)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        clips, labels = batch
        objective = self.recipe.objective
        views = [varied(clips, self.recipe.augment) for _ in range(objective.views)]
        labels = labels.repeat(objective.views)
        quantised = self.network.nodes[0].quantised
        # Integers stay whole numbers in float32, not in 16 bits.
        with torch.autocast(clips.device.type, enabled=False) if quantised else nullcontext():
            features = self.network.features(torch.cat(views, dim=1))
            logits = self.network.answer(features).float()
        parts = losses(objective, logits, labels, self.head(features.flatten(2)))
        loss = torch.stack(list(parts.values())).sum()
        right = (logits.detach().sum(dim=0).argmax(dim=-1) == labels).float().mean()
        told = {**parts, "loss": loss, "accuracy": right}
        for name, value in told.items():
            shown = name in ("loss", "accuracy")
            self.log(name, value.detach(), on_step=False, on_epoch=True, prog_bar=shown)
        return loss

    def configure_optimizers(self) -> Any:
        fit = self.recipe.fit
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=fit.learning_rate, weight_decay=fit.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, fit.learning_rate, int(self.trainer.estimated_stepping_batches)
        )
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]


class Validating(lightning.Callback):
    """After each epoch, how often the validation samples are answered right after the last step.

    Where the epoch is to be chosen by it, keeps the `weights` of the best so far, of equals the
    last; across a resume as well.
    """

    def __init__(self, options: FitOptions, validation: FrameSet):
        self.options, self.validation = options, validation
        self.accuracy = 0.0
        self.weights: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: Any, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        network, fit = pl_module.network, self.options
        quantised = trainer.current_epoch >= fit.epochs - fit.quantised_epochs
        right = float(trained_accuracies(network, self.validation, quantised)[-1])
        pl_module.log("validation", right)
        counts = fit.choose == "validation" and (quantised or not fit.quantised_epochs)
        if counts and right >= self.accuracy:
            self.accuracy = right
            self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.accuracy, self.weights = state_dict["accuracy"], state_dict["weights"]
