"""Adapter that lets the training loop train a torch module of another library's layers."""

from typing import Any

import torch
from torch import Tensor, nn

from ...runtime.errors import NetworkError
from .network import SpikingNetwork
from .projections import Shape

PROVENANCE = "pumice_provenance"  # attribute of a module that was trained here


class ExternalModel(SpikingNetwork):
    """A torch module whose forward pass maps events to logits at every timestep.

    Events are (timesteps, batch, *input_shape), logits (timesteps, batch, classes). Submodules that
    have a `reset` method (such as SpikingJelly's neurons) are reset before every batch. There is no
    quantization-aware training, and no loss on features.
    """

    def __init__(self, module: nn.Module, input_shape: Shape):
        super().__init__([], input_shape)
        self.module = module

    def forward(self, events: Tensor) -> Tensor:
        """Compute the logits (timesteps, batch, classes) of `events`."""
        for part in self.module.modules():
            reset = getattr(part, "reset", None)
            if callable(reset):
                reset()
        logits: Tensor = self.module(events)
        return self.decide(logits, events) if isinstance(logits, Tensor) else logits

    def check_frames(self, shape: Shape) -> None:
        """Accept frames of any shape; the module itself decides."""

    def features(self, events: Tensor) -> Tensor:
        """Raise `NetworkError`: the features of another library's module are not known."""
        raise self._no_features()

    @property
    def feature_size(self) -> int:
        """Raise `NetworkError`: the features of another library's module are not known."""
        raise self._no_features()

    def _no_features(self) -> NetworkError:
        return NetworkError(
            f"{type(self.module).__name__}: its features are not known; choose a loss on logits, "
            "or build the network of pumice's layers"
        )

    @torch.no_grad()
    def check_output(self, timesteps: int, classes: int) -> None:
        """Raise `NetworkError` where the module fails on events or does not return logits."""
        name, expected = type(self.module).__name__, (timesteps, 2, classes)
        training = self.training
        self.eval()
        try:
            logits: Any = self(torch.zeros(timesteps, 2, *self.input_shape))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise NetworkError(
                f"{name}: fails on events (timesteps, batch, *{self.input_shape}): {reason}"
            ) from error
        finally:
            self.train(training)
        if not isinstance(logits, Tensor) or tuple(logits.shape) != expected:
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise NetworkError(
                f"{name}: returns {found}, needs logits (timesteps, batch, classes) {expected}"
            )
