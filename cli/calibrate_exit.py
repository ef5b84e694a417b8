"""`pumice exit`: let samples stop as soon as their answer is clear, and say what that saves."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DataFolder, EventsFile, Json, NetworkFile

if TYPE_CHECKING:
    from ..runtime import Network
    from ..train.data.inputs import Inputs


def calibrate_exit(
    file: NetworkFile,
    loss: Annotated[
        float | None,
        typer.Option("--loss", min=0, max=1, help="The accuracy that may be lost, 0 to 1 (0.01)."),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            "--coverage", min=0, max=1, help="The chance that an answer is that of all timesteps."
        ),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option(
            "--held-out",
            metavar="FILE",
            help="Set thresholds on this .npz (see --events), not on the recipe's validation.",
        ),
    ] = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to (beside FILE, -exit)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let samples stop as soon as their answer is clear.

    Thresholds come from samples that took no part in training, with a guarantee on new ones (see
    pumice.runtime.exit_calibration); what they give is told on the test samples. Writes the network.
    """
    from ..runtime import read_network, write_network
    from ..runtime.errors import DataError
    from ..train.data.inputs import file_inputs, read_inputs
    from .output import print_json

    if loss is not None and coverage is not None:
        raise DataError("--loss and --coverage: needs one of them")
    network = replace(read_network(file), early_exit=None)
    held = file_inputs(network, held_out) if held_out else validation_inputs(network, folder)
    chosen = ("coverage", coverage) if coverage is not None else ("loss", loss or 0.01)
    stopping = set_thresholds(network, held, *chosen)
    told = compare_exit(network, stopping, read_inputs(network, None, folder, events))
    path = output or file.with_name(f"{file.stem}-exit.pumice")
    write_network(path, stopping)
    told = {"file": str(path), "by": dict([chosen]), "held_out": held.samples, **told}
    if as_json:
        print_json(told)
    else:
        print_comparison(told)


def validation_inputs(network: "Network", folder: Path | None) -> "Inputs":
    """Return the samples that the recipe of `network` kept from training; raises `DataError`."""
    from ..runtime.errors import DataError
    from ..train.data import load, train_val_split
    from ..train.data.inputs import to_inputs

    recipe: dict[str, Any] = network.provenance.get("recipe") or {}
    fit = recipe.get("training", {})
    if not fit.get("validation_per_class"):
        raise DataError(
            "the network's recipe kept no samples from training: train with "
            "--set training.validation_per_class=20, or name some with --held-out"
        )
    options = {**recipe["data"], **({"folder": folder} if folder else {})}
    _, kept = train_val_split(load(**options), fit["validation_per_class"], fit["seed"])
    assert kept is not None
    return to_inputs(network, kept, "validation")


def set_thresholds(network: "Network", held: "Inputs", by: str, value: float) -> "Network":
    """Return `network` with thresholds set on `held`; raises `DataError` if it is too small."""
    from ..runtime import logits_over_time
    from ..runtime.engines import cpu
    from ..runtime.errors import DataError
    from ..runtime.exit_calibration import calibrate_by_accuracy, calibrate_by_coverage

    said = logits_over_time(network, cpu.run(network, held.events, "output"))
    if by == "coverage":
        rule = calibrate_by_coverage(said, value)
    elif held.labels is None:
        raise DataError(f"{held.name}: has no labels; --coverage needs none")
    else:
        rule = calibrate_by_accuracy(said, held.labels, value)
    noted = {"early_exit": {by: value, "samples": held.samples}}
    return replace(network, early_exit=rule, provenance={**network.provenance, **noted})


def compare_exit(whole: "Network", stopping: "Network", test: "Inputs") -> dict[str, Any]:
    """Run both on `test` and return, as plain values, when samples stop and what that saves."""
    import numpy as np

    from ..report.profiles import default_energies
    from ..runtime import logits_over_time
    from ..runtime.engines import cpu
    from ..runtime.op_counts import count_ops

    before, after = (cpu.run(each, test.events) for each in (whole, stopping))
    one, two = (logits_over_time(whole, trace)[-1].argmax(axis=-1) for trace in (before, after))
    told: dict[str, Any] = {
        "thresholds": list(stopping.early_exit.thresholds) if stopping.early_exit else [],
        "timesteps": before.timesteps,
        "samples": test.samples,
        "mean_steps": float(after.steps.mean()),
        "exits": np.bincount(after.steps, minlength=before.timesteps + 1)[1:].tolist(),
        "agreement": float((one == two).mean()),
    }
    if test.labels is not None:
        told["accuracy"] = float((two == test.labels).mean())
        told["full_accuracy"] = float((one == test.labels).mean())
    for key in ("total_events", "total_operations"):
        now, then = (float(getattr(count_ops(whole, t), key).mean()) for t in (after, before))
        told[key.removeprefix("total_")] = {"now": now, "before": then}
    costs = zip(default_energies(whole, after), default_energies(whole, before), strict=True)
    told["energy"] = [
        {"model": now.model, "now": now.total, "before": then.total} for now, then in costs
    ]
    return told


def print_comparison(told: dict[str, Any]) -> None:
    """Print it for people."""
    from .output import print_facts

    def saved(pair: dict[str, Any]) -> str:
        now, then = (upper_bound(pair[key]) for key in ("now", "before"))
        return f"{100 * (1 - now / then):.0f} % less" if then else "none"

    facts = {
        "mean steps": f"{told['mean_steps']:.2f} of {told['timesteps']}",
        "samples stopped at": " ".join(map(str, told["exits"])),
        "same answer": f"{100 * told['agreement']:.1f} %",
    }
    if "accuracy" in told:
        both = (told[key] for key in ("accuracy", "full_accuracy"))
        facts["right"] = "{:.1%}, with all steps {:.1%}".format(*both)
    facts |= {key: saved(told[key]) for key in ("events", "operations")}
    facts |= {f"energy, {each['model']}": saved(each) for each in told["energy"]}
    print_facts(facts)
    typer.echo(told["file"])


def upper_bound(value: Any) -> float:
    """Return the larger end of a range, or the number itself."""
    return float(value[-1] if isinstance(value, list | tuple) else value)
