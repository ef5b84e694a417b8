"""`pumice recipes`: list the shipped recipes, or print one with every key."""

from typing import Annotated, Literal

import typer

from .options import Json, Schema

Kind = Literal["training", "pretraining", "hrsnn"]
VERBS: dict[Kind, str] = {
    "training": "pumice train",
    "pretraining": "pumice pretrain",
    "hrsnn": "pumice train-hrsnn",
}


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A shipped recipe, or a TOML file.")
    ] = None,
    kind: Annotated[
        Kind | None,
        typer.Option("--kind", help="Kind of recipe (default: the kind that has NAME)."),
    ] = None,
    schema: Schema = False,
    as_json: Json = False,
) -> None:
    """List recipes, or all keys of one.

    The output for a NAME is a recipe itself: redirect it to a file and edit that. Editors complete
    a TOML file that begins with '#:schema FILE', where FILE holds the output of --schema.
    """
    from dataclasses import asdict

    from ..train.recipes.describe import iter_keys, to_commented_toml
    from ..train.recipes.loader import find_recipe_kind, load_recipe, recipe_schema
    from .output import print_json

    if name is None:
        print_json(recipe_schema(kind or "training")) if schema else _print_recipes(kind, as_json)
        return
    chosen = kind or ("training" if name.endswith(".toml") else find_recipe_kind(name))
    if schema:
        print_json(recipe_schema(chosen))
        return
    recipe = load_recipe(name, kind=chosen)
    if as_json:
        keys = [asdict(key) for key in iter_keys(type(recipe), recipe)]
        print_json({"name": name, "kind": chosen, "keys": keys})
    else:
        typer.echo(f"# Use: {VERBS[chosen]} FILE, or {VERBS[chosen]} {name}\n")
        typer.echo(to_commented_toml(recipe), nl=False)


def _print_recipes(kind: Kind | None, as_json: bool) -> None:
    from ..train.recipes.loader import describe_recipe, list_recipes
    from .output import print_json, print_list

    kinds: list[Kind] = [kind] if kind else list(VERBS)
    listed = {each: {n: describe_recipe(n, each) for n in list_recipes(each)} for each in kinds}
    if as_json:
        print_json({"recipes": listed})
        return
    for each, entries in listed.items():
        typer.echo(f"{each} ({VERBS[each]} NAME)")
        print_list(entries, "  ")
    typer.echo("Details: pumice recipes NAME")
