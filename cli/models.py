"""`pumice models`: list the architectures, or print the options of one."""

from typing import Annotated

import typer

from .options import Json, Schema


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="An architecture.")] = None,
    schema: Schema = False,
    as_json: Json = False,
) -> None:
    """List architectures, or the options of one.

    The options are those of table [network] of a recipe.
    """
    from dataclasses import asdict

    from ..train.models.options import EXAMPLES, MODEL_OPTIONS, get_model_options
    from ..train.recipes.describe import iter_keys, to_commented_toml
    from ..train.recipes.loader import recipe_schema
    from .output import print_json, print_list

    if name is not None:
        options = get_model_options(name)
        defaults = options.model_validate({"name": name, **EXAMPLES.get(name, {})})
        if schema:
            print_json(options.model_json_schema())
        elif as_json:
            keys = [asdict(key) for key in iter_keys(options, defaults)]
            print_json({"name": name, "keys": keys})
        else:
            typer.echo(to_commented_toml(defaults, "network"), nl=False)
    elif schema:
        training = recipe_schema("training")
        print_json({**training["properties"]["network"], "$defs": training["$defs"]})
    else:
        about = {each: _first_line(options) for each, options in MODEL_OPTIONS.items()}
        if as_json:
            print_json({"models": about})
            return
        print_list(about)
        typer.echo("Details: pumice models NAME")


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").partition("\n")[0].rstrip(".")
