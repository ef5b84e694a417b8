"""A training run on Lightning: augmentation, network, losses, optimizer and schedule."""

from contextlib import nullcontext
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from ...runtime.errors import TrainingError
from ..data.augment import augment
from ..data.mixing import mix
from ..losses.registry import compute_losses, make_projection_head
from ..nn.exact_sums import check_device, no_autocast
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe
from .distributed import all_gather, sync_batch_norm
from .optimizers import make_optimizer, make_schedule
from .processes import rank_and_world_size
from .teacher import Teacher
from .trainer import seed_epoch
from .transfer import frozen_layers

Batch = tuple[Tensor, Tensor]


class TrainingModule(lightning.LightningModule):
    """One training run: augmentation, network, losses and optimizer.

    Args:
        recipe: Settings of the run.
        network: The network, trained in place.
        classes: Number of classes of the labels; only mixed samples need it.
        top: Largest input value, a power of two less one.
        teacher: Models that losses learn from, if any.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: SpikingNetwork,
        classes: int = 0,
        top: int = 1,
        teacher: Teacher | None = None,
    ):
        super().__init__()
        self.recipe = recipe
        self.network = network
        self.classes, self.top = classes, top
        self.step_metrics: dict[str, Tensor] = {}  # losses and accuracy of the last step
        self.frozen = frozen_layers(network, recipe.transfer)
        features = network.feature_size if recipe.loss.contrastive else 0
        self.projection_head = make_projection_head(recipe.loss, features)
        if recipe.training.compact_spikes:
            network.keep_spikes_as_bytes()
        run = network.features if recipe.loss.contrastive else network.forward
        self._run = torch.compile(run) if recipe.devices.compile else run
        self._teacher = [teacher]  # in a list, so that its weights are in no checkpoint

    def on_fit_start(self) -> None:
        """Synchronize batch norm between processes; move the teacher to the device."""
        if self.recipe.devices.sync_batch_norm:
            sync_batch_norm(self)
        for teacher in self._teacher:
            if teacher is not None:
                teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Seed the epoch; switch to quantization-aware training in the last epochs."""
        seed_epoch(self.recipe.training.seed, self.current_epoch)
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Switch to quantization-aware training in the last epochs; keep frozen layers as is."""
        options = self.recipe.training
        self.network.quantize(self.current_epoch >= options.epochs - options.qat_epochs)
        if self.network.quantized:
            check_device(self.device)  # a compiled graph has no test of its own
        for layer in self.frozen:
            layer.eval()  # batch norm keeps its statistics

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take the largest voltages of all processes, which an integrator must hold."""
        if rank_and_world_size()[1] > 1:
            for name, buffer in self.network.named_buffers():
                if name.endswith("max_abs_voltage"):
                    torch.distributed.all_reduce(buffer, torch.distributed.ReduceOp.MAX)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Augment and compute the losses; their sum is minimized."""
        losses, measure = self.compute_losses(batch)
        loss = torch.stack(list(losses.values())).sum()
        self._check_finite(loss, index)
        metrics = {**losses, "loss": loss, **measure}
        self.step_metrics = {name: value.detach() for name, value in metrics.items()}
        return loss

    def compute_losses(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Augment a batch; return its weighted losses and its measures, by name."""
        loss_options, network = self.recipe.loss, self.network
        events, targets, labels = self._prepare(batch)
        # Integers are exact in float32, not in 16 bits.
        with no_autocast(events.device) if network.quantized else nullcontext():
            outputs = self._run(events)
            if loss_options.contrastive:
                logits = network.decide(network.compute_logits(outputs), events).float()
                projected = self.projection_head(outputs.flatten(2))
            else:
                logits = projected = outputs.float()
        (teacher,) = self._teacher
        answers = None if teacher is None else teacher(events)
        if rank_and_world_size()[1] > 1:  # the losses of the whole batch, in every process
            projected = all_gather(projected, 1) if loss_options.contrastive else projected
            logits, targets, labels = (
                all_gather(each, axis) for each, axis in ((logits, 1), (targets, 0), (labels, 0))
            )
            answers = None if answers is None else all_gather(answers, 0)
        counted = loss_options.events is not None and network.sends_messages
        activity = network.activity() if counted else None
        losses = compute_losses(
            loss_options, logits, targets, projected, answers, self._progress(), activity
        )
        return losses, self._measure(logits.detach().sum(dim=0), labels)

    def _prepare(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Augmented events, targets of the losses, and labels, of all views."""
        clips, labels = batch[0].float(), batch[1]
        options, views = self.recipe.augment, self.recipe.loss.num_views
        events = torch.cat([augment(clips, options, self.top) for _ in range(views)], dim=1)
        labels = torch.cat([labels] * views)
        if self.network.readout.task == "regression":
            readout = self.network.readout
            scale, offset = labels.new_tensor(readout.scale), labels.new_tensor(readout.offset)
            return events, (labels - offset) / scale, labels
        if options.mix is None:
            return events, labels, labels
        events, targets = mix(events, labels, self.classes, options.mix)
        return events, targets, targets.argmax(dim=-1)

    def _measure(self, predictions: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Accuracy, or the mean absolute error of a regression in units of the targets."""
        readout = self.network.readout
        if readout.task == "classification":
            return {"accuracy": (predictions.argmax(dim=-1) == labels).float().mean()}
        estimates = predictions * labels.new_tensor(readout.scale)
        return {"error": (estimates + labels.new_tensor(readout.offset) - labels).abs().mean()}

    def _progress(self) -> float:
        return self.current_epoch / max(1, self.recipe.training.epochs - 1)

    def _check_finite(self, loss: Tensor, index: int) -> None:
        """Raise `TrainingError` where the loss is not finite; it is the same in all processes."""
        finite = bool(torch.isfinite(loss.detach()))
        if not finite:
            (optimizer,) = self.trainer.optimizers
            rate = optimizer.param_groups[0]["lr"]
            raise TrainingError(
                f"epoch {self.current_epoch + 1}, batch {index + 1}: the loss is {loss.item():g} "
                f"at a learning rate of {rate:.3g}; choose a smaller training.lr, or set "
                "training.clip_gradient = 1"
            )

    def configure_optimizers(self) -> Any:
        """The optimizer and, unless the learning rate is constant, its schedule by step."""
        options = self.recipe.training
        # With mixed precision Lightning clips no gradients of fused optimizers.
        clips = options.clip_gradient > 0 and self.recipe.devices.precision != "32-true"
        optimizer = make_optimizer(options, self, fused=not clips)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = make_schedule(options, optimizer, steps)
        if schedule is None:
            return optimizer
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]
