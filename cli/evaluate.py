"""`pumice eval`: three curves of what a network's answers are worth, and never one for another.

*Truncated*: trained for all time steps, stopped after each. *Retrained*: trained for fewer steps
and run for all of those. *Any-time*: converted, each sample stopped as soon as its answer is clear.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DataFolder, Json
from .protocol import Protocol, evaluate_protocol
from .train import data_of

if TYPE_CHECKING:
    from ..train import Trained
    from ..train.data import Data

RISKS = (0.005, 0.01, 0.02, 0.05, 0.1)  # the accuracy that may be lost by stopping early

RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder that 'train' wrote, or its weights.")
]


def evaluate(
    run: RunFolder,
    retrained: Annotated[
        list[Path] | None,
        typer.Option(
            "--retrained", metavar="RUN", help="A run of the same recipe with fewer timesteps."
        ),
    ] = None,
    quantised: Annotated[
        bool, typer.Option("--quantised", help="In integers, as converted, not in real numbers.")
    ] = False,
    protocol: Annotated[
        Protocol | None,
        typer.Option("--protocol", help="Of a run of 'pretrain': what it learned without labels."),
    ] = None,
    folder: DataFolder = None,
    as_json: Json = False,
) -> None:
    """Say how often a trained network is right.

    Stopped after each time step, retrained for fewer, and with each sample stopped early. Early
    stops are set on the validation samples that the recipe kept (fit.validation).
    """
    from ..train import agreement, calibration_errors, read_trained, trained_answers, truncated
    from .output import print_json

    if protocol:
        return evaluate_protocol(run, protocol, folder, as_json)
    trained = read_trained(run)
    others = [read_trained(other) for other in retrained or []]
    for path, other in zip(retrained or [], others, strict=True):
        check_same(trained, other, path)
    data = data_of(trained.recipe, folder)
    said = trained_answers(trained.network, data.test, quantised)
    labels = data.test.labels
    told = {
        "run": str(run),
        "quantised": quantised,
        "samples": len(data.test),
        "epoch": trained.recipe.fit.choose,
        "accuracy": truncated(said, labels).tolist(),
        "agreement": agreement(said).tolist(),
        "calibration_error": calibration_errors(said, labels).tolist(),
        "retrained": dict(retrained_at(other, quantised, folder) for other in others),
        "anytime": anytime(trained, data),
    }
    if as_json:
        print_json(told)
    else:
        show(told)


def check_same(trained: "Trained", other: "Trained", path: Path) -> None:
    """Raise `DataError` where `other` differs from `trained` in more than its timesteps."""
    from ..runtime.errors import DataError

    one, two = (each.recipe.model_dump(mode="json") for each in (trained, other))
    two["data"]["timesteps"] = one["data"]["timesteps"]
    for table in one:
        if one[table] != two[table]:
            raise DataError(f"{path}: differs from the run in [{table}], not in timesteps alone")


def retrained_at(trained: "Trained", quantised: bool, folder: Path | None) -> tuple[int, float]:
    """Return the timesteps of a run, and how often it is right after all of them."""
    from ..train import trained_accuracies

    test = data_of(trained.recipe, folder).test
    accuracy = trained_accuracies(trained.network, test, quantised)
    return len(accuracy), float(accuracy[-1])


def anytime(trained: "Trained", data: "Data") -> list[dict[str, Any]]:
    """Return what early stops give on the test samples, for each risk the validation allows."""
    from ..runtime.engines import fast
    from ..runtime.errors import DataError
    from ..runtime.thresholds import by_loss, outcome
    from ..train import converted, network_answers
    from ..train.data import parted

    _, validation = parted(data, trained.recipe.fit.validation, trained.recipe.fit.seed)
    if validation is None:
        return []
    network, _ = converted(trained)
    held, said = (network_answers(network, part, fast.run) for part in (validation, data.test))
    points = []
    for risk in RISKS:
        try:
            rule = by_loss(held, validation.labels, risk)
        except DataError:
            continue  # too few validation samples for so small a risk
        told = outcome(said, data.test.labels, rule)
        points.append({"risk": risk, "steps": told.mean_steps, "accuracy": told.accuracy})
    return points


def show(told: dict[str, Any]) -> None:
    """Print the three curves for people."""
    from .output import print_facts, print_table, shares

    def curve(name: str) -> str:
        return " ".join(f"{100 * share:.1f}" for share in told[name]) + " %"

    facts = {
        **shares(told["accuracy"]),
        "agreement with the last": curve("agreement"),
        "calibration error": curve("calibration_error"),
        "samples": f"{told['samples']:,}",
    }
    for steps, accuracy in sorted(told["retrained"].items()):
        facts[f"retrained at {steps}"] = f"{100 * accuracy:.1f} %"
    print_facts(facts)
    if told["anytime"]:
        rows = [
            (f"{100 * p['risk']:g} %", f"{p['steps']:.2f}", f"{100 * p['accuracy']:.1f} %")
            for p in told["anytime"]
        ]
        print_table(("stopped early, risk", "mean steps", "right"), rows, right=(0, 1, 2))
