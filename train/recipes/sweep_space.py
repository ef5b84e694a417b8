"""Search space of a sweep: parameters of a recipe, each with a range or a list of choices."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...runtime.errors import RecipeError
from ...runtime.toml import parse_toml
from .describe import format_toml
from .loader import Name, load_recipe
from .preflight import check_training


@dataclass(frozen=True)
class Parameter:
    """A key of a recipe and the values to try.

    Attributes:
        key: Dotted name, such as "training.lr".
        choices: Values as TOML; empty for a range.
        low: Lower bound of a range.
        high: Upper bound of a range.
        log: Whether a range is sampled uniformly in the logarithm.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False

    @property
    def is_integer(self) -> bool:
        """True for a range of integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def examples(self) -> tuple[str, ...]:
        """Values that show whether the parameter is valid: all choices, or both bounds."""
        return self.choices or (format_toml(self.low), format_toml(self.high))


def parse_parameter(text: str) -> Parameter:
    """Parse KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B,C; raises `RecipeError`."""
    key, equals, values = text.partition("=")
    if not (equals and key.strip() and values.strip()):
        raise RecipeError(f"--param {text}: needs KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B,C")
    parts = values.split(":")
    if len(parts) == 1:
        return Parameter(key, tuple(format_toml(each) for each in _parse_choices(values)))
    bounds = [_parse_toml(part) for part in parts[:2]]
    log = parts[2:] == ["log"]
    if not all(isinstance(b, int | float) for b in bounds) or (parts[2:] and not log):
        raise RecipeError(f"--param {text}: needs numbers, LOW:HIGH or LOW:HIGH:log")
    low, high = bounds
    if not low < high or (log and low <= 0):
        raise RecipeError(f"--param {text}: needs LOW below HIGH, with log above 0")
    return Parameter(key, (), low, high, log)


def check_space(name: Name, overrides: Sequence[str], parameters: Sequence[Parameter]) -> None:
    """Check that a recipe accepts the values of all parameters.

    Raises:
        RecipeError: There is no parameter, a key is unknown, a value is out of range, or the recipe
            holds out no validation samples.
    """
    if not parameters:
        raise RecipeError("sweep: no parameter; give at least one --param KEY=VALUES")
    for parameter in parameters:
        for value in parameter.examples:
            recipe = load_recipe(name, [*overrides, f"{parameter.key}={value}"])
            check_training(recipe)
            if not recipe.training.validation_per_class:
                raise RecipeError(
                    "sweep: needs validation samples, since it does not use test samples; give "
                    "--set training.validation_per_class=20"
                )


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds separated by commas, such as "0,1,2"; raises `RecipeError`."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d{1,10}", part) for part in parts) or len(set(parts)) < len(parts):
        raise RecipeError(f"--seeds {text}: needs different numbers separated by commas, as 0,1,2")
    return tuple(map(int, parts))


def _parse_choices(values: str) -> list[Any]:
    try:
        return list(parse_toml(f"values = [{values}]")["values"])
    except ValueError:
        return [_parse_toml(part) for part in values.split(",")]


def _parse_toml(text: str) -> Any:
    """Parse a TOML value; other text is a string."""
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text.strip()
