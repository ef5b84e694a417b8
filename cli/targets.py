"""`pumice targets`: which chips there are, and every constant of one with its source."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json

if TYPE_CHECKING:
    from ..deploy.targets.target import Constant, Target


def targets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A shipped target, or a TOML file of your own."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the targets, or explain every constant of one."""
    from ..deploy.targets.target import list_targets as shipped
    from ..deploy.targets.target import read_target
    from .output import print_json

    if name is not None:
        target = read_target(name)
        print_json(_target_to_dict(target)) if as_json else _print_constants(target)
        return
    found = [read_target(each) for each in shipped()]
    if as_json:
        print_json({"targets": [_target_to_dict(each) for each in found]})
    else:
        _print_list(found)


def _print_list(found: "list[Target]") -> None:
    from .output import print_columns

    rows = []
    for target in found:
        chip = target.chip
        cores = f"{chip.chips.value:,} x {chip.cores.value}" if chip else "-"
        lists = ", ".join(dict.fromkeys((*target.energy, *target.time)))
        rows.append((target.name, target.title, cores, lists, target.about))
    print_columns(("target", "title", "chips x cores", "price lists", "about"), rows, right=(2,))
    typer.echo("Explain one with: pumice targets NAME. Your own is a TOML file like these.")


def _print_constants(target: "Target") -> None:
    from ..deploy.targets.target import iter_constants
    from .output import print_columns

    typer.echo(f"{target.title}: {target.about}\n")
    header = ("constant", "value", "unit", "source", "how sure", "note")
    rows = [
        (
            key,
            _format_value(each),
            getattr(each, "unit", ""),
            each.source,
            each.certainty,
            each.note,
        )
        for key, each in iter_constants(target)
    ]
    print_columns(header, rows, right=(1,))
    for model, excludes in _excludes(target).items():
        typer.echo(f"{model} leaves out: {excludes}.")
    typer.echo("\nSources")
    for key, source in target.sources.items():
        typer.echo(f"  {key}: {source}")


def _format_value(constant: "Constant") -> str:
    """Return the value as text, and its range where it has one."""
    value = constant.value
    text = f"{value:,}" if isinstance(value, int) else f"{value}"
    least, most = getattr(constant, "min", None), getattr(constant, "max", None)
    if least is None and most is None:
        return text
    return f"{text} ({value if least is None else least:g} to {value if most is None else most:g})"


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
