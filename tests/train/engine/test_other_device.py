"""A training step on a device that is not the CPU.

It creates no tensor in the wrong place, and gives the losses and gradients that it gives on the CPU
where it draws the same numbers.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from other_device import OtherDevice, OtherTensor, move_module
from torch import Tensor, nn

from pumice.runtime.readout import Readout
from pumice.train.engine.readout import set_readout
from pumice.train.engine.teacher import Teacher
from pumice.train.engine.training_module import TrainingModule
from pumice.train.models import ConvOptions, build_model
from pumice.train.nn import lif_ops
from pumice.train.recipes.recipe import Recipe
from pumice.train.ssl.learner import SSLModule
from pumice.train.ssl.options import ObjectiveOptions, PredNextOptions

CLASSES, SHAPE, TIMESTEPS, BATCH = 3, (2, 8, 8), 3, 6
CONV = {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]}
LAYERS: list[dict[str, Any]] = [
    {"kind": "conv", "channels": 4, "stride": 2, "dropout": 0.5, "recurrent": True},
    {"kind": "max_pool"},
    {"kind": "dense", "neurons": 6, "recurrent": True},
    {"kind": "readout"},
]
LEARNED = {"learn": ["current_decay", "voltage_decay", "threshold"]}
SPACE = {"crop": 0.5, "shift": 1, "roll": 1, "flip": True, "cutout": 2, "rotate": 9, "shear": 9}
CASES: dict[str, dict[str, Any]] = {
    "tet, augmentation": {"loss": {"tet": {"regularization": 0.1}}, "augment": SPACE},
    "etc, events": {"loss": {"cross_entropy": {}, "etc": {}}, "augment": {"nda": {}}},
    "rand augment": {"augment": {"rand_augment": {}, "frequency_mask": 2, "time_mask": 3}},
    "mixing": {"augment": {"mix": {"cutmix": 1.0}}, "loss": {"prefix_cross_entropy": {}}},
    "event mix": {"augment": {"mix": {"event_mix": 1.0}}},
    "stcl": {"loss": {"cross_entropy": {}, "stcl": {}}},
    "distillation": {
        "loss": {"cross_entropy": {}, "prefix_distillation": {}, "twsd": {}, "tpd": {}},
    },
    "teacher": {
        "loss": {"cross_entropy": {}, "distillation": {}, "weak_to_strong": {}},
        "teacher": {"models": ["made"]},
    },
    "soft reset": {"network": {**CONV, "neuron": {"reset": "subtract"}}},
    "learned, recurrent, dropout": {"network": {"layers": LAYERS, "neuron": LEARNED}},
    "residual": {"network": {"name": "sew_resnet18", "width": 4, "stages": 2}},
    "longest input": {"readout": {"decision": "length"}},
    "best step": {"readout": {"decision": "max", "leak": 0.1}},
}


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherDevice]:
    """The other device; the CPU, too, takes the kernels of all devices, whose rounding it has."""
    monkeypatch.setattr(lif_ops, "_has_numba", lambda values: False)
    operators = torch.ops.pumice
    functions = {
        operators.lif_forward.default: lif_ops.lif_forward._init_fn,
        operators.lif_backward.default: lif_ops.lif_backward._init_fn,
    }
    yield OtherDevice(functions)


def test_tensors_of_two_devices_are_refused(device: OtherDevice) -> None:
    with device, pytest.raises(RuntimeError, match="tensors of the CPU and of the other device"):
        OtherTensor(torch.ones(2)) + torch.ones(2)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_step_equals_that_of_the_cpu(
    case: dict[str, Any], quantized: bool, device: OtherDevice
) -> None:
    recipe = Recipe.model_validate({"data": {"name": "made"}, "network": CONV, **case})
    torch.manual_seed(1)
    network = build_model(recipe.network, SHAPE, CLASSES, 1).quantize(quantized)
    readout = Readout(recipe.readout.decision or "last")
    set_readout(network, readout, recipe.readout.leak)
    teacher = build_model(ConvOptions.model_validate(CONV), SHAPE, CLASSES, 1)
    modules = [TrainingModule(recipe, network, CLASSES, 1, Teacher([teacher], False))]
    modules.append(copy.deepcopy(modules[0]))
    events = (torch.rand(TIMESTEPS, BATCH, *SHAPE) < 0.4).to(torch.uint8)
    labels = torch.arange(BATCH) % CLASSES
    modules[0]._progress = modules[1]._progress = lambda: 0.5  # type: ignore[method-assign]
    expected = run_step(modules[0], events, labels)
    with device:
        for part in (modules[1], *modules[1]._teacher):
            assert part is not None
            move_module(part)
        found = run_step(modules[1], OtherTensor(events), OtherTensor(labels))
    assert_same(found, expected)


@pytest.mark.parametrize("name", ["simclr", "moco", "byol", "simsiam", "barlow_twins", "vicreg"])
def test_a_step_without_labels_equals_that_of_the_cpu(name: str, device: OtherDevice) -> None:
    torch.manual_seed(2)
    objective = ObjectiveOptions.model_validate(
        {"name": name, "projector": [8, 8], "predictor": 4, "queue_size": 12}
    )
    encoder = build_model(ConvOptions.model_validate(CONV), SHAPE, CLASSES, 1)
    modules = [SSLModule(encoder, objective, PredNextOptions(hidden=8))]
    modules.append(copy.deepcopy(modules[0]))
    clips = [(torch.rand(TIMESTEPS, 2 * BATCH, *SHAPE) < 0.4).float() for _ in range(2)]

    def step(module: SSLModule, now: Tensor, later: Tensor) -> tuple[Tensor, nn.Module]:
        losses, _ = module(now, later)
        loss = torch.stack(list(losses.values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        module.update_momentum_encoder(0.9)
        return loss, module

    expected = step(modules[0], *clips)
    with device:
        move_module(modules[1])
        found = step(modules[1], *(OtherTensor(each) for each in clips))
    assert_same(found, expected)


def run_step(
    module: TrainingModule, events: Tensor, labels: Tensor
) -> tuple[Tensor, TrainingModule]:
    torch.manual_seed(3)
    losses, _ = module.compute_losses((events, labels))
    loss = torch.stack(list(losses.values())).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss, module


def assert_same(found: tuple[Tensor, nn.Module], expected: tuple[Tensor, nn.Module]) -> None:
    """Same losses, gradients and statistics, on the other device and on the CPU."""
    assert isinstance(found[0], OtherTensor)
    torch.testing.assert_close(found[0].held, expected[0], rtol=1e-5, atol=1e-6)
    pairs = zip(found[1].named_parameters(), expected[1].parameters(), strict=True)
    compared = 0
    for (name, one), other in pairs:
        assert (one.grad is None) == (other.grad is None), name
        if other.grad is not None:
            assert isinstance(one.grad, OtherTensor), name
            torch.testing.assert_close(one.grad.held, other.grad, rtol=1e-4, atol=1e-5, msg=name)
            compared += bool(other.grad.any())
    assert compared
    for buffer, expected_buffer in zip(found[1].buffers(), expected[1].buffers(), strict=True):
        assert isinstance(buffer, OtherTensor)
        torch.testing.assert_close(buffer.held, expected_buffer, rtol=1e-5, atol=1e-6)
