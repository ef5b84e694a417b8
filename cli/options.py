"""Command-line options that several verbs share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

EngineName = Literal["reference", "cpu", "onnx", "lava", "c", "cortex-m", "riscv"]


def complete_recipe(incomplete: str) -> list[str]:
    """Names of shipped recipes, for shell completion."""
    from ..train.recipes.loader import KINDS, list_recipes

    names = {name for kind in KINDS for name in list_recipes(kind)}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_target(incomplete: str) -> list[str]:
    """Names of shipped targets, for shell completion."""
    from ..deploy.targets.target import list_targets

    return [name for name in list_targets() if name.startswith(incomplete)]


def complete_dataset(incomplete: str) -> list[str]:
    """Names of datasets, for shell completion."""
    from ..train.data.catalog import DATASETS

    return [name for name in DATASETS if name.startswith(incomplete)]


NetworkFile = Annotated[Path, typer.Argument(metavar="FILE", help="Network, a .pumice file.")]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A .net, .nir or .pumice file, the folder of a training run, or torch layers as "
        "FILE.py:NAME or PACKAGE.MODULE:NAME, where NAME is a module or a function that returns "
        "one.",
    ),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        "--input-shape",
        metavar="SIZES",
        help="Input shape of torch layers: channels,height,width or the number of neurons.",
    ),
]
ValueBits = Annotated[
    int, typer.Option("--value-bits", min=1, max=8, help="Bits of each input value.")
]
InputScale = Annotated[
    float,
    typer.Option(
        "--input-scale",
        metavar="NUMBER",
        help="What one unit of an input value is to a model of float weights, such as 0.00392 "
        "(1/255) where it takes pixels from 0 to 1.",
    ),
]
TimeStep = Annotated[
    float | None, typer.Option("--dt", help="Time step of a .nir file, in seconds.")
]
ResetRule = Annotated[
    Literal["zero", "subtract", "delayed_subtract"] | None,
    typer.Option("--reset", help="Reset of a .nir file's neurons, where it omits it or has 0."),
]
Timing = Annotated[
    Literal["slayer", "synchronous", "pipelined"],
    typer.Option(
        "--timing",
        help="When the layers of a .net file begin: as in SLAYER, together as in netx with resets, "
        "or pipelined as in netx without.",
    ),
]
SignedInput = Annotated[
    bool, typer.Option("--signed", help="Input values of a .net file may be negative.")
]
SkipLayers = Annotated[
    int,
    typer.Option(
        "--skip-layers", min=0, help="Number of layers of a .net file to leave out at the start."
    ),
]
DataName = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Use the test samples of this dataset.",
        autocompletion=complete_dataset,
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="Folder that holds the files of the dataset."),
]
EventsFile = Annotated[
    Path | None,
    typer.Option(
        "--events",
        metavar="FILE",
        help="Use the events of this .npz: one array (timesteps, samples, ...) per input, under "
        "its name, and optionally 'labels'; or this .wav, for a network with an encoder of audio.",
    ),
]
Samples = Annotated[int | None, typer.Option("--samples", min=1, help="Maximum number of samples.")]
Timesteps = Annotated[
    int | None, typer.Option("--timesteps", min=1, help="Maximum number of timesteps per sample.")
]
Engine = Annotated[EngineName, typer.Option("--engine", help="Engine that runs the network.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
RecipeFile = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A TOML file, or the name of a shipped recipe.",
        autocompletion=complete_recipe,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="TABLE.KEY=VALUE",
        help="Override a setting, for example training.epochs=3.",
    ),
]
RunOutput = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="RUN", help="Run folder (default: runs/RECIPE)."),
]
Schema = Annotated[
    bool, typer.Option("--schema", help="Print the JSON schema, by which editors complete keys.")
]
RecipeOrRun = Annotated[
    str | None,
    typer.Argument(
        metavar="[RECIPE]",
        help="A TOML file, the name of a shipped recipe, or with --resume the folder of a run.",
        autocompletion=complete_recipe,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="Number of epochs; a resumed run may be given more."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="Target name or TOML file; may be repeated (default: loihi1, loihi2 and cmos45).",
        autocompletion=complete_target,
    ),
]
HostTimingFlag = Annotated[
    bool,
    typer.Option("--host", help="Also time 100 single samples on this machine, with RAPL energy."),
]
