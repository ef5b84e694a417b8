"""`pumice targets`: which chips there are, and every constant of one with its source."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json

if TYPE_CHECKING:
    from ..deploy.target import Constant, Target


def targets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A shipped target, or a TOML file of your own."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the targets, or explain every constant of one."""
    from ..deploy.target import read_target
    from ..deploy.target import targets as shipped
    from .output import print_json

    if name is not None:
        target = read_target(name)
        print_json(_document(target)) if as_json else _explain(target)
        return
    found = [read_target(each) for each in shipped()]
    if as_json:
        print_json({"targets": [_document(each) for each in found]})
    else:
        _list(found)


def _list(found: "list[Target]") -> None:
    from .output import print_columns

    rows = []
    for target in found:
        chip = target.chip
        cores = f"{chip.chips.value:,} x {chip.cores.value}" if chip else "-"
        lists = ", ".join(dict.fromkeys((*target.energy, *target.time)))
        rows.append((target.name, target.title, cores, lists, target.about))
    print_columns(("target", "title", "chips x cores", "price lists", "about"), rows, right=(2,))
    typer.echo("Explain one with: pumice targets NAME. Your own is a TOML file like these.")


def _explain(target: "Target") -> None:
    from ..deploy.target import constants
    from .output import print_columns

    typer.echo(f"{target.title}: {target.about}\n")
    header = ("constant", "value", "unit", "source", "how sure", "note")
    rows = [
        (key, _value(each), getattr(each, "unit", ""), each.source, each.certainty, each.note)
        for key, each in constants(target)
    ]
    print_columns(header, rows, right=(1,))
    for model, excludes in _excludes(target).items():
        typer.echo(f"{model} leaves out: {excludes}.")
    typer.echo("\nSources")
    for key, source in target.sources.items():
        typer.echo(f"  {key}: {source}")


def _value(constant: "Constant") -> str:
    """Return the value as text, and its range where it has one."""
    value = constant.value
    text = f"{value:,}" if isinstance(value, int) else f"{value}"
    least, most = getattr(constant, "least", None), getattr(constant, "most", None)
    if least is None and most is None:
        return text
    return f"{text} ({value if least is None else least:g} to {value if most is None else most:g})"


def _document(target: "Target") -> dict[str, Any]:
    from ..deploy.target import constants

    return {
        "name": target.name,
        "title": target.title,
        "about": target.about,
        "constants": {key: each.model_dump() for key, each in constants(target)},
        "excludes": _excludes(target),
        "sources": dict(target.sources),
    }


def _excludes(target: "Target") -> dict[str, str]:
    energies = {f"energy.{model}": prices.excludes for model, prices in target.energy.items()}
    return energies | {f"time.{model}": prices.excludes for model, prices in target.time.items()}
