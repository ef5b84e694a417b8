"""The root command: what `pumice` says before a verb takes over."""

from importlib import metadata
from typing import Annotated

import typer

app = typer.Typer(
    help="Take a spiking network from training to a Loihi-style chip, and prove nothing changed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    """Print the installed version and leave, where `--version` was given."""
    if wanted:
        typer.echo(f"pumice {metadata.version('pumice')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that stand before a verb."""


def main() -> None:
    """Run `pumice` with the arguments of this process."""
    app()
