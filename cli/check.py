"""`pumice check`: report each layer of a model as exact, approximate or unsupported."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    InputScale,
    InputShape,
    Json,
    ModelName,
    ResetRule,
    SignedInput,
    SkipLayers,
    TimeStep,
    Timing,
    ValueBits,
)

if TYPE_CHECKING:
    from ..runtime import Network

MIN_CARRIED_PERCENT = 50.0

TargetName = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="NAME", help="Also place the network on this target (name or file)."
    ),
]


def check(
    model: ModelName,
    target: TargetName = None,
    input_shape: InputShape = None,
    value_bits: ValueBits = 1,
    dt: TimeStep = None,
    reset: ResetRule = None,
    timing: Timing = "slayer",
    skip_layers: SkipLayers = 0,
    signed: SignedInput = False,
    input_scale: InputScale = 1.0,
    as_json: Json = False,
) -> None:
    """Check which layers of a model are supported.

    Reports each layer as exact, approximate or unsupported, with reason and remedy. Exit code 1 if
    a layer is unsupported.
    """
    from ..train.model_loader import check_model, load_model
    from .import_options import parse_import_settings
    from .output import print_json, print_table, print_warning

    settings = parse_import_settings(
        input_shape, value_bits, dt, reset, timing, skip_layers, signed, input_scale
    )
    check_model(model)
    notes: list[str] = []
    placer = make_placer(target, notes)
    from ..convert import ImportOptions, check_compatibility

    report = check_compatibility(load_model(model), placer, ImportOptions(**settings))
    report = replace(report, model=model)
    if as_json:
        print_json(report.to_dict() | {"notes": notes})
    else:
        rows = [(each.node, each.kind, each.support, each.details) for each in report.diagnostics]
        print_table(("node", "kind", "support", "conversion, or reason and remedy"), rows, ())
        typer.echo(report.summary)
        if report.carried_percent is not None and report.carried_percent < MIN_CARRIED_PERCENT:
            print_warning("most weights become zero; check --dt and the scale of the weights")
        for note in notes:
            typer.echo(f"note: {note}")
    if report.unsupported:
        raise typer.Exit(1)


def make_placer(target: str | None, notes: list[str]) -> "Callable[[Network], Any] | None":
    """Build a function that places a network on `target`; None without a target.

    It appends what is only assumed of the target to `notes`.
    """
    if target is None:
        return None
    from ..deploy.placement.place import place
    from ..deploy.placement.problem import list_assumed_features
    from ..deploy.targets.target import read_target

    chip = read_target(target)

    def place_on_chip(network: "Network") -> Any:
        program = place(network, chip)
        notes.extend(list_assumed_features(network, chip))
        return program

    return place_on_chip
