"""The root command: what `pumice` says before a verb takes over, and how it ends."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from .calibrate_exit import calibrate_exit
from .check import check
from .convert import convert
from .demo import demo
from .doctor import doctor, install_hint
from .evaluate import evaluate
from .export import export
from .pretrain import pretrain
from .profile import profile
from .report import report
from .run import run
from .stream import stream
from .targets import targets
from .train import train
from .train_hrsnn import train_hrsnn
from .verify import verify

app = typer.Typer(
    help="Take a spiking network from training to a Loihi-style chip, and prove nothing changed.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with rich, --help takes twice as long
)
VERBS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "train": train,
    "pretrain": pretrain,
    "hrsnn": train_hrsnn,
    "eval": evaluate,
    "check": check,
    "convert": convert,
    "exit": calibrate_exit,
    "run": run,
    "stream": stream,
    "conform": verify,
    "export": export,
    "profile": profile,
    "report": report,
    "targets": targets,
    "doctor": doctor,
}
for name, verb in VERBS.items():
    app.command(name)(verb)


def show_version(wanted: bool) -> None:
    """Print the installed version and leave, where `--version` was given."""
    if wanted:
        from importlib import metadata

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
    """Run `pumice` with the arguments of this process, and end it with the verb's status."""
    # Before torch and numba load OpenMP: their idle threads would spin against each other's,
    # which makes training on two cores up to ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run `pumice` with `arguments`; return 0 when done, 1 when the answer is no.

    2 when it was used wrongly or could not work, after one line on standard error; 130 when it
    was interrupted.
    """
    try:
        status = app(list(arguments) or ["--help"], prog_name="pumice", standalone_mode=False)
    except typer.TyperException as error:
        return print_error(error.format_message())
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("pumice"):
            raise
        return print_error(
            f"needs {error.name}, which is not installed; {install_hint(error.name)}"
        )
    except OSError as error:  # what no module has put into words, such as a full standard output
        return print_error(str(error))
    except Exception as error:
        from ..runtime.errors import PumiceError

        if not isinstance(error, PumiceError):
            raise
        return print_error(str(error))
    return int(status or 0)


def print_error(message: str) -> int:
    """Say on one line of standard error why nothing was done, and return status 2."""
    typer.echo(f"pumice: {' '.join(message.split())}", err=True)
    return 2
