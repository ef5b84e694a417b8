"""`pumice.train` from Python: models in place, recipes, short forms of losses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pumice as pm
from pumice.runtime.errors import NetworkError, PumiceError, RecipeError
from pumice.train.data import Dataset, FrameSet
from pumice.train.engine.checkpoint import read_trained_model
from pumice.train.engine.run_folder import MODEL_FILE
from pumice.train.engine.train import parse_loss, train
from pumice.train.evaluation.evaluate import evaluate
from pumice.train.export import convert
from pumice.train.models import VGG, ConvNet
from pumice.train.recipes.recipe import Recipe

SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 8, "lr": 1e-2}


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Bars at one of three heights, in noise."""
    random = np.random.default_rng(0)
    labels = np.arange(48) % 3
    events = random.random((4, 48, 2, 8, 8)) < 0.1
    for sample, label in enumerate(labels):
        events[:, sample, :, 2 * label : 2 * label + 2] |= random.random((4, 2, 2, 8)) < 0.6
    frames = FrameSet(events.astype(np.uint8), labels.astype(np.int64))
    return Dataset("bars", frames[:36], frames[36:], 3, "digest")


def small(data: Dataset) -> ConvNet:
    torch.manual_seed(0)
    return ConvNet(data.input_shape, data.classes, channels=[4], hidden=[8])


def test_a_model_is_trained_in_place_and_converted_with_its_provenance(data: Dataset) -> None:
    model = small(data)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = train(model, data, loss="etc", seed=2, **SETTINGS)
    assert trained.network is model and not model.training
    assert any(not torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [epoch["epoch"] for epoch in trained.history] == [0, 1, 2]
    assert {"cross_entropy", "etc", "loss", "accuracy"} <= trained.history[0].keys()
    network = convert(model, weight_bits=8, calibrate=data.train)
    assert network.provenance["data"]["name"] == "bars" and network.provenance["seed"] == 2
    quantized = evaluate(model, data.test, quantized=True)
    assert quantized.shape == (4,)
    plain = convert(trained)
    assert np.array_equal(evaluate(plain, data), quantized)
    assert np.array_equal(evaluate(plain, data.test, engine="reference"), quantized)


def test_the_public_names_are_these_functions(data: Dataset) -> None:
    model = pm.models.ConvNet(data.input_shape, data.classes, channels=[4], hidden=[])
    pm.train(model, data, epochs=1, batch_size=12)
    assert np.array_equal(pm.evaluate(model, data.test), evaluate(model, data))


def test_a_run_is_written_resumed_and_read_back(data: Dataset, tmp_path: Path) -> None:
    model = small(data)
    train(model, data, out=str(tmp_path), **SETTINGS)
    again = read_trained_model(str(tmp_path))
    assert isinstance(again.network, ConvNet) and again.network.options == model.options
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    with pytest.raises(PumiceError, match="holds a run already"):
        train(small(data), data, out=tmp_path, **SETTINGS)
    other = small(data)
    train(other, data, out=tmp_path, resume=True, **SETTINGS)
    assert all(map(torch.equal, other.state_dict().values(), model.state_dict().values()))
    assert np.array_equal(evaluate(again, data), evaluate(model, data))


def test_a_recipe_and_the_same_settings_give_the_same_weights(
    data: Dataset, tmp_path: Path
) -> None:
    table = {"channels": [4], "hidden": [8]}
    recipe = Recipe.model_validate({"data": {"name": "bars", "timesteps": 4}, "network": table})
    one = train(recipe, data, loss=["tet"], out=tmp_path / "one", seed=0, **SETTINGS)
    two = train(small(data), data, loss={"tet": 1.0}, out=tmp_path / "two", seed=0, **SETTINGS)
    assert one.recipe == two.recipe
    for name in (MODEL_FILE, "history.csv", "recipe.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("loss", "table"),
    [
        ("cross_entropy", {"cross_entropy": {}}),
        ("etc", {"cross_entropy": {}, "etc": {}}),
        ("tet", {"tet": {}}),
        (["tet", "twsd"], {"tet": {}, "twsd": {}}),
        ({"etc": 0.5}, {"cross_entropy": {}, "etc": {"weight": 0.5}}),
        (
            {"cross_entropy": 1, "tcl": {"weight": 0.1, "temperature": 0.2}},
            {"cross_entropy": {"weight": 1}, "tcl": {"weight": 0.1, "temperature": 0.2}},
        ),
    ],
)
def test_losses_are_named_listed_or_weighted(loss: Any, table: dict[str, Any]) -> None:
    assert parse_loss(loss) == table


def test_quantization_aware_epochs_stay_the_same_fraction(data: Dataset) -> None:
    recipe = Recipe.model_validate(
        {
            "data": {"name": "bars"},
            "network": {"channels": [], "hidden": [4]},
            "training": {"epochs": 6, "qat_epochs": 2, "batch_size": 36},
        }
    )
    assert train(recipe, data, epochs=3).recipe.training.qat_epochs == 1
    assert train(recipe, data, epochs=3, qat_epochs=0).recipe.training.qat_epochs == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batchsize": 8}, "train: batchsize: unknown key; did you mean 'batch_size'?"),
        ({"epochs": "many"}, "train: training.epochs = 'many': input should be a valid integer"),
        ({"loss": "ect"}, "train: loss.ect: unknown key; did you mean 'etc'?"),
        ({"augment": {"shft": 1}}, "train: augment.shft: unknown key; did you mean 'shift'?"),
        ({"batch_size": 64}, "training.batch_size = 64: bars has 36 training samples"),
        ({"loss": 5}, "train: loss is 5, needs a name, a list of names or a mapping"),
        ({"augment": 3}, "train: augment is 3, needs a mapping of settings"),
        ({"loss": ["tcl", "stcl"]}, "tcl and stcl are one loss on one and on two views"),
        ({"resume": True}, "train: resume needs the folder of the run; give out"),
    ],
)
def test_a_wrong_setting_is_one_line(data: Dataset, settings: Any, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        train(small(data), data, **settings)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_that_does_not_fit_the_data_is_one_line(data: Dataset) -> None:
    with pytest.raises(NetworkError, match="its input is .2, 16, 16., but frames are .2, 8, 8."):
        train(ConvNet((2, 16, 16), 3), data)
    with pytest.raises(NetworkError, match="has 2 classes, but bars has 3"):
        train(ConvNet((2, 8, 8), 2), data)
    with pytest.raises(RecipeError, match="VGG: width = 0"):
        VGG((2, 16, 16), 3, width=0)
    with pytest.raises(RecipeError, match="ConvNet: kernels has 3 entries, but channels has 2"):
        ConvNet((2, 8, 8), 3, kernels=[3, 3, 3])


def test_a_network_of_flat_inputs_is_trained_and_calibrated_on_frames(data: Dataset) -> None:
    model = ConvNet([2 * 8 * 8], 3, channels=[], hidden=[8])
    train(model, data, **SETTINGS)
    network = convert(model, calibrate=data, calibration_samples=8)
    assert evaluate(network, data).shape == (4,)
    assert np.array_equal(evaluate(convert(model), data), evaluate(model, data, quantized=True))


def test_wrong_arguments_are_one_line(data: Dataset) -> None:
    model: Any = small(data)
    calls: list[tuple[str, Any]] = [
        ("train: model is int, needs a torch module", lambda: train(42, data)),  # type: ignore[arg-type]
        ("train: data is list, needs a Dataset", lambda: train(model, [1])),  # type: ignore[arg-type]
        ("train: ConvNet needs a dataset", lambda: train(model)),
        ("evaluate: samples are int", lambda: evaluate(model, 5)),  # type: ignore[arg-type]
        ("evaluate: int is no model", lambda: evaluate(5, data)),
        ("frames are .2, 8, 8.", lambda: evaluate(ConvNet((3, 8, 8), 3), data)),
        ("convert: unknown option 'shape'", lambda: convert(model, shape=(2,))),  # type: ignore[call-arg]
        ("ConvNet: input_shape is 'abc'", lambda: ConvNet("abc", 3)),  # type: ignore[arg-type]
        ("ConvNet: classes is 'x'", lambda: ConvNet((2, 8, 8), "x")),  # type: ignore[arg-type]
    ]
    for message, call in calls:
        with pytest.raises(PumiceError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


class Summing(nn.Module):
    """A linear classifier of the pixels so far, as another library's module."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * 8 * 8, classes)
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def forward(self, events: Tensor) -> Tensor:
        logits: Tensor = self.linear(events.flatten(2))
        return logits


def test_another_torch_module_is_trained_in_place(data: Dataset, tmp_path: Path) -> None:
    module = Summing()
    trained = train(module, data, loss="etc", out=tmp_path, **SETTINGS)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    assert module.resets > 3 * 4 and evaluate(module, data).tolist() == pytest.approx(
        evaluate(trained, data).tolist()
    )
    with pytest.raises(PumiceError, match="class Summing is built by user code"):
        read_trained_model(tmp_path)
    with pytest.raises(NetworkError, match=r"needs logits .* \(4, 2, 3\)"):
        train(Summing(2), data)
    with pytest.raises(NetworkError, match="fails on events"):
        train(nn.Linear(3, 3), data)
    with pytest.raises(NetworkError, match="its features are not known"):
        train(Summing(), data, loss="tcl")
