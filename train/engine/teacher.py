"""Models that a network learns from: frozen networks, with or without spikes, or an ensemble."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ...runtime.errors import FileError, NetworkError
from ..data import Dataset
from ..model_loader import load_object
from ..nn.network import SpikingNetwork
from ..recipes.teacher_options import TeacherOptions
from .checkpoint import read_trained_model
from .run_folder import MODEL_FILE, find_weights


class Teacher(nn.Module):
    """One or several frozen models, in evaluation mode.

    Spiking networks read events and are asked for their full answer, the mean of the logits over
    time; see `TeacherOptions.input` for other modules.
    """

    def __init__(self, models: Sequence[nn.Module], mean_frame: bool):
        super().__init__()
        self.models = nn.ModuleList(models)
        self.mean_frame = mean_frame
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Teacher":
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, events: Tensor) -> Tensor:
        """Logits (batch, classes) for `events` (timesteps, batch, *shape).

        Of several models, the logarithm of the mean of their probabilities.
        """
        answers = [self._ask(model, events) for model in self.models]
        if len(answers) == 1:
            return answers[0]
        log_probs = torch.stack([answer.log_softmax(dim=-1) for answer in answers])
        return log_probs.logsumexp(dim=0) - math.log(len(answers))

    def _ask(self, model: nn.Module, events: Tensor) -> Tensor:
        if self.mean_frame and not isinstance(model, SpikingNetwork):
            logits: Tensor = model(events.mean(dim=0)).float()
            return logits
        for part in model.modules():  # neurons of other libraries
            reset = getattr(part, "reset", None)
            if callable(reset):
                reset()
        return model(events).float().mean(dim=0)  # type: ignore[no-any-return]


def load_teacher(options: TeacherOptions) -> Teacher:
    """Load the models of `[teacher]`.

    Raises:
        FileError: A model does not exist or is damaged.
        NetworkError: Code raises an exception or does not define a torch module.
    """
    return Teacher([_load(name) for name in options.models], options.input == "mean_frame")


def _load(name: str) -> nn.Module:
    path = Path(name)
    if path.is_dir() or path.suffix == ".safetensors":
        return read_trained_model(path).network
    model = load_object(name)
    if not isinstance(model, nn.Module):
        raise NetworkError(f"teacher.models: {name} is {type(model).__name__}, no torch module")
    return model


def teacher_digests(options: TeacherOptions) -> dict[str, str]:
    """SHA-256 of the files of the models, by name; empty text for an importable module."""
    digests = {}
    for name in options.models:
        path = Path(name)
        if path.is_dir() or path.suffix == ".safetensors":
            file = find_weights(path, MODEL_FILE, "train")
        else:
            file = Path(name.rpartition(":")[0])
        digests[name] = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    return digests


def check_teacher(teacher: Teacher, data: Dataset) -> None:
    """Raise `NetworkError` where a teacher does not take the events or has other classes."""
    events = torch.zeros(data.timesteps, 2, *data.input_shape)
    for model in teacher.models:
        name = type(model).__name__
        if isinstance(model, SpikingNetwork):
            model.check_frames(data.input_shape)
        try:
            logits = Teacher([model], teacher.mean_frame)(events)
        except (RuntimeError, ValueError, TypeError, IndexError, FileError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            read = "the mean frame (batch, *shape)" if teacher.mean_frame else "events"
            raise NetworkError(f"teacher: {name} fails on {read}: {reason}") from error
        if tuple(logits.shape) != (2, data.classes):
            raise NetworkError(
                f"teacher: {name} returns {tuple(logits.shape)}, needs logits (batch, classes) "
                f"(2, {data.classes})"
            )
