"""`pumice evaluate`: evaluate a training or pretraining run on the test samples of its data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .options import DataFolder, Json

if TYPE_CHECKING:
    from ..train.evaluation.run_evaluation import RunEvaluation

Protocol = Literal["all", "knn", "probe", "retrieval", "consistency", "collapse", "finetune"]
SCALAR_METRICS = {
    "consistency": ("consistency_error", "by_step"),
    "collapse": ("feature_std", "effective_rank"),
}
RunFolder = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Folder of a training or pretraining run, or its weights."),
]


def evaluate(
    run: RunFolder,
    retrained: Annotated[
        list[Path] | None,
        typer.Option(
            "--retrained",
            metavar="RUN",
            help="Also evaluate a run of the same recipe with fewer timesteps; may be repeated.",
        ),
    ] = None,
    quantized: Annotated[
        bool, typer.Option("--quantized", help="Evaluate the integer network, as converted.")
    ] = False,
    protocol: Annotated[
        Protocol | None,
        typer.Option("--protocol", help="Evaluate the features of a pretraining run."),
    ] = None,
    folder: DataFolder = None,
    as_json: Json = False,
) -> None:
    """Evaluate a trained network at every timestep.

    Reports the accuracy, or the errors of a regression, when stopped after each timestep; the
    accuracy of runs retrained for fewer timesteps, and with early exit, whose thresholds are
    calibrated on the validation samples of the recipe (training.validation_per_class). Processes
    that torchrun starts share the samples.
    """
    from ..train.engine.run_folder import MODEL_FILE, find_weights
    from .output import print_json

    for each in () if protocol else (run, *(retrained or ())):
        find_weights(each, MODEL_FILE, "train")
    from ..train.engine.processes import join_processes

    with join_processes() as prints:
        if protocol:
            from ..train.evaluation.protocols import evaluate_protocol

            scores = evaluate_protocol(run, protocol, folder)
            if prints:
                print_json(scores) if as_json else _print_scores(scores, protocol)
            return
        from ..train.evaluation.run_evaluation import evaluate_run

        result = evaluate_run(run, retrained=retrained or (), quantized=quantized, folder=folder)
        if prints:
            print_json(result.to_dict()) if as_json else _print_evaluation(result)


def _print_evaluation(result: "RunEvaluation") -> None:
    """Print the accuracy by timestep, of retrained runs, and with early exit."""
    from .output import accuracy_facts, error_facts, format_percent, print_facts, print_table

    if result.errors is not None:
        facts = error_facts(result.errors["mae"], result.errors["rmse"])
        print_facts({**facts, "samples": f"{result.samples:,}"})
        return

    def format_curve(values: tuple[float, ...]) -> str:
        return " ".join(f"{100 * value:.1f}" for value in values) + " %"

    facts = {
        **accuracy_facts(result.accuracy),
        "agreement with the last": format_curve(result.agreement),
        "calibration error": format_curve(result.calibration_error),
        "samples": f"{result.samples:,}",
    }
    for steps, accuracy in sorted(result.retrained.items()):
        facts[f"retrained at {steps}"] = format_percent(accuracy)
    print_facts(facts)
    if result.early_exit:
        rows = [
            (
                f"{100 * point.max_accuracy_loss:g} %",
                f"{point.mean_steps:.2f}",
                format_percent(point.accuracy),
            )
            for point in result.early_exit
        ]
        header = ("early exit, maximum accuracy loss", "mean steps", "accuracy")
        print_table(header, rows, right=(0, 1, 2))


def _print_scores(scores: dict[str, Any], protocol: Protocol) -> None:
    """Print the scores of one or all protocols of self-supervised learning."""
    from .output import format_percent, print_facts, print_table

    facts = {"videos": f"{scores['videos']:,}"}
    for name, keys in SCALAR_METRICS.items():
        if protocol in ("all", name):
            facts |= {key.replace("_", " "): _format_scalars(scores[key]) for key in keys}
    for label, accuracy in scores.get("finetune", {}).items():
        facts |= {
            f"fine-tuned, {label}, top {k}": format_percent(value) for k, value in accuracy.items()
        }
    print_facts(facts)
    metrics = [name for name in ("knn", "probe", "retrieval") if protocol in ("all", name)]
    rows = []
    for kind in ("mean", "concatenated") if metrics else ():
        for label, values in scores[kind].items():
            cells = [format_percent(values[name]) for name in metrics if name != "retrieval"]
            if "retrieval" in metrics:
                cells += [format_percent(value) for value in values["retrieval"].values()]
            rows.append((kind, label, *cells))
    if rows:
        ranks = [f"R@{rank}" for rank in next(iter(scores["mean"].values()))["retrieval"]]
        names = [name for name in metrics if name != "retrieval"]
        header = ("steps", "label", *names, *(ranks if "retrieval" in metrics else ()))
        print_table(header, rows, right=range(2, len(header)))


def _format_scalars(value: Any) -> str:
    return " ".join(f"{each:.3f}" for each in value) if isinstance(value, list) else f"{value:.3f}"
