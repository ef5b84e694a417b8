"""Losses of the user's own: by file or module, with options, and named errors."""

from pathlib import Path

import pytest
import torch

from pumice.runtime.errors import PumiceError
from pumice.train.losses.custom import custom_loss
from pumice.train.losses.options import CustomLossOptions
from pumice.train.losses.registry import compute_losses
from pumice.train.recipes.loader import load_recipe

CODE = """
import torch

def smooth(logits, labels, smoothing=0.1):
    mean = logits.mean(dim=0)
    return torch.nn.functional.cross_entropy(mean, labels, label_smoothing=smoothing)

def vector(logits, labels):
    return logits.mean(dim=0)

def broken(logits, labels):
    raise ValueError("no")

number = 3
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(CODE)
    return file


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 4, 5, generator=generator), torch.tensor([0, 1, 2, 3])


def test_a_function_of_a_file_is_a_loss_with_a_weight(code: Path) -> None:
    logits, labels = inputs()
    recipe = load_recipe(
        "digits-events",
        [
            f'loss={{custom={{function="{code}:smooth",weight=0.5,options={{smoothing=0.3}}}}}}',
        ],
    )
    losses = compute_losses(recipe.loss, logits, labels, logits)
    expected = torch.nn.functional.cross_entropy(logits.mean(0), labels, label_smoothing=0.3)
    assert list(losses) == ["custom"] and torch.equal(losses["custom"], 0.5 * expected)


def test_code_beside_the_recipe_is_found(code: Path) -> None:
    recipe = code.parent / "own.toml"
    recipe.write_text(
        '[data]\nname = "digits-events"\n[loss.custom]\nfunction = "mine.py:smooth"\n'
    )
    custom = load_recipe(recipe).loss.custom
    assert custom is not None and custom.function == f"{code}:smooth"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "has no 'absent'"),
        ("vector", r"vector: returns \(4, 5\), needs a tensor of one number"),
        ("broken", "broken: ValueError: no"),
        ("number", "number: is int, needs a function"),
    ],
)
def test_an_error_names_the_function(code: Path, name: str, message: str) -> None:
    with pytest.raises(PumiceError, match=message):
        custom_loss(CustomLossOptions(function=f"{code}:{name}"), *inputs())


@pytest.mark.parametrize("name", ["nix.py:loss", "mine.py", ":x"])
def test_a_name_without_file_or_function_is_an_error(name: str) -> None:
    with pytest.raises(PumiceError, match="no such file|needs FILE.py:NAME"):
        custom_loss(CustomLossOptions(function=name), *inputs())
