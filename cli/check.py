"""`pumice check`: what becomes of each node of a model, before any work is put into it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import InputShape, Json, ModelName, ResetRule, TimeStep, ValueBits

if TYPE_CHECKING:
    from ..runtime import Network

TargetName = Annotated[
    str | None,
    typer.Option("--target", metavar="NAME", help="Place it on this chip too: a name or a file."),
]


def check(
    model: ModelName,
    target: TargetName = None,
    input_shape: InputShape = None,
    value_bits: ValueBits = 1,
    dt: TimeStep = None,
    reset: ResetRule = None,
    as_json: Json = False,
) -> None:
    """Say which nodes of a model a chip can hold, and why not.

    Ends with status 1 where a node is refused.
    """
    from ..convert import compatibility as core
    from .models import import_options, load_model
    from .output import print_json, print_table

    given = import_options(input_shape, value_bits, dt, reset)
    report = core.check_compatibility(load_model(model), make_placer(target), given)
    report = replace(report, model=model)
    if as_json:
        print_json(report.to_dict())
    else:
        rows = []
        for finding in report.diagnostics:
            told = "; ".join(filter(None, (finding.conversion, finding.reason, finding.remedy)))
            rows.append((finding.node, finding.kind, finding.support, told))
        print_table(("node", "kind", "verdict", "how, or why and what to change"), rows, ())
        refused = f", {len(report.unsupported)} refused" if report.unsupported else ""
        typer.echo(f"{report.model}: {report.supported_percent:.0f} % can be carried over{refused}")
    if report.unsupported:
        raise typer.Exit(1)


def make_placer(target: str | None) -> "Callable[[Network], Any] | None":
    """Return what puts a network on the cores of `target`, None where none is named."""
    if target is None:
        return None
    from ..deploy.placement.place import place
    from ..deploy.targets.target import read_target

    chip = read_target(target)
    return lambda network: place(network, chip)
