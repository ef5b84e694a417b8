"""The 8-bit ANN with the layers of a convolutional spiking network."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pumice.train import Recipe
from pumice.train.data import Dataset, FrameSet
from pumice.train.data.augment import augment
from pumice.train.models.options import ConvOptions

LEVELS = 127  # of weights of 8 bits, on each side of 0
BATCH = 250  # samples that are evaluated together


@dataclass(frozen=True)
class TrainedAnn:
    """Accuracy of the 8-bit ANN, 0 to 1, and its multiply-accumulates for a pass."""

    accuracy: float
    macs: int


def train_ann(recipe: Recipe, data: Dataset, frames: str) -> TrainedAnn:
    """Train the ANN of `recipe` by its optimization, and evaluate it with 8 bits.

    `frames` is "mean", where it sees the mean frame over time, or "steps", where it sees every
    timestep and its logits are averaged.
    """
    options, network = recipe.training, recipe.network
    assert isinstance(network, ConvOptions)
    torch.manual_seed(options.seed)
    shape, scale = data.input_shape, max(data.train.max_value, 1)
    model = build_ann(network, shape, data.classes)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.lr, weight_decay=options.weight_decay
    )
    steps = len(data.train) // options.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, total_steps=steps * options.epochs
    )
    events = torch.from_numpy(data.train.events.copy())
    labels = torch.from_numpy(data.train.labels.copy())
    for _ in range(options.epochs):
        order = torch.randperm(len(labels))[: steps * options.batch_size]
        for chosen in order.view(steps, -1):
            inputs = augment(events[:, chosen].float(), recipe.augment) / scale
            loss = functional.cross_entropy(predict(model, inputs, frames), labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    model.eval()
    quantize(model, select_inputs(events[:, :BATCH].float() / scale, frames))
    return TrainedAnn(evaluate(model, data.test, scale, frames), count_macs(model, shape))


def build_ann(options: ConvOptions, shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Convolutions and dense layers as in the spiking network, with batch norm and ReLU."""
    layers: list[nn.Module] = []
    channels = shape[0]
    kernels, strides = (_per_layer(each, len(options.channels)) for each in
                        (options.kernels, options.strides))  # fmt: skip
    for width, kernel, stride in zip(options.channels, kernels, strides, strict=True):
        layers += [nn.Conv2d(channels, int(width), kernel, stride, kernel // 2, bias=False)]
        layers += [nn.BatchNorm2d(int(width)), nn.ReLU()]
        channels = int(width)
    layers.append(nn.Flatten())
    with torch.no_grad():
        size = nn.Sequential(*layers).eval()(torch.zeros(1, *shape)).shape[1]
    for width in options.hidden:
        layers += [nn.Linear(size, int(width), bias=False), nn.BatchNorm1d(int(width)), nn.ReLU()]
        size = int(width)
    return nn.Sequential(*layers, nn.Linear(size, classes))


def _per_layer(values: Any, count: int) -> tuple[int, ...]:
    return (values,) * count if isinstance(values, int) else tuple(values)


def predict(model: nn.Module, events: Tensor, frames: str) -> Tensor:
    """Logits (batch, classes) for events (timesteps, batch, *shape)."""
    logits: Tensor = model(select_inputs(events, frames))
    return logits if frames == "mean" else logits.view(*events.shape[:2], -1).mean(dim=0)


def select_inputs(events: Tensor, frames: str) -> Tensor:
    """Mean frame of each sample, or all frames, timesteps first."""
    return events.mean(dim=0) if frames == "mean" else events.flatten(0, 1)


@torch.no_grad()
def quantize(model: nn.Sequential, samples: Tensor) -> None:
    """Round weights and the outputs of ReLU to 8 bits, in place.

    Batch norm is folded into the weights first, which have a scale for each output; the scale of
    activations is the largest that `samples` bring about.
    """
    for k, layer in enumerate(model):
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        norm = model[k + 1] if k + 1 < len(model) else None
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            assert norm.running_var is not None and norm.running_mean is not None
            factor = norm.weight / (norm.running_var + norm.eps).sqrt()
            layer.weight.mul_(factor.view(-1, *[1] * (layer.weight.dim() - 1)))
            layer.bias = nn.Parameter(norm.bias - norm.running_mean * factor)
            model[k + 1] = nn.Identity()
        largest = layer.weight.flatten(1).abs().amax(dim=1).clamp(min=1e-9) / LEVELS
        step = largest.view(-1, *[1] * (layer.weight.dim() - 1))
        layer.weight.copy_((layer.weight / step).round() * step)
    values = samples
    for k, layer in enumerate(model):
        values = layer(values)
        if isinstance(layer, nn.ReLU):
            model[k] = QuantizedReLU(float(values.max()))
            values = model[k](values)


class QuantizedReLU(nn.Module):
    """ReLU whose outputs are rounded to 256 levels up to `largest`."""

    def __init__(self, largest: float):
        super().__init__()
        self.step = max(largest, 1e-9) / (2 * LEVELS + 1)

    def forward(self, values: Tensor) -> Tensor:
        """Clip and round."""
        return (values / self.step).round().clamp(0, 2 * LEVELS + 1) * self.step


@torch.no_grad()
def evaluate(model: nn.Module, samples: FrameSet, scale: float, frames: str) -> float:
    """Accuracy, 0 to 1."""
    correct = 0
    for events, labels in samples.batches(BATCH):
        logits = predict(model, torch.from_numpy(events.copy()).float() / scale, frames)
        correct += int((logits.argmax(dim=-1).numpy() == labels).sum())
    return correct / len(samples)


@torch.no_grad()
def count_macs(model: nn.Sequential, shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates of a pass of one sample; those of padding are counted, too."""
    values, macs = torch.zeros(1, *shape), 0
    for layer in model:
        values = layer(values)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            positions = values[0, 0].numel() if isinstance(layer, nn.Conv2d) else 1
            macs += layer.weight.numel() * positions
    return macs
