"""Load TOML into pydantic models, with errors that name file, line, key and nearest known key."""

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .errors import RecipeError

Model = TypeVar("Model", bound=BaseModel)


def load_config(
    model: type[Model], path: str | os.PathLike[str], overrides: Sequence[str] = ()
) -> Model:
    """Load the TOML file at `path` into `model`.

    Args:
        model: Pydantic model that forbids unknown keys.
        path: TOML file.
        overrides: Values that replace those of the file, such as "training.epochs=3".

    Raises:
        RecipeError: The file is absent or not TOML, a key is unknown, or a value is of the wrong
            type or out of range; names the file, the line, the key and the nearest known one.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: is not TOML: {error}") from error
    for override in overrides:
        _apply_override(values, override)
    return validate(model, values, str(path), "" if overrides else text)


def validate(model: type[Model], values: Mapping[str, Any], who: str, text: str = "") -> Model:
    """Validate `values` as `model`; raises `RecipeError` with the first error, in one line.

    With the TOML `text` that they were read from, the error names the line.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A misspelled key is unknown and the right one is missing: report the unknown one.
        fault = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        line = find_line(text, _error_location(fault, values))
        place = f"{who}: line {line}" if line else who
        raise RecipeError(f"{place}: {_describe_error(fault, model, values)}") from None


def _error_location(fault: Any, values: Any) -> tuple[Any, ...]:
    """Locate `fault` in `values`, without the branch of a tagged union that pydantic names too."""
    location = []
    for part in fault["loc"]:
        if not isinstance(values, Mapping | list):
            break
        if isinstance(values, Mapping) and part not in values:
            if fault["type"] == "missing" and part == fault["loc"][-1]:
                location.append(part)
            continue
        location.append(part)
        values = values[part]
    return tuple(location)


def find_line(text: str, location: Sequence[Any]) -> int:
    """Find the line, from 1, of a TOML `text` that sets the key at `location`; 0 if none does.

    Of a missing key it is the line on which its table begins.
    """
    lines = text.splitlines()
    for depth in range(len(location), 0, -1):
        for end in range(1, len(lines) + 1):
            try:
                values: Any = tomllib.loads("\n".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            if _has_key(values, location[:depth]):
                return end
    return 0


def _has_key(values: Any, location: Sequence[Any]) -> bool:
    for part in location:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {override}: needs the form table.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {override}: {table} is a value, not a table")
    values[last] = value


def _describe_error(fault: Any, model: type[BaseModel], values: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in _error_location(fault, values))
    if fault["type"] == "union_tag_invalid":
        return f"{key}: {fault['ctx']['tag']!r} is none of {fault['ctx']['expected_tags']}"
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    if fault["type"] == "missing":
        return f"{key}: is missing"
    message = str(fault["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not key:
        return message
    if isinstance(fault["input"], dict):
        return f"{key}: {message}"
    return f"{key} = {fault['input']!r}: {message}"


def _known_keys(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    """List the keys of the table at `location`, through nested models and tagged unions."""
    models = [model]
    for part in location:
        field = models[0].model_fields.get(str(part))
        if field is None:  # the branch of a tagged union
            models = [m for m in models if part in _tag_values(m)] or models
            continue
        nested = [m for m in _classes_in(field.annotation) if issubclass(m, BaseModel)]
        models = nested or models
    return sorted(models[0].model_fields)


def _tag_values(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["name"].annotation) if "name" in model.model_fields else ()


def _classes_in(annotation: Any) -> list[type]:
    """List the classes in a type annotation, nested ones included."""
    if isinstance(annotation, type):
        return [annotation]
    return [cls for part in get_args(annotation) for cls in _classes_in(part)]
