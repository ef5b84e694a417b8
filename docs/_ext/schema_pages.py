"""Pages of recipe keys and target keys, from the pydantic models."""

import importlib
import inspect
import re
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from markup import code, table
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pumice.deploy.targets.target import Target, iter_constants, list_targets, read_target
from pumice.runtime.config import describe_keys
from pumice.train.recipes.loader import KINDS, list_recipes

TITLES = {
    "training": "Training recipes",
    "pretraining": "Pretraining recipes",
    "hrsnn": "HRSNN recipes",
}
VERBS = {"training": "train", "pretraining": "pretrain", "hrsnn": "train-hrsnn"}
BOUNDS = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
ATTRIBUTE = re.compile(r"^    (?P<key>\w+): (?P<text>.*?)(?=^    \w+: |^\S|\Z)", re.M | re.S)


def pages() -> dict[str, str]:
    """The pages, by file name."""
    return {"recipe-keys.md": _recipe_page(), "target-keys.md": _target_page()}


def _recipe_page() -> str:
    parts = [
        "# Recipe keys",
        "A recipe is a TOML file that holds everything that decides the result of a run. Each "
        "section below is one table of the file; keys that are left out have the default value. "
        "An unknown key or an impossible value is an error that names file, line and key. "
        "`--set table.key=value` overrides a key on the command line.",
    ]
    for kind, entry in KINDS.items():
        module, _, name = entry.model.partition(":")
        model = getattr(importlib.import_module(module), name)
        shipped = ", ".join(code(recipe) for recipe in list_recipes(kind))
        parts += [f"## {TITLES[kind]}", f"`pumice {VERBS[kind]} RECIPE`. Shipped: {shipped}."]
        top = [(n, f) for n, f in model.model_fields.items() if not _models_in(f.annotation)]
        if top:
            parts += [_key_table(model, dict(top))]
        seen: set[Any] = set()
        for key, field in model.model_fields.items():
            for nested in _models_in(field.annotation):
                parts += _describe_model(key, nested, seen)
    return "\n\n".join(parts) + "\n"


def _describe_model(prefix: str, model: type[BaseModel], seen: set[Any]) -> list[str]:
    """Section of a table, then those of its tables; each table of a recipe once."""
    if (prefix, model) in seen:
        return []
    seen.add((prefix, model))
    title = f"### [{prefix}]" + (f", {_tag(model)}" if _tag(model) else "")
    parts = [title, _escape(_about(model)), _key_table(model, dict(model.model_fields))]
    for key, field in model.model_fields.items():
        for nested in _models_in(field.annotation):
            parts += _describe_model(f"{prefix}.{key}", nested, seen)
    return parts


def _key_table(model: type[BaseModel], fields: dict[str, Any]) -> str:
    meanings = _meanings(model)
    rows = [
        (
            code(name),
            _type_name(field.annotation, field.metadata),
            _default(field),
            _escape(field.description or meanings.get(name, "")),
        )
        for name, field in fields.items()
    ]
    return table(("key", "type", "default", "meaning"), rows)


def _target_page() -> str:
    parts = [
        "# Target keys",
        "A target is a TOML file: the limits of a chip and its price lists. Every constant is a "
        "table of `value`, `unit`, `source` (a key of the table `[sources]`), `certainty` "
        '(`"published"`, `"derived"` or `"assumed"`) and optionally `note`; an energy or a time '
        "also has `min` and `max` where a range is known.",
    ]
    simple = {n: f for n, f in Target.model_fields.items() if not _models_in(f.annotation)}
    parts += [_key_table(Target, simple)]
    for key, field in Target.model_fields.items():
        for nested in _models_in(field.annotation):
            name = f"{key}.NAME" if get_origin(field.annotation) is dict else key
            parts += [f"## [{name}]", _escape(_about(nested))]
            parts.append(_constant_table(nested))
    parts += ["## Shipped targets"]
    for name in list_targets():
        target = read_target(name)
        parts += [f"### {name}: {target.title}", _escape(target.about)]
        rows = []
        for key, constant in iter_constants(target):
            low, high = (getattr(constant, end, None) for end in ("min", "max"))
            low, high = (constant.value if end is None else end for end in (low, high))
            span = "" if low == high else f" ({low} to {high})"
            value = f"{constant.value:,}" if isinstance(constant.value, int) else constant.value
            value = ", ".join(value) if isinstance(value, tuple) else value
            unit = getattr(constant, "unit", "")
            note = f"{constant.source}; {constant.note}" if constant.note else constant.source
            rows.append((code(key), f"{value}{span} {unit}", constant.certainty, _escape(note)))
        parts.append(table(("key", "value", "certainty", "source and note"), rows))
        sources = (f"- {key}: {_escape(text)}" for key, text in target.sources.items())
        parts.append("\n".join(sources))
    return "\n\n".join(parts) + "\n"


def _constant_table(model: type[BaseModel]) -> str:
    """Keys of a table of constants: unit or choices, whether required, and meaning."""
    meanings = _meanings(model)
    rows = []
    for name, field in model.model_fields.items():
        units = [literal for literal in _literals(field.annotation)]
        required = "required" if field.is_required() else "optional"
        rows.append((code(name), ", ".join(units) or "text", required, meanings.get(name, "")))
    return table(("key", "unit or choice", "", "meaning"), rows)


def _literals(annotation: Any) -> list[str]:
    """Allowed units of a constant's annotation, also inside a parametrized pydantic model."""
    found: list[str] = []
    for part in (annotation, *get_args(annotation)):
        metadata = getattr(part, "__pydantic_generic_metadata__", None)
        for inner in (metadata or {}).get("args", ()):
            found += [str(value) for value in get_args(inner)]
    return list(dict.fromkeys(found))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Pydantic models in an annotation, constants of targets excluded."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        is_constant = bool(annotation.__pydantic_generic_metadata__["origin"]) and not hasattr(
            annotation.model_fields.get("operation"), "annotation"
        )
        return [] if is_constant else [annotation]
    found = [model for part in get_args(annotation) for model in _models_in(part)]
    return list(dict.fromkeys(found))


def _tag(model: type[BaseModel]) -> str:
    """The names that select this branch of a union, such as `name = "vgg9"`."""
    field = model.model_fields.get("name")
    if field is None or get_origin(field.annotation) is not Literal:
        return ""
    names = get_args(field.annotation)
    return "name " + " or ".join(code(name) for name in names) if len(names) < 4 else ""


def _about(model: type[BaseModel]) -> str:
    """Text of the docstring before its list of keys."""
    text = inspect.cleandoc(model.__doc__ or "")
    text = re.split(r"^- `|^Attributes:", text, maxsplit=1, flags=re.M)[0].strip()
    return text or model.__name__


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Meaning of each key: items of the docstring's list, or of its section Attributes."""
    meanings = describe_keys(model)
    for base in reversed(model.__mro__):
        if not (issubclass(base, BaseModel) and base is not BaseModel):
            continue
        text = inspect.cleandoc(base.__doc__ or "")
        attributes = text.partition("Attributes:\n")[2]
        for item in ATTRIBUTE.finditer(attributes):
            meanings[item["key"]] = " ".join(item["text"].split())
    return meanings


def _type_name(annotation: Any, metadata: Any = ()) -> str:
    bounds = {
        attribute: getattr(each, attribute)
        for each in metadata
        for kind, attribute in BOUNDS.items()
        if isinstance(each, kind)
    }
    parts = [_base_name(annotation)]
    if {"ge", "le"} <= set(bounds):
        parts.append(f"{bounds['ge']} to {bounds['le']}")
    else:
        parts += [f"{SIGNS[key]} {value}" for key, value in bounds.items()]
    parts += [f"(at least {each.min_length})" for each in metadata if isinstance(each, MinLen)]
    return " ".join(parts)


def _base_name(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(args[0], annotation.__metadata__)
    if origin in (Union, UnionType):
        names = [_base_name(part) for part in args if part is not NoneType]
        return " or ".join(dict.fromkeys(names))
    if origin is Literal:
        return " or ".join(
            code(f'"{value}"' if isinstance(value, str) else value) for value in args
        )
    if origin in (list, tuple):
        inner = [_base_name(part) for part in args if part is not Ellipsis]
        return f"list of {' or '.join(dict.fromkeys(inner))}"
    if origin is dict:
        return "table"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    names = {"int": "integer", "str": "text", "bool": "true or false", "float": "number"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, {"Path": "path"}.get(name, name))


def _default(field: Any) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, tuple):
        value = list(value)
    return code(f'"{value}"' if isinstance(value, str) else value) if value != "" else ""


def _escape(text: str) -> str:
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_<>$])", r"\\\1", part) for part in parts
    )
