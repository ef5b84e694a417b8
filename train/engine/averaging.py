"""Averages of the weights over training steps (EMA) or epochs (SWA), by torch.optim.swa_utils."""

from typing import Any

import lightning.pytorch as lightning
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..nn.network import SpikingNetwork
from .optimizer_options import EmaOptions, SwaOptions


class WeightAveraging(lightning.Callback):
    """Averages the weights and batch norm statistics of a network; survives a resume.

    Create it before the forward passes of the network are wrapped. An integrator's range is the
    largest of all averaged networks'.

    Attributes:
        network: The network with averaged weights.
        started: Whether anything was averaged.
    """

    def __init__(self, options: EmaOptions | SwaOptions, network: SpikingNetwork):
        self.options = options
        make: Any = get_ema_multi_avg_fn  # has no types
        function = make(options.decay) if isinstance(options, EmaOptions) else None
        self.average = AveragedModel(network, multi_avg_fn=function, use_buffers=True)
        self.steps = 0

    @property
    def network(self) -> SpikingNetwork:
        """The network with averaged weights."""
        module = self.average.module
        assert isinstance(module, SpikingNetwork)
        return module

    @property
    def started(self) -> bool:
        """True once weights have been averaged."""
        return int(self.average.n_averaged) > 0

    def on_fit_start(self, trainer: Any, pl_module: lightning.LightningModule) -> None:
        """Move the average to the device."""
        self.average.to(pl_module.device)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Average after each optimizer step (EMA)."""
        stepped, self.steps = trainer.global_step != self.steps, trainer.global_step
        if isinstance(self.options, EmaOptions) and stepped:
            self._update(trainer, pl_module.network)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Average after each epoch (SWA)."""
        if isinstance(self.options, SwaOptions):
            self._update(trainer, pl_module.network)

    def _update(self, trainer: Any, network: SpikingNetwork) -> None:
        if trainer.current_epoch < self.options.start_epoch:
            return
        own, theirs = dict(self.network.named_buffers()), dict(network.named_buffers())
        exact = {
            name: torch.maximum(own[name], value) if self.started else value.clone()
            for name, value in theirs.items()
            if name.endswith("max_abs_voltage") or not value.is_floating_point()
        }
        self.average.update_parameters(network)
        for name, value in exact.items():
            own[name].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint."""
        return {"average": self.average.state_dict(), "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.average.load_state_dict(state_dict["average"])
        self.steps = state_dict["steps"]
