"""TOML read into frozen models that refuse what they do not know."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .errors import RecipeError

Model = TypeVar("Model", bound=BaseModel)


def load_config(model: type[Model], path: Path, overrides: Sequence[str] = ()) -> Model:
    """Return the TOML file at `path` as `model`, after `changes` such as `training.epochs=3`.

    Raises `RecipeError`, naming the file, the line, the key and the nearest known one, where the
    file is absent or is no TOML, a key is unknown or a value is of the wrong type or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: is not TOML: {error}") from error
    for change in overrides:
        _apply_override(values, change)
    return validate(model, values, str(path), "" if overrides else text)


def validate(model: type[Model], values: Mapping[str, Any], who: str, text: str = "") -> Model:
    """Return `values` as `model`; raises `RecipeError` with the first fault in one line.

    With the TOML `text` that they were read from, the error says which line of it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A key with a slip in it is missing as well: say that it is unknown, not that.
        fault = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        line = find_line(text, _error_location(fault, values))
        place = f"{who}: line {line}" if line else who
        raise RecipeError(f"{place}: {_describe_error(fault, model, values)}") from None


def _error_location(fault: Any, values: Any) -> tuple[Any, ...]:
    """Return where `fault` lies in `values`: pydantic also names the branch that a table chose."""
    found = []
    for part in fault["loc"]:
        if not isinstance(values, Mapping | list):
            break
        if isinstance(values, Mapping) and part not in values:
            if fault["type"] == "missing" and part == fault["loc"][-1]:
                found.append(part)
            continue
        found.append(part)
        values = values[part]
    return tuple(found)


def find_line(text: str, location: Sequence[Any]) -> int:
    """Return the line, counted from 1, of a TOML `text` after which `location` is set, else 0.

    Where a key is missing, that is the line on which its table begins.
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


def _apply_override(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {change}: needs the form table.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {change}: {table} is a value, not a table")
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
    """Return the known keys of the table at `location`, found through the nested models."""
    models = [model]
    for part in location:
        field = models[0].model_fields.get(str(part))
        if field is None:  # the branch that a table chose
            models = [m for m in models if part in _tag_values(m)] or models
            continue
        found = [m for m in _classes_in(field.annotation) if issubclass(m, BaseModel)]
        models = found or models
    return sorted(models[0].model_fields)


def _tag_values(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["name"].annotation) if "name" in model.model_fields else ()


def _classes_in(annotation: Any) -> list[type]:
    """Return the classes that an annotation names, as deep as it goes."""
    if isinstance(annotation, type):
        return [annotation]
    return [found for part in get_args(annotation) for found in _classes_in(part)]
