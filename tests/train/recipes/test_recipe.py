from pathlib import Path

import pytest

from pumice.runtime.errors import RecipeError
from pumice.train.models import NeuronOptions
from pumice.train.recipes.loader import list_recipes, load_recipe

RECIPE = """
[data]
name = "digits-events"
timesteps = 8
[loss]
cross_entropy = {}
etc = { temperature = 4.0 }
[training]
epochs = 12
"""


def error_message(tmp_path: Path, text: str, *changes: str) -> str:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path), changes)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_a_recipe_is_loaded_with_overrides(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(RECIPE)
    recipe = load_recipe(str(path), ["training.epochs=15", "network.neuron.surrogate=atan"])
    assert recipe.training.epochs == 15
    neuron = getattr(recipe.network, "neuron", None)
    assert isinstance(neuron, NeuronOptions) and neuron.surrogate == "atan"
    assert recipe.loss.etc is not None and recipe.loss.etc.weight == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.epoch=3", "training.epoch: unknown key; did you mean 'epochs'?"),
        ("network.neuron.treshold=1", "network.neuron.treshold: unknown key; did you mean 'thresh"),
        ("loss.tlc.weight=1", "loss.tlc: unknown key; did you mean 'tcl'?"),
        ("training.epochs=many", "training.epochs = 'many': input should be a valid integer"),
        ("data.timesteps=0", "data.timesteps = 0: input should be greater than or equal to 1"),
        ("loss.etc.temperature=0", "loss.etc.temperature = 0: input should be greater"),
        (
            "training.batch_size=1",
            "training.batch_size = 1: input should be greater than or equal to 2",
        ),
        ("training.qat_epochs=99", "qat_epochs is 99, but there are 12 epochs"),
        ("training.epochs.more=1", "--set training.epochs.more=1: epochs is a value, not a table"),
        ("nonsense", "--set nonsense: needs the form table.key=value"),
    ],
)
def test_an_invalid_override_is_an_error_with_its_key(
    tmp_path: Path, change: str, message: str
) -> None:
    assert message in error_message(tmp_path, RECIPE, change)


def test_an_invalid_or_missing_file_is_an_error(tmp_path: Path) -> None:
    assert "is not TOML" in error_message(tmp_path, "[data\n")
    with pytest.raises(RecipeError, match="no such file or shipped training recipe"):
        load_recipe(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    assert load_recipe(name).data.timesteps >= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "network.name=sew_resnet",
            "network: 'sew_resnet' is none of 'conv', 'layers', ",
        ),
        ("network={ name = 'ms_resnet18' }", "network: its shortcuts carry membrane currents, and"),
        ("network.widht=8", "network.widht: unknown key; did you mean 'width'?"),
        ("network.zeal=8", "network.zeal: unknown key; known are connect, name, neuron, pool, "),
        ("network.width=0", "network.width = 0: input should be greater than or equal to 1"),
        ("network.connect=and", "network.connect = 'and': input should be 'add', 'iand' or 'or'"),
        ("network.neuron.treshold=1", "network.neuron.treshold: unknown key; did you mean 'thresh"),
    ],
)
def test_an_unknown_key_of_an_architecture_is_an_error_with_its_known_keys(
    tmp_path: Path, change: str, message: str
) -> None:
    text = RECIPE + '[network]\nname = "sew_resnet18"\n'
    assert message in error_message(tmp_path, text, change)


def test_an_error_names_the_line_of_the_file(tmp_path: Path) -> None:
    text = RECIPE + '[network]\nname = "vgg9"\nwidth = 0\n'
    assert error_message(tmp_path, text).startswith("line 12: network.width = 0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("loss.ect={}", "loss.ect: unknown key; did you mean 'etc'?"),
        ("loss={tcl={temperature=0}}", "loss.tcl.temperature = 0: input should be grea"),
        ("data.timesteps=0", "data.timesteps = 0: input should be greater than or equal to 1"),
        (
            "training.batch_size=1",
            "training.batch_size = 1: input should be greater than or equal to 2",
        ),
        (
            "training.accumulate_grad_batches=0",
            "training.accumulate_grad_batches = 0: input should be greater than or equal to 1",
        ),
        ("devices.devices=0", "devices.devices = 0: input should be greater than or equal to 1"),
        ("devices.precision=8", "devices.precision = 8: input should be '32-true', '16-mixed'"),
        (
            "training.select_epoch=validation",
            'training: select_epoch = "validation" needs validation samples: set',
        ),
        (
            "training.select_epoch=test",
            "training.select_epoch = 'test': input should be 'last' or 'validation'",
        ),
    ],
)
def test_invalid_settings_are_an_error_before_data_is_read(
    tmp_path: Path, change: str, message: str
) -> None:
    assert message in error_message(tmp_path, RECIPE, change)


@pytest.mark.parametrize("name", ["cross_entropy", "tet", "tcl", "stcl"])
def test_supervised_losses_without_labels_are_an_error(tmp_path: Path, name: str) -> None:
    message = error_message(
        tmp_path, RECIPE, "data.labels=false", f"loss={{{name}={{}}, etc={{}}}}"
    )
    assert f"loss.{name} needs labels, but data.labels is false" in message


def test_unsupervised_losses_need_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    recipe = load_recipe(str(path), ["data.labels=false", "loss={etc={}}"])
    assert recipe.loss.etc and not recipe.data.labels
