"""Load TOML into pydantic models, with errors that name file, line, key and nearest known key."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import DataError, RecipeError
from .suggest import suggest
from .toml import parse_toml, read_toml

MAX_PARSED = 1 << 22  # characters, to find the line of an error
Model = TypeVar("Model", bound=BaseModel)
KEY_PATTERN = re.compile(r"^\s*- ((?:`\w+`(?:, )?)+): (.*?)(?=^\s*- `|^\s*$|\Z)", re.M | re.S)


class Options(BaseModel):
    """A table of a recipe: immutable, without unknown keys, with finite numbers.

    The class docstring of a table describes its keys in a list, "- `key`: meaning."; the JSON
    schema repeats these descriptions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        """Add the descriptions of the keys to the JSON schema."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for key, text in describe_keys(cls).items():
            if key in properties:
                properties[key]["description"] = text
        return schema


def describe_keys(model: type[BaseModel]) -> dict[str, str]:
    """Collect the meaning of each key from the docstrings of `model` and of its base classes."""
    described: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        for keys, text in KEY_PATTERN.findall(cls.__doc__ or ""):
            meaning = " ".join(text.split()).rstrip(".;")
            described |= dict.fromkeys(re.findall(r"`(\w+)`", keys), meaning)
    return described


def load_config(
    model: type[Model],
    path: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    name: str | None = None,
) -> Model:
    """Load the TOML file at `path` into `model`.

    Args:
        model: Pydantic model that forbids unknown keys.
        path: TOML file.
        overrides: Values that replace those of the file, such as "training.epochs=3".
        name: Name of the file in error messages; default `path`.

    Raises:
        RecipeError: The file is absent or not TOML, a key is unknown, or a value is of the wrong
            type or out of range; names the file, the line, the key and the nearest known one.
    """
    try:
        values, text = read_toml(path)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except DataError as error:
        raise RecipeError(str(error)) from None
    except ValueError as error:
        raise RecipeError(f"{path}: is not TOML: {error}") from error
    for override in overrides:
        _apply_override(values, override)
    return validate(model, values, name or str(path), "" if overrides else text)


def validate(model: type[Model], values: Mapping[str, Any], who: str, text: str = "") -> Model:
    """Validate `values` as `model`; raises `RecipeError` with the first error, in one line.

    With the TOML `text` that they were read from, the error names the line.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A misspelled key is unknown and the right one is missing: report the unknown one. Of the
        # branches of a union, report the one that matches most.
        fault = min(
            error.errors(),
            key=lambda e: (e["type"] != "extra_forbidden", -len(_error_location(e, values))),
        )
        line = find_line(text, _error_location(fault, values))
        place = f"{who}: line {line}" if line else who
        raise RecipeError(f"{place}: {_describe_error(fault, model, values)}") from None


def _error_location(fault: Any, values: Any) -> tuple[Any, ...]:
    """Locate `fault` in `values`, without the branch of a tagged union that pydantic names too."""
    location = []
    for part in fault["loc"]:
        if not isinstance(values, Mapping | list):
            break
        if isinstance(values, list) and not (isinstance(part, int) and part < len(values)):
            continue
        if isinstance(values, Mapping) and part not in values:
            if fault["type"] == "missing" and part == fault["loc"][-1]:
                location.append(part)
            continue
        location.append(part)
        values = values[part]
    return tuple(location)


def find_line(text: str, location: Sequence[Any]) -> int:
    """Find the line, from 1, of a TOML `text` that sets the key at `location`; 0 if none does.

    Of a missing key it is the line on which its table begins. 0 also where the text is so long that
    the search would take seconds.
    """
    lines = text.splitlines()
    parsed = 0
    for depth in range(len(location), 0, -1):
        for end in range(1, len(lines) + 1):
            part = "\n".join(lines[:end])
            parsed += len(part)
            if parsed > MAX_PARSED:
                return 0
            try:
                values: Any = parse_toml(part)
            except ValueError:
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
        value = parse_toml(f"value = {text}")["value"]
    except ValueError:
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
        tag, known = fault["ctx"]["tag"], fault["ctx"]["expected_tags"]
        names = known.replace("'", "").split(", ")
        return f"{key}: {tag!r} is none of {known}; {suggest(tag, names)}"
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, fault["loc"][:-1])
        return f"{key}: unknown key; {suggest(str(fault['loc'][-1]), known)}"
    if fault["type"] == "missing" and isinstance(fault["loc"][-1], int):
        return f"{key} = {fault['input']!r}: has too few values"
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
    fields = (model.model_fields.get(key) for key in ("kind", "name"))
    return tuple(tag for field in fields if field for tag in get_args(field.annotation))


def _classes_in(annotation: Any) -> list[type]:
    """List the classes in a type annotation, nested ones included."""
    if isinstance(annotation, type):
        return [annotation]
    return [cls for part in get_args(annotation) for cls in _classes_in(part)]
