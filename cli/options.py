"""Options that several verbs take."""

from pathlib import Path
from typing import Annotated, Literal

import typer

EngineName = Literal["reference", "cpu", "onnx", "lava"]
ENGINES: tuple[EngineName, ...] = ("reference", "cpu", "onnx", "lava")

NetworkFile = Annotated[Path, typer.Argument(metavar="FILE", help="A network, as .pumice file.")]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A .net, .nir or .pumice file, the folder of a training run, or torch layers: "
        "FILE.py:NAME or PACKAGE.MODULE:NAME, where NAME may be a function that makes them.",
    ),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        "--input-shape",
        metavar="SIZES",
        help="What layers are fed where they do not say: channels,height,width or neurons.",
    ),
]
ValueBits = Annotated[
    int, typer.Option("--value-bits", min=1, max=8, help="The bits of a value that comes in.")
]
TimeStep = Annotated[
    float | None, typer.Option("--dt", help="The seconds of a time step, for a .nir file.")
]
ResetRule = Annotated[
    Literal["zero"] | None,
    typer.Option("--reset", help="What a spike does to a voltage, where a .nir file is silent."),
]
DataName = Annotated[
    str | None,
    typer.Option("--data", metavar="NAME", help="Take the test samples of this data set."),
]
DataFolder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="Where the files of that data set are."),
]
EventsFile = Annotated[
    Path | None,
    typer.Option(
        "--events",
        metavar="FILE",
        help="Take events from this .npz: one array (timesteps, samples, ...) by the name of each "
        "input, and 'labels' if known.",
    ),
]
Samples = Annotated[
    int | None, typer.Option("--samples", min=1, help="Stop after so many samples.")
]
Timesteps = Annotated[
    int | None, typer.Option("--timesteps", min=1, help="Stop each sample after so many timesteps.")
]
Engine = Annotated[EngineName, typer.Option("--engine", help="What computes the network.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")
]

RecipeFile = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A TOML file, or the name of a shipped recipe.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change a setting: training.epochs=3."),
]
RunOutput = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="RUN", help="Where to (runs/NAME OF THE RECIPE)."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
