"""Check a recipe of any kind without its data: shapes, memory, and real steps on random samples."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...runtime.errors import RecipeError, TrainingError
from ..data.augment_options import AugmentOptions
from ..data.catalog import sample_info
from ..engine.memory import estimate_peak, measure_peak
from ..engine.optimizer_options import AdamOptions, RmspropOptions, SgdOptions
from ..engine.optimizers import make_optimizer
from ..engine.training_config import TrainingOptions
from ..engine.training_module import TrainingModule
from ..hrsnn.learn import train_stdp
from ..hrsnn.network import build_recurrent_network
from ..hrsnn.recipe import HrsnnRecipe
from ..models import build_model
from ..models.options import ConvOptions
from ..nn.gradient_checkpointing import checkpoint_activations
from ..nn.network import SpikingNetwork
from ..ssl.learner import SSLModule
from ..ssl.recipe import PretrainRecipe
from .recipe import Recipe

BATCH = 2  # samples of the real steps
FLOAT_BYTES = 4
EVENT_RATE = 0.1
Shape = tuple[int, ...]
AnyRecipe = Recipe | PretrainRecipe | HrsnnRecipe


@dataclass(frozen=True)
class SmokeReport:
    """Needs of a recipe, and the result of real steps.

    Attributes:
        kind: "training", "pretraining" or "hrsnn".
        input_shape: Shape of a frame.
        timesteps: Frames of a sample.
        classes: Number of classes; 0 where no label is read.
        neurons: Number of neurons.
        parameters: Number of trained weights.
        layers: Shape of each layer.
        batch_size: Samples of a step on one device, by the recipe.
        memory: Bytes that a step needs on one device, estimated; None of an HRSNN, which needs
            little more than is measured.
        memory_with_checkpointing: The same with gradient checkpointing.
        step_batch_size: Samples of the real steps.
        step_memory: Bytes that they need, estimated.
        step_memory_measured: Bytes that they took; None where the system does not tell.
        loss: Loss of the last step; of an HRSNN the mean change of the weights.
        seconds: Time of the last step.
    """

    kind: str
    input_shape: Shape
    timesteps: int
    classes: int
    neurons: int
    parameters: int
    layers: dict[str, Shape]
    batch_size: int
    memory: int | None
    memory_with_checkpointing: int | None
    step_batch_size: int
    step_memory: int | None
    step_memory_measured: int | None
    loss: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def smoke_test(recipe: AnyRecipe, batch_size: int = BATCH, steps: int = 2) -> SmokeReport:
    """Estimate the memory of a step of `recipe`, and run real steps on random samples.

    Args:
        recipe: A recipe of any kind.
        batch_size: Samples of the real steps.
        steps: Number of real steps; only the second has the states of the optimizer in memory.

    Raises:
        RecipeError: The shape of the samples depends on files.
        NetworkError: A layer does not fit its input.
        TrainingError: The loss is not finite.
    """
    if isinstance(recipe, HrsnnRecipe):
        return _smoke_hrsnn(recipe, batch_size)
    plan = _Training(recipe) if isinstance(recipe, Recipe) else _Pretraining(recipe)
    return _smoke(plan, batch_size, steps)


class _Training:
    """Steps of a training recipe."""

    kind = "training"

    def __init__(self, recipe: Recipe):
        self.recipe, self.options = recipe, recipe.training
        info = sample_info(recipe.data)
        self.shape, self.classes, self.value_bits = info.shape, info.classes, info.value_bits
        self.timesteps = recipe.data.timesteps
        self.checkpointing = recipe.training.gradient_checkpointing
        self.top = 1 if self.value_bits == 1 else 255

    def build(self) -> tuple[SpikingNetwork, torch.nn.Module, Callable[[Tensor], Tensor]]:
        """The network, the module that is trained, and the loss of a batch of events."""
        network = build_model(self.recipe.network, self.shape, self.classes, self.value_bits)
        module = TrainingModule(self.recipe, network, self.classes, self.top)

        def compute_loss(events: Tensor) -> Tensor:
            labels = torch.arange(events.shape[1], device=events.device) % self.classes
            losses, _ = module.compute_losses((events, labels))
            return torch.stack(list(losses.values())).sum()

        return network, module, compute_loss

    def estimate(self, batch_size: int, checkpointing: bool) -> int:
        """Bytes of a step, without augmentation."""
        recipe = self.recipe.model_copy(update={"augment": AugmentOptions()})
        plain = _Training(recipe)
        return _estimate(plain, batch_size, checkpointing)


class _Pretraining:
    """Steps of a pretraining recipe."""

    kind, classes = "pretraining", 0

    def __init__(self, recipe: PretrainRecipe):
        self.recipe, self.options = recipe, recipe.training
        data = recipe.data
        if data.name == "digit-motions":
            self.shape: Shape = (2 if data.input == "events" else 1, 31, 31)
        elif data.name == "fashion-motions":
            self.shape = (2 if data.input == "events" else 1, 28, 28)
        else:
            self.shape = (1 if data.grayscale else 3, data.height, data.width)
        self.value_bits = 1 if data.input == "events" else 8
        self.timesteps = recipe.clips.timesteps
        self.checkpointing = recipe.training.gradient_checkpointing
        self.top = 1 if self.value_bits == 1 else 255

    def build(self) -> tuple[SpikingNetwork, torch.nn.Module, Callable[[Tensor], Tensor]]:
        """The encoder, the module that is trained, and the loss of a batch of clips."""
        network = build_model(self.recipe.network, self.shape, 2, self.value_bits)
        if self.options.compact_spikes:
            network.keep_spikes_as_bytes()
        module = SSLModule(network, self.recipe.objective, self.recipe.prednext)

        def compute_loss(events: Tensor) -> Tensor:
            views = torch.cat([events, events.flip(-1)], dim=1)
            later = views.flip(0) if self.recipe.prednext.needs_later_clip else None
            losses, _ = module(views, later)
            return torch.stack(list(losses.values())).sum()

        return network, module, compute_loss

    def estimate(self, batch_size: int, checkpointing: bool) -> int:
        """Bytes of a step."""
        return _estimate(self, batch_size, checkpointing)


def _estimate(plan: _Training | _Pretraining, batch_size: int, checkpointing: bool) -> int:
    """Bytes of a step: those live at once in both passes, and the states of the optimizer."""
    weights = 0

    def step() -> None:
        nonlocal weights
        network, module, compute_loss = plan.build()
        weights = sum(p.numel() for p in module.parameters() if p.requires_grad)
        with checkpoint_activations(network.layers, checkpointing):
            events = torch.zeros(plan.timesteps, batch_size, *plan.shape)
            with _mixed_precision(plan):
                loss = compute_loss(events)
            loss.backward()  # type: ignore[no-untyped-call]

    return estimate_peak(step) + FLOAT_BYTES * weights * _optimizer_copies(plan)


def _mixed_precision(plan: _Training | _Pretraining) -> torch.autocast:
    """Compute layers in 16 bits where the recipe does; the CPU has bfloat16 for that."""
    mixed = "mixed" in plan.recipe.devices.precision
    return torch.autocast("cpu", torch.bfloat16, enabled=mixed)


def _optimizer_copies(plan: _Training | _Pretraining) -> int:
    """Copies of each weight that optimizer and averaging keep."""
    options = plan.options
    if not isinstance(options, TrainingOptions):
        return 2
    table = options.optimizer
    copies = 2 if isinstance(table, AdamOptions) else int(isinstance(table, RmspropOptions))
    if isinstance(table, SgdOptions | RmspropOptions):
        copies += bool(table.momentum)
    return copies + bool(options.averaging)


def _smoke(plan: _Training | _Pretraining, batch_size: int, steps: int) -> SmokeReport:
    _warm_up()
    results: dict[str, Any] = {}

    def run() -> None:
        results.update(_run_steps(plan, batch_size, steps))

    measured = measure_peak(run)
    full = plan.options.batch_size
    return SmokeReport(
        plan.kind,
        plan.shape,
        plan.timesteps,
        plan.classes,
        **results,
        batch_size=full,
        memory=plan.estimate(full, False),
        memory_with_checkpointing=plan.estimate(full, True),
        step_batch_size=batch_size,
        step_memory=plan.estimate(batch_size, plan.checkpointing),
        step_memory_measured=measured,
    )


def _run_steps(plan: _Training | _Pretraining, batch_size: int, steps: int) -> dict[str, Any]:
    """Run the steps; shapes, and loss and seconds of the last."""
    torch.manual_seed(plan.options.seed)
    network, module, compute_loss = plan.build()
    options = plan.options
    if not isinstance(options, TrainingOptions):
        options = TrainingOptions(lr=options.lr, weight_decay=options.weight_decay)
    optimizer = make_optimizer(options, module)
    events = torch.randint(1, plan.top + 1, (plan.timesteps, batch_size, *plan.shape)).float()
    events *= torch.rand(events.shape) < EVENT_RATE
    start, loss = 0.0, math.nan
    for _ in range(steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        with checkpoint_activations(network.layers, plan.checkpointing):
            with _mixed_precision(plan):
                total = compute_loss(events)
            total.backward()  # type: ignore[no-untyped-call]
        if options.clip_gradient:
            torch.nn.utils.clip_grad_norm_(module.parameters(), options.clip_gradient)
        optimizer.step()
        loss = float(total.detach())
        if not math.isfinite(loss):
            raise TrainingError(f"smoke: the loss is {loss:g}; choose a smaller training.lr")
    seconds = time.perf_counter() - start
    names = [layer.name for layer in network.layer_list]
    layers = dict(zip(names, network.layer_shapes(), strict=True))
    return {
        "neurons": sum(math.prod(shape) for shape in layers.values()),
        "parameters": sum(p.numel() for p in module.parameters() if p.requires_grad),
        "layers": layers,
        "loss": loss,
        "seconds": seconds,
    }


def _warm_up() -> None:
    """Compile the kernels of the neurons and load the libraries, which memory does not count."""
    network = build_model(ConvOptions(channels=(2,), hidden=(2,)), (2, 8, 8), 2)
    network(torch.ones(2, 2, 2, 8, 8)).sum().backward()


def _smoke_hrsnn(recipe: HrsnnRecipe, batch_size: int) -> SmokeReport:
    if recipe.video is not None:
        shape: Shape = (2, recipe.video.height, recipe.video.width)
        timesteps, classes = recipe.video.timesteps, 0
    elif recipe.data is not None:
        info = sample_info(recipe.data)
        shape, timesteps, classes = info.shape, recipe.data.timesteps, info.classes
    else:
        raise RecipeError("smoke: the recipe has neither [data] nor [video]")
    random = np.random.default_rng(recipe.hrsnn.seed)
    events = (random.random((timesteps, batch_size, *shape)) < EVENT_RATE / 2).astype(np.uint8)
    options = recipe.hrsnn.model_copy(update={"epochs": 1, "batch_size": batch_size})
    results: dict[str, Any] = {}

    def run() -> None:
        untrained = build_recurrent_network(options, (shape[0], shape[1], shape[2]))
        start = time.perf_counter()
        trained = train_stdp(untrained, events, device=recipe.device)
        results["seconds"] = time.perf_counter() - start
        results["loss"] = float(np.abs(trained.weights - untrained.weights).mean())
        results["parameters"] = len(trained.weights)

    measured = measure_peak(run)
    neurons = options.excitatory + options.inhibitory
    return SmokeReport(
        "hrsnn",
        shape,
        timesteps,
        classes,
        neurons,
        layers={"recurrent": (neurons,)},
        batch_size=recipe.hrsnn.batch_size,
        memory=None,
        memory_with_checkpointing=None,
        step_batch_size=batch_size,
        step_memory=None,
        step_memory_measured=measured,
        **results,
    )
