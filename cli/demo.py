"""`pumice demo`: the whole way once, on data that comes with pumice."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import EngineName, Json
from .train import data_of, fitted

if TYPE_CHECKING:
    from ..runtime import Network
    from ..runtime.report import Report
    from .inputs import Inputs

RECIPE = "digits-events"


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to.")
    ] = Path("runs/demo"),
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: fit.epochs=3."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train, convert, compare, run in Lava and report, on digits.

    What is there already is not done again. Ends with status 1 where an engine differs.
    """
    from ..runtime import write_network
    from ..runtime.report import report_json, write_report
    from ..train import converted, read_recipe, trained_accuracies
    from .inputs import from_data

    recipe = read_recipe(RECIPE, change or ())
    _say("reading the data")
    data = data_of(recipe, None)
    _say(f"training {recipe.fit.epochs} epochs")
    trained = fitted(recipe, data, output, resume=True)
    real = trained_accuracies(trained.network, data.test, quantised=False).tolist()
    _say("converting to integers")
    network, _ = converted(trained)
    write_network(output / "network.pumice", network)
    made = told(network, from_data(network, None), real)
    paths = write_report(output, made)
    typer.echo(report_json(made) if as_json else paths[1], nl=not as_json)
    if not (made.certificate and made.certificate.agreed):
        raise typer.Exit(1)


def told(network: "Network", inputs: "Inputs", real: list[float]) -> "Report":
    """Run and compare all installed engines and return the report.

    `real` is the accuracy by timestep in real numbers, before conversion.
    """
    from ..runtime.report import Curve
    from .engines import chosen
    from .report import measured as measured_report
    from .run import measured

    names = chosen(None)
    fastest: EngineName = "fast" if "fast" in names else "reference"
    ways: dict[str, EngineName] = {"integers": fastest}
    if "lava" in names:
        ways["Lava"] = "lava"
    curves = [Curve("float", tuple(real))]
    for way, engine in ways.items():
        _say(f"running {inputs.samples} samples on engine {engine}")
        curves.append(Curve(way, tuple(measured(network, inputs, engine)["accuracy"])))
    _say(f"comparing {', '.join(names)}")
    title = f"{inputs.name}: from training to the chip"
    return measured_report(network, inputs, fastest, names, curves, title)


def _say(what: str) -> None:
    typer.echo(what, err=True)
