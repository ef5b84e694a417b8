"""`pumice calibrate-exit`: set early-exit thresholds and report what early exit saves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DataFolder, EventsFile, Json, NetworkFile

if TYPE_CHECKING:
    from ..report.early_exit import EarlyExitComparison


Loss = Annotated[
    float | None,
    typer.Option("--loss", min=0, max=1, help="Maximum loss of accuracy, 0 to 1 (default: 0.01)."),
]
Coverage = Annotated[
    float | None,
    typer.Option(
        "--coverage",
        min=0,
        max=1,
        help="Minimum probability that the prediction equals that after all timesteps.",
    ),
]
HeldOut = Annotated[
    Path | None,
    typer.Option(
        "--held-out",
        metavar="FILE",
        help="Calibrate on this .npz (see --events) instead of validation samples.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Output file (default: FILE with suffix -exit)."
    ),
]


def calibrate_exit(
    file: NetworkFile,
    loss: Loss = None,
    coverage: Coverage = None,
    held_out: HeldOut = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Calibrate early exit on held-out samples.

    A sample exits when the margin of its prediction exceeds the threshold of the timestep. The
    thresholds have the guarantee of conformal risk control (see pumice.runtime.exit_calibration),
    and are evaluated on the test samples.
    """
    from ..report.early_exit import compare_early_exit
    from ..runtime import read_network, write_network
    from ..runtime.errors import DataError
    from ..runtime.files import check_output_file
    from ..train.data.inputs import file_inputs, read_inputs
    from ..train.evaluation.early_exit import calibrate_early_exit
    from .output import print_json

    if loss is not None and coverage is not None:
        raise DataError("--loss and --coverage: needs one of them")
    path = output or file.with_name(f"{file.stem}-exit.pumice")
    check_output_file(path)
    network = read_network(file)
    calibrated = calibrate_early_exit(
        network,
        file_inputs(network, held_out) if held_out else None,
        max_accuracy_loss=loss,
        coverage=coverage,
        folder=folder,
    )
    test = read_inputs(network, None, folder, events, lazy=True)
    comparison = compare_early_exit(calibrated, test, test.labels)
    write_network(path, calibrated)
    if as_json:
        record = calibrated.provenance["early_exit"]
        print_json({"file": str(path), "calibration": record, **comparison.to_dict()})
    else:
        _print_comparison(comparison, path)


def _print_comparison(comparison: "EarlyExitComparison", path: Path) -> None:
    from .output import format_percent, print_facts

    def format_saved(fraction: float | None) -> str:
        return "none" if fraction is None else f"{100 * fraction:.0f} % less"

    facts = {
        "mean steps": f"{comparison.mean_steps:.2f} of {comparison.timesteps}",
        "samples by exit step": " ".join(map(str, comparison.exits)),
        "same prediction": format_percent(comparison.agreement),
    }
    if comparison.accuracy is not None and comparison.full_accuracy is not None:
        full = format_percent(comparison.full_accuracy)
        facts["accuracy"] = f"{format_percent(comparison.accuracy)}; {full} with all timesteps"
    facts["events"] = format_saved(comparison.events.saved)
    facts["synaptic operations"] = format_saved(comparison.synaptic_operations.saved)
    facts |= {f"energy, {each.model}": format_saved(each.saved) for each in comparison.energy}
    print_facts(facts)
    typer.echo(path)
