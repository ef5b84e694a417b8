"""Training as the papers do it: each setting learns, and a stopped run resumes bit for bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pumice as pm
from pumice.runtime.errors import NetworkError, RecipeError, TrainingError
from pumice.train.data.dataset import Dataset, FrameSet
from pumice.train.engine.fit import train_recipe
from pumice.train.engine.run_folder import MODEL_FILE
from pumice.train.engine.teacher import Teacher, teacher_digests
from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.network import SpikingNetwork
from pumice.train.recipes.recipe import Recipe
from pumice.train.recipes.teacher_options import TeacherOptions

EPOCHS = 4
BASE: dict[str, Any] = {
    "data": {"name": "made", "timesteps": 3},
    "network": {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]},
    "training": {"epochs": EPOCHS, "qat_epochs": 1, "batch_size": 8, "seed": 3},
}
SGD = {
    "optimizer": {"name": "sgd", "nesterov": True, "decay_all": False},
    "lr": 0.1,
    "schedule": {"name": "cosine", "warmup_epochs": 1},
    "averaging": {"name": "ema", "decay": 0.8},
    "accumulate_grad_batches": 2,
    "clip_gradient": 1.0,
}
SWA = {
    "optimizer": "rmsprop",
    "schedule": {"name": "step", "milestones": [1, 3]},
    "averaging": {"name": "swa", "start_epoch": 1},
    "validation_per_class": 4,
    "select_epoch": "validation",
}
MIXED = {"mix": {"cutmix": 1.0, "event_mix": 1.0}, "nda": {}, "roll": 1, "crop": 0.5}
PKD = {
    "cross_entropy": {"label_smoothing": 0.1},
    "prefix_distillation": {"weight": 1.0, "final_weight": 0.1},
}
CASES: dict[str, dict[str, Any]] = {
    "sgd, warm-up, average, accumulation, clipping": {"training": SGD},
    "averages of epochs, selection": {"training": SWA},
    "mixing, weight schedule": {"augment": MIXED, "loss": PKD},
    "mixed precision": {"training": SGD, "devices": {"precision": "bf16-mixed"}},
}


def make_recipe(case: dict[str, Any]) -> Recipe:
    tables = {**BASE, **case}
    tables["training"] = {**BASE["training"], **case.get("training", {})}
    return Recipe.model_validate(tables)


def make_data(top: int = 1, samples: int = 48) -> Dataset:
    random = np.random.default_rng(0)
    labels = np.arange(samples) % 3
    frames = (random.random((samples, 3, 2, 8, 8)) < 0.1).astype(np.uint8)
    for frame, label in zip(frames, labels, strict=True):
        frame[:, :, 2 * label : 2 * label + 2] |= random.random((3, 2, 2, 8)) < 0.6
    whole = FrameSet((frames * top).swapaxes(0, 1), labels.astype(np.int64))
    return Dataset("made", whole, whole, 3, "digest", {})


def first_weights(network: SpikingNetwork) -> torch.Tensor:
    layer = network.layer_list[0]
    assert isinstance(layer, SpikingLayer)
    return layer.linear.weight.detach().clone()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loss", [{"cross_entropy": {}}, {"cross_entropy": {}, "tcl": {}}])
def test_a_compiled_network_trains_to_the_same_weights(
    loss: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def compile_eagerly(function: Any) -> Any:
        compiled.append(function)
        return torch_compile(function, backend="aot_eager", fullgraph=True)

    torch_compile = torch.compile
    monkeypatch.setattr(torch, "compile", compile_eagerly)
    found = [
        train_recipe(
            make_recipe({"loss": loss, "devices": {"compile": choice}}),
            make_data(),
            tmp_path / str(choice),
        )
        for choice in (False, True)
    ]
    assert len(compiled) == 1
    one, other = (first_weights(each.network) for each in found)
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_stopped_run_resumes_to_the_same_weights(case: dict[str, Any], tmp_path: Path) -> None:
    recipe = make_recipe(case)
    whole = train_recipe(recipe, make_data(), tmp_path / "whole")
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]

    def stop(epoch: int, *_: object) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_recipe(recipe, make_data(), tmp_path / "stopped", on_epoch=stop)
    train_recipe(recipe, make_data(), tmp_path / "stopped", resume=True)
    for name in (MODEL_FILE, "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (
            tmp_path / "stopped" / name
        ).read_bytes(), name


def test_an_exponential_average_is_the_recursion_over_the_steps(tmp_path: Path) -> None:
    settings = {"epochs": 1, "qat_epochs": 0, "averaging": {"name": "ema", "decay": 0.75}}
    data, seen = make_data(), []
    plain = make_recipe({"training": {**settings, "averaging": None}})

    class Recorder(SpikingNetwork):
        def forward(self, events: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(first_weights(self))
            return super().forward(events)

    torch.manual_seed(3)
    network = pm.models.ConvNet(data.input_shape, 3, channels=[4], hidden=[8])
    network.__class__ = type("Recorded", (Recorder,), {})
    last = train_recipe(plain, data, tmp_path / "plain", network=network).network
    values = [*seen[1:], first_weights(last)]
    average = values[0]
    for value in values[1:]:
        average = 0.75 * average + 0.25 * value
    torch.manual_seed(3)
    network = pm.models.ConvNet(data.input_shape, 3, channels=[4], hidden=[8])
    averaged = train_recipe(
        make_recipe({"training": settings}), data, tmp_path / "ema", network=network
    ).network
    torch.testing.assert_close(first_weights(averaged), average)


def test_an_average_of_epochs_is_their_mean(tmp_path: Path) -> None:
    settings = {"epochs": 3, "qat_epochs": 0, "schedule": "constant"}
    weights = [
        train_recipe(
            make_recipe({"training": {**settings, "epochs": epochs}}),
            make_data(),
            tmp_path / str(epochs),
        ).network.state_dict()
        for epochs in (2, 3)
    ]
    swa = {**settings, "averaging": {"name": "swa", "start_epoch": 1}}
    mean = train_recipe(make_recipe({"training": swa}), make_data(), tmp_path / "swa").network
    for name, value in mean.state_dict().items():
        both = [each[name] for each in weights]
        if name.endswith("max_abs_voltage"):
            assert torch.equal(value, torch.maximum(*both))
        elif value.is_floating_point():
            torch.testing.assert_close(value, (both[0] + both[1]) / 2)


def test_clipping_bounds_the_step_of_plain_sgd(tmp_path: Path) -> None:
    data, lr, norm = make_data(samples=8), 0.5, 1e-3
    torch.manual_seed(0)
    network = pm.models.ConvNet(data.input_shape, 3, channels=[4], hidden=[8])
    before = [p.detach().clone() for p in network.parameters()]
    settings = {
        "epochs": 1,
        "qat_epochs": 0,
        "optimizer": {"name": "sgd", "momentum": 0.0},
        "schedule": "constant",
        "lr": lr,
        "weight_decay": 0.0,
        "clip_gradient": norm,
    }
    train_recipe(make_recipe({"training": settings}), data, tmp_path, network=network)
    moved = sum(
        float((a - b.detach()).square().sum())
        for a, b in zip(before, network.parameters(), strict=True)
    )
    assert moved**0.5 == pytest.approx(lr * norm, rel=1e-3)


@pytest.mark.parametrize("qat_epochs", [0, 3])
def test_a_run_without_progress_ends_early_and_stays_ended(qat_epochs: int, tmp_path: Path) -> None:
    settings = {
        "epochs": 9,
        "qat_epochs": qat_epochs,
        "validation_per_class": 2,
        "patience": 1,
        "lr": 1e-9,
        "optimizer": "sgd",
        "schedule": "constant",
    }
    recipe = make_recipe({"training": settings})
    first = train_recipe(recipe, make_data(), tmp_path)
    assert len(first.history) == (2 if not qat_epochs else 8)
    (tmp_path / MODEL_FILE).unlink()
    again = train_recipe(recipe, make_data(), tmp_path, resume=True)
    assert again.history == first.history


def test_a_loss_that_is_not_finite_stops_the_run_in_one_line(tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "lr": 1e30, "schedule": "constant", "qat_epochs": 0}
    with pytest.raises(
        TrainingError, match=r"epoch 1, batch [23]: the loss is .*; choose a smaller"
    ):
        train_recipe(make_recipe({"training": settings}), make_data(), tmp_path)


def test_mixup_of_binary_events_is_an_error(tmp_path: Path) -> None:
    recipe = make_recipe({"augment": {"mix": {"mixup": 0.5}}})
    with pytest.raises(RecipeError, match="made has binary events.*choose cutmix or event_mix"):
        train_recipe(recipe, make_data(), tmp_path)
    trained = train_recipe(recipe, make_data(top=200), tmp_path)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


class Linear(nn.Module):
    """A network without spikes that knows the class by where the events are."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = self.scale * frame.sum(dim=(1, 3))[:, :6].view(-1, 3, 2).sum(dim=2)
        return rows


def test_a_network_learns_from_a_network_without_spikes_alone(tmp_path: Path) -> None:
    data = make_data()
    network = pm.models.ConvNet(data.input_shape, 3, channels=[4], hidden=[8])
    teacher = Linear()
    # Cross-entropy has almost no weight, and its labels are wrong.
    wrong = FrameSet(data.train.events, (data.train.labels + 1) % 3)
    mislabeled = Dataset("made", wrong, wrong, 3, "digest", {})
    trained = pm.train(
        network,
        mislabeled,
        epochs=20,
        loss={"cross_entropy": 1e-6, "distillation": {"temperature": 2.0}},
        teacher=teacher,
        qat_epochs=5,
        lr=0.02,
        batch_size=8,
    )
    assert pm.evaluate(network, data.test)[-1] > 0.9
    assert trained.recipe.teacher == TeacherOptions(models=("python:Linear",))
    assert float(teacher.scale) == 1.0 and teacher.scale.grad is None
    assert not any("teacher" in name for name in trained.network.state_dict())


def test_an_ensemble_answers_with_the_mean_probability() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.5, 0.5]])

    class Fixed(nn.Module):
        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

        def forward(self, frame: torch.Tensor) -> torch.Tensor:
            return probabilities[self.row].log().expand(len(frame), 2) + 7

    answer = Teacher([Fixed(0), Fixed(1)], mean_frame=True)(torch.zeros(3, 4, 1))
    torch.testing.assert_close(answer.softmax(dim=-1), torch.tensor([[0.7, 0.3]]).expand(4, 2))


def test_a_recipe_names_its_teachers_and_records_their_digests(tmp_path: Path) -> None:
    first = train_recipe(make_recipe({}), make_data(), tmp_path / "first")
    code = tmp_path / "ann.py"
    code.write_text(
        "import torch\ndef make():\n    return torch.nn.Sequential(torch.nn.Flatten(), "
        "torch.nn.Linear(128, 3))\n"
    )
    models = [str(tmp_path / "first"), f"{code}:make"]
    case = {
        "loss": {"cross_entropy": {}, "prefix_distillation": {"teacher": "model"}},
        "teacher": {"models": models},
    }
    trained = train_recipe(make_recipe(case), make_data(), tmp_path / "second")
    digests = trained.provenance["teacher"]
    assert list(digests) == models and all(len(each) == 64 for each in digests.values())
    assert digests == teacher_digests(TeacherOptions(models=tuple(models)))
    assert first.history


def test_a_missing_or_unfit_teacher_is_an_error(tmp_path: Path) -> None:
    loss: dict[str, Any] = {"cross_entropy": {}, "distillation": {}}
    with pytest.raises(ValueError, match="loss: learns from other models; name them"):
        make_recipe({"loss": loss})
    data = make_data()
    for model, message in [
        (nn.Linear(5, 3), "teacher: Linear fails on the mean frame"),
        (nn.Sequential(nn.Flatten(), nn.Linear(128, 4)), r"Sequential returns \(2, 4\), needs"),
    ]:
        network = pm.models.ConvNet(data.input_shape, 3, channels=[4], hidden=[8])
        with pytest.raises(NetworkError, match=message):
            pm.train(network, data, loss=loss, teacher=model)
