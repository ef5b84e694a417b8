"""`pumice targets`: list the hardware targets, or print every constant of one with its source."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json

if TYPE_CHECKING:
    from ..deploy.targets.target import Constant, Target


def targets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A shipped target, or a TOML file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List hardware targets, or the constants of one."""
    from ..deploy.targets.target import list_targets, read_target
    from .output import print_json

    if name is not None:
        target = read_target(name)
        print_json(_target_to_dict(target)) if as_json else _print_constants(target)
        return
    shipped = [read_target(each) for each in list_targets()]
    if as_json:
        print_json({"targets": [_target_to_dict(target) for target in shipped]})
    else:
        _print_list(shipped)


def _print_list(shipped: "list[Target]") -> None:
    from .output import print_list

    entries = {}
    for target in shipped:
        chip, models = target.chip, ", ".join(dict.fromkeys((*target.energy, *target.time)))
        parts = [target.title]
        if chip:
            parts.append(f"{chip.chips.value:,} x {chip.cores.value} cores")
        if models:
            parts.append(f"models {models}")
        entries[target.name] = f"{'; '.join(parts)}. {target.about}"
    print_list(entries)
    typer.echo("Details: pumice targets NAME. A custom target is a TOML file of the same format.")


def _print_constants(target: "Target") -> None:
    """Print a table for each part of a target, with notes below the constants, and the sources."""
    from ..deploy.targets.target import iter_constants
    from .output import print_columns, print_text

    print_text(f"{target.title}: {target.about}")
    parts: dict[str, list[tuple[str, Constant]]] = {}
    for key, constant in iter_constants(target):
        part, _, name = key.rpartition(".")
        parts.setdefault(part, []).append((name, constant))
    excludes = _excludes(target)
    for part, constants in parts.items():
        typer.echo()
        rows = [
            (name, _format_value(each), each.source, each.certainty) for name, each in constants
        ]
        print_columns((part, "value", "source", "certainty"), rows, right=(1,))
        for name, each in constants:
            if remark := "; ".join(filter(None, (_format_details(each), each.note))):
                print_text(f"{name}: {remark}", "  ")
        if part in excludes:
            print_text(f"excludes {excludes[part]}", "  ")
    typer.echo("\nSources")
    for key, source in target.sources.items():
        print_text(f"{key}: {source}", "  ")


def _format_value(constant: "Constant") -> str:
    value, unit = constant.value, getattr(constant, "unit", "")
    if isinstance(value, tuple):
        return ", ".join(value) if len(value) < 2 else f"{len(value)} names"
    return f"{value:,} {unit}".rstrip() if isinstance(value, int) else f"{value} {unit}".rstrip()


def _format_details(constant: "Constant") -> str:
    """Format the range of a constant, or its names; empty where it has one value."""
    if isinstance(constant.value, tuple) and len(constant.value) > 1:
        return ", ".join(constant.value)
    low, high = (getattr(constant, key, None) for key in ("min", "max"))
    if low is None and high is None:
        return ""
    value = constant.value
    return f"{value if low is None else low:g} to {value if high is None else high:g}"


def _target_to_dict(target: "Target") -> dict[str, Any]:
    from ..deploy.targets.target import iter_constants

    return {
        "name": target.name,
        "title": target.title,
        "about": target.about,
        "constants": {key: each.model_dump() for key, each in iter_constants(target)},
        "excludes": _excludes(target),
        "sources": dict(target.sources),
    }


def _excludes(target: "Target") -> dict[str, str]:
    energies = {f"energy.{model}": prices.excludes for model, prices in target.energy.items()}
    return energies | {f"time.{model}": prices.excludes for model, prices in target.time.items()}
