"""Spikes kept as bytes: the same outputs and gradients, in less memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pumice.train.data.dataset import Dataset, FrameSet
from pumice.train.engine.fit import train_recipe
from pumice.train.engine.memory import estimate_peak
from pumice.train.models import ConvOptions, build_model
from pumice.train.models.layer_options import LayersOptions
from pumice.train.models.options import SEWResNetOptions, VGGOptions
from pumice.train.nn import compact
from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.network import SpikingNetwork
from pumice.train.recipes.recipe import Recipe

SHAPE, CLASSES = (2, 12, 10), 3
GEOMETRIES = [((1, 1), (1, 1), (1, 1), 1), ((2, 1), (0, 2), (1, 2), 2)]


def compare(
    found: Callable[[Tensor, Tensor, Tensor], Tensor],
    expected: Callable[[Tensor, Tensor, Tensor], Tensor],
    values: Tensor,
    weights: Tensor,
) -> None:
    bias = torch.randn(len(weights))
    results = []
    for function in (found, expected):
        tensors = [each.clone().requires_grad_() for each in (values, weights, bias)]
        out = function(*tensors)
        gradient = torch.linspace(-1, 1, out.numel()).view(out.shape).to(out)
        out.backward(gradient)  # type: ignore[no-untyped-call]
        results.append((out, *(each.grad for each in tensors)))
    for one, other in zip(*results, strict=True):
        assert one is not None and other is not None and torch.equal(one, other)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_convolutions_are_equal_bit_for_bit(
    geometry: tuple[Any, ...], channels_last: bool, mixed: bool
) -> None:
    torch.manual_seed(0)
    values = torch.randint(0, 256, (6, 4, 9, 8)).float()
    if channels_last:
        values = values.to(memory_format=torch.channels_last)
    weights = torch.randn(8, 4 // geometry[3], 3, 3)
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        compare(
            lambda v, w, b: compact.conv2d(v, w, b, *geometry),
            lambda v, w, b: functional.conv2d(v, w, b, *geometry),
            values,
            weights,
        )


@pytest.mark.parametrize("mixed", [False, True])
def test_matrix_products_are_equal_bit_for_bit(mixed: bool) -> None:
    torch.manual_seed(1)
    values = torch.randint(0, 256, (33, 70)).float()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        compare(compact.linear, functional.linear, values, torch.randn(20, 70))


def train_step(network: SpikingNetwork, events: Tensor) -> list[Tensor]:
    network.zero_grad()
    network(events).square().mean().backward()
    return [each.grad.clone() for each in network.parameters() if each.grad is not None]


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize(
    "options", [ConvOptions(), SEWResNetOptions(name="sew_resnet18", width=4, stages=2)]
)
def test_a_network_has_the_same_gradients(options: Any, quantized: bool) -> None:
    torch.manual_seed(2)
    network = build_model(options, SHAPE, CLASSES, 1).quantize(quantized)
    network.keep_spikes_as_bytes()
    events = (torch.rand(3, 2, *SHAPE) < 0.4).float()
    layers = [layer for layer in network.layer_list if isinstance(layer, SpikingLayer)]
    marks = [each.reads_bytes for layer in layers for each in layer.projection_list]
    assert not marks[0] and all(marks[1:])  # the first layer reads events
    found = train_step(network, events)
    for layer in layers:
        for projection in layer.projection_list:
            projection.reads_bytes = False
    expected = train_step(network, events)
    assert found and all(map(torch.equal, found, expected))


def test_fractions_of_spikes_are_kept_whole() -> None:
    table = [
        {"kind": "conv", "channels": 4, "name": "first", "dropout": 0.5},
        {"kind": "max_pool"},
        {"kind": "dense", "neurons": 6, "name": "second"},
        {"kind": "dense", "neurons": 6, "name": "third", "recurrent": True},
        {"kind": "readout"},
    ]
    network = build_model(LayersOptions.model_validate({"layers": table}), SHAPE, CLASSES, 1)
    network.keep_spikes_as_bytes()
    marks = {
        layer.name: [each.reads_bytes for each in layer.projection_list]
        for layer in network.layer_list
        if isinstance(layer, SpikingLayer)
    }
    assert marks["first"] == marks["second"] == [False]
    assert marks["third"] == [True, False] and list(marks.values())[-1] == [True]


def test_a_step_takes_less_memory() -> None:
    def run(compact_spikes: bool) -> int:
        def step() -> None:
            network = build_model(VGGOptions(name="vggsnn", width=16), (2, 48, 48), CLASSES, 1)
            if compact_spikes:
                network.keep_spikes_as_bytes()
            network(torch.zeros(10, 2, 2, 48, 48)).sum().backward()

        return estimate_peak(step)

    assert run(True) < 0.9 * run(False)


def test_a_run_gives_the_same_weights(tmp_path: Path) -> None:
    frames = (np.random.default_rng(0).random((3, 24, 2, 8, 8)) < 0.3).astype(np.uint8)
    whole = FrameSet(frames, np.arange(24) % CLASSES)
    data = Dataset("made", whole, whole, CLASSES, "digest", {})
    weights = []
    for compact_spikes in (False, True):
        settings = {"epochs": 2, "qat_epochs": 1, "batch_size": 8, "compact_spikes": compact_spikes}
        recipe = Recipe.model_validate({"data": {"name": "made"}, "training": settings})
        network = train_recipe(recipe, data, tmp_path / str(compact_spikes)).network
        weights.append(network.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
