"""`pumice eval`: three curves of what a network's answers are worth, and never one for another.

*Truncated*: trained for all time steps, stopped after each. *Retrained*: trained for fewer steps
and run for all of those. *Any-time*: converted, each sample stopped as soon as its answer is clear.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DataFolder, Json
from .protocol import Protocol, evaluate_protocol
from .train import load_data

if TYPE_CHECKING:
    from ..train import TrainedModel
    from ..train.data import Dataset

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
    stops are set on the validation samples that the recipe kept (training.validation_per_class).
    """
    from ..train import (
        accuracy_from_logits,
        expected_calibration_error,
        predict_logits,
        prediction_agreement,
        read_trained_model,
    )
    from .output import print_json

    if protocol:
        return evaluate_protocol(run, protocol, folder, as_json)
    trained = read_trained_model(run)
    others = [read_trained_model(other) for other in retrained or []]
    for path, other in zip(retrained or [], others, strict=True):
        check_same_recipe(trained, other, path)
    data = load_data(trained.recipe, folder)
    said = predict_logits(trained.network, data.test, quantised)
    labels = data.test.labels
    told = {
        "run": str(run),
        "quantised": quantised,
        "samples": len(data.test),
        "epoch": trained.recipe.training.select_epoch,
        "accuracy": accuracy_from_logits(said, labels).tolist(),
        "agreement": prediction_agreement(said).tolist(),
        "calibration_error": expected_calibration_error(said, labels).tolist(),
        "retrained": dict(retrained_accuracy(other, quantised, folder) for other in others),
        "anytime": anytime_accuracy(trained, data),
    }
    if as_json:
        print_json(told)
    else:
        print_curves(told)


def check_same_recipe(trained: "TrainedModel", other: "TrainedModel", path: Path) -> None:
    """Raise `DataError` where `other` differs from `trained` in more than its timesteps."""
    from ..runtime.errors import DataError

    one, two = (each.recipe.model_dump(mode="json") for each in (trained, other))
    two["data"]["timesteps"] = one["data"]["timesteps"]
    for table in one:
        if one[table] != two[table]:
            raise DataError(f"{path}: differs from the run in [{table}], not in timesteps alone")


def retrained_accuracy(
    trained: "TrainedModel", quantised: bool, folder: Path | None
) -> tuple[int, float]:
    """Return the timesteps of a run, and how often it is right after all of them."""
    from ..train import model_accuracy

    test = load_data(trained.recipe, folder).test
    accuracy = model_accuracy(trained.network, test, quantised)
    return len(accuracy), float(accuracy[-1])


def anytime_accuracy(trained: "TrainedModel", data: "Dataset") -> list[dict[str, Any]]:
    """Return what early stops give on the test samples, for each risk the validation allows."""
    from ..runtime.engines import cpu
    from ..runtime.errors import DataError
    from ..runtime.exit_calibration import calibrate_by_accuracy, evaluate_exits
    from ..train import convert, run_logits
    from ..train.data import train_val_split

    _, validation = train_val_split(
        data, trained.recipe.training.validation_per_class, trained.recipe.training.seed
    )
    if validation is None:
        return []
    network = convert(trained)
    held, said = (run_logits(network, part, cpu.run) for part in (validation, data.test))
    points = []
    for risk in RISKS:
        try:
            rule = calibrate_by_accuracy(held, validation.labels, risk)
        except DataError:
            continue  # too few validation samples for so small a risk
        told = evaluate_exits(said, data.test.labels, rule)
        points.append({"risk": risk, "steps": told.mean_steps, "accuracy": told.accuracy})
    return points


def print_curves(told: dict[str, Any]) -> None:
    """Print the three curves for people."""
    from .output import accuracy_facts, print_facts, print_table

    def curve(name: str) -> str:
        return " ".join(f"{100 * share:.1f}" for share in told[name]) + " %"

    facts = {
        **accuracy_facts(told["accuracy"]),
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
