"""`pumice datasets`: list the datasets, or print the options of one."""

from typing import Annotated

import typer

from .options import Json, Schema


def datasets(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A dataset.")] = None,
    schema: Schema = False,
    as_json: Json = False,
) -> None:
    """List datasets, or the options of one.

    The options are those of table [data] of a recipe.
    """
    from dataclasses import asdict

    from ..train.data.catalog import DATASETS, get_dataset_info
    from ..train.data.options import DataOptions
    from ..train.recipes.describe import iter_keys, to_commented_toml
    from .output import print_json, print_list

    if schema:
        print_json(DataOptions.model_json_schema())
    elif name is not None:
        info, options = get_dataset_info(name), DataOptions(name=name)
        if as_json:
            keys = [asdict(key) for key in iter_keys(DataOptions, options)]
            print_json({"name": name, **asdict(info), "keys": keys})
        else:
            files = "needs data.folder" if info.needs_folder else "is generated on first use"
            typer.echo(f"# {info.about}; {files}\n{to_commented_toml(options, 'data')}", nl=False)
    elif as_json:
        print_json({"datasets": {each: asdict(info) for each, info in DATASETS.items()}})
    else:
        print_list({n: i.about + "; files" * i.needs_folder for n, i in DATASETS.items()})
        typer.echo("files: give their folder with --folder. Details: pumice datasets NAME")
