"""Describe the keys of recipes: type, default and meaning, as values or as commented TOML."""

import json
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ...runtime.config import describe_keys

TYPE_NAMES = {"int": "integer", "float": "number", "bool": "true or false", "str": "text"}
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
WIDTH = 60  # columns of a comment


@dataclass(frozen=True)
class KeyInfo:
    """A key of a recipe.

    Attributes:
        table: Dotted name of its table; empty at the top level. In a list of tables it ends with
            the number of the table, as "layers[0]", or with a kind of table that is not in the
            list, as "layers[dense]".
        key: Name of the key.
        type: Its type, range and choices, in words.
        default: Value where the recipe omits it; None where it has none.
        required: Whether a recipe must set it.
        value: Value in the described recipe.
        meaning: Description.
    """

    table: str
    key: str
    type: str
    default: Any
    required: bool
    value: Any
    meaning: str


def iter_keys(
    model: type[BaseModel], values: BaseModel | None = None, table: str = ""
) -> Iterator[KeyInfo]:
    """Iterate over the keys of `model` in order, those of a table before its nested tables.

    Args:
        model: Model of a recipe or of one of its tables.
        values: A recipe; None describes the defaults.
        table: Dotted name of the table that `model` describes.
    """
    meanings, nested = describe_keys(model), []
    lists: list[tuple[FieldInfo, Any, str]] = []
    for name, field in _ordered_fields(model):
        value = getattr(values, name) if values is not None else _default_of(field)
        inner = _table_model(field, value)
        path = f"{table}.{name}" if table else name
        if is_table_list(field):
            lists.append((field, value, path))
            continue
        if inner is not None:
            nested.append((inner, value, path))
            continue
        yield KeyInfo(
            table,
            name,
            _describe_field(field),
            to_plain(_default_of(field)),
            field.is_required(),
            to_plain(value),
            meanings.get(name, ""),
        )
    for field, value, path in lists:
        for number, each in enumerate(value):
            yield from iter_keys(type(each), each, f"{path}[{number}]")
        for kind in _absent_kinds(field, value):
            yield from iter_keys(kind, None, f"{path}[{kind.model_fields['kind'].default}]")
    for inner, value, path in nested:
        yield from iter_keys(inner, value if isinstance(value, BaseModel) else None, path)


def _ordered_fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Fields of a table in order, its `kind` first."""
    return sorted(model.model_fields.items(), key=lambda item: item[0] != "kind")


def absent_tables(model: type[BaseModel], values: BaseModel, table: str = "") -> list[str]:
    """List the optional tables that `values` leaves out, such as the losses not chosen."""
    absent = []
    for name, field in model.model_fields.items():
        value, path = getattr(values, name), f"{table}.{name}" if table else name
        if value is None and _models_in(field.annotation):
            absent.append(path)
        elif is_table_list(field):
            kinds = _absent_kinds(field, value)
            absent += [f"{path}[{kind.model_fields['kind'].default}]" for kind in kinds]
        elif isinstance(value, BaseModel):
            absent += absent_tables(type(value), value, path)
    return absent


def to_commented_toml(values: BaseModel, table: str = "") -> str:
    """Format a recipe as TOML with all keys, each after its meaning, type and default.

    The text is a recipe itself: reading it gives `values`. Optional keys and tables that `values`
    leaves out are comments. With `table`, `values` are the options of that table.
    """
    absent = absent_tables(type(values), values, table)
    lines, table = ([f"[{table}]"] if table else []), table
    described = False
    kinds: dict[str, set[Any]] = {}  # of the tables of each list that were described
    for key in iter_keys(type(values), values, table):
        omitted = any(f"{key.table}.".startswith(f"{each}.") for each in absent)
        if key.table != table:
            table = key.table
            header = _format_header(table)
            lines += ["", f"# {header}  (left out)" if omitted else header]
            seen = kinds.setdefault(header, set()) if header.startswith("[[") else set()
            described = key.key == "kind" and key.value in seen
            seen.add(key.value)
        if described:  # another of its kind: what it sets
            if key.value != key.default or key.key == "kind":
                lines.append(f"{key.key} = {format_toml(key.value)}")
            continue
        lines += textwrap.wrap(
            f"{key.meaning} ({key.type}; {_describe_default(key)})",
            WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
        )
        setting = f"{key.key} = {format_toml(key.value)}"
        unset = omitted or key.value is None
        lines.append(f"# {setting}" if unset else setting)
    return "\n".join(lines).lstrip() + "\n"


def _format_header(table: str) -> str:
    """Header of a table, or of one in a list of tables."""
    name, bracket, _ = table.partition("[")
    return f"[[{name}]]" if bracket else f"[{name}]"


def is_table_list(field: FieldInfo) -> bool:
    """True of a list of tables, each of a `kind`."""
    return get_origin(field.annotation) is tuple and bool(_models_in(field.annotation))


def _absent_kinds(field: FieldInfo, values: Sequence[BaseModel]) -> list[type[BaseModel]]:
    """Kinds of table that a list of tables could hold, but does not."""
    return [m for m in _models_in(field.annotation) if m not in {type(each) for each in values}]


def format_toml(value: Any) -> str:
    """Format a plain value as TOML; None as an ellipsis, for comments."""
    if value is None:
        return "..."
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(k)} = {format_toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_toml, value))}]"
    return repr(value)


def to_plain(value: Any) -> Any:
    """Convert a value of a recipe to JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _describe_default(key: KeyInfo) -> str:
    if key.required:
        return "required"
    return "no default" if key.default is None else f"default {format_toml(key.default)}"


def _default_of(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _table_model(field: FieldInfo, value: Any) -> type[BaseModel] | None:
    """Model of the table that `field` holds; of a union, the one of `value`, else the first."""
    if isinstance(value, BaseModel):
        return type(value)
    if get_origin(field.annotation) is dict:
        return None
    return next(iter(_models_in(field.annotation)), None)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if get_origin(annotation) is Literal:
        return []
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _describe_field(field: FieldInfo) -> str:
    return _describe_type(field.annotation) + _describe_bounds(field.metadata)


def _describe_bounds(metadata: Any) -> str:
    limits: dict[str, Any] = {}
    for each in metadata:
        if isinstance(each, FieldInfo):
            return _describe_bounds(each.metadata)
        limits |= {key: getattr(each, key) for key in BOUNDS if hasattr(each, key)}
    if {"ge", "le"} <= limits.keys():
        return f" from {limits['ge']} to {limits['le']}"
    return "".join(f" {word} {limits[key]}" for key, word in BOUNDS.items() if key in limits)


def _describe_type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(json.dumps(each) for each in args)
    if origin in (Union, UnionType):
        return " or ".join(_describe_type(each) for each in args if each is not type(None))
    if origin is tuple:
        return f"list of {_describe_type(args[0])}"
    if origin is dict:
        return "table"
    if hasattr(annotation, "__metadata__"):  # Annotated
        return _describe_type(args[0]) + _describe_bounds(args[1:])
    name = getattr(annotation, "__name__", str(annotation))
    return TYPE_NAMES.get(name, name.lower())
