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
    from ..convert import check as core
    from .models import model_of, options
    from .output import print_json, print_table

    given = options(input_shape, value_bits, dt, reset)
    report = core.check(model_of(model), placed_on(target), given)
    report = replace(report, model=model)
    if as_json:
        print_json(report.plain())
    else:
        rows = []
        for finding in report.findings:
            told = "; ".join(filter(None, (finding.rule, finding.reason, finding.mend)))
            rows.append((finding.node, finding.kind, finding.verdict, told))
        print_table(("node", "kind", "verdict", "how, or why and what to change"), rows, ())
        refused = f", {len(report.refused)} refused" if report.refused else ""
        typer.echo(f"{report.model}: {report.percentage:.0f} % can be carried over{refused}")
    if report.refused:
        raise typer.Exit(1)


def placed_on(target: str | None) -> "Callable[[Network], Any] | None":
    """Return what puts a network on the cores of `target`, None where none is named."""
    if target is None:
        return None
    from ..deploy.placement import place
    from ..deploy.target import read_target

    chip = read_target(target)
    return lambda network: place(network, chip)
