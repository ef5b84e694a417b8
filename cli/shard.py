"""`pumice shard`: write the samples of a dataset as few large files, for many nodes."""

from pathlib import Path
from typing import Annotated

import typer

from .options import DataFolder, Json, Overrides, RecipeFile


def shard(
    recipe: RecipeFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder of the shards.")
    ],
    override: Overrides = None,
    folder: DataFolder = None,
    shard_mb: Annotated[
        int, typer.Option("--shard-mb", min=1, help="Size of a shard before compression, MB.")
    ] = 1024,
    as_json: Json = False,
) -> None:
    """Write the dataset of a recipe as shards.

    Samples are decoded once and stored in large, compressed files, which many nodes read without
    the original ones: 'pumice train RECIPE --set data.shards=FOLDER'. Batches are the same. An
    interrupted command continues when it is repeated.
    """
    from ..runtime.files import check_output_folder
    from ..train.data.registry import load_unencoded, make_options
    from ..train.data.shards import write_shards
    from ..train.recipes.loader import load_recipe
    from .output import print_json, stdout_to_stderr

    check_output_folder(output)
    fields = load_recipe(recipe, override or ()).data.model_dump()
    fields |= {"folder": folder or fields["folder"], "shards": None}
    options = make_options(**fields)
    with stdout_to_stderr():
        data = load_unencoded(options)
        index = write_shards(data, output, options, shard_bytes=shard_mb << 20)
    files = sorted(output.glob("*.array_record"))
    size = sum(file.stat().st_size for file in files)
    parts = {
        name: len(part)
        for name in ("train", "test", "validation")
        if (part := getattr(data, name)) is not None
    }
    if as_json:
        print_json({"folder": str(output), "shards": len(files), "bytes": size, "samples": parts})
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in parts.items())
    typer.echo(f"{index.parent}: {counts} samples in {len(files)} shards, {size / 1e6:,.1f} MB")
    typer.echo(f"next: pumice train {recipe} --set data.shards={output}")
