"""The command `pumice`: its verbs, its exit codes and its one-line error messages."""

import functools
import math
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from .calibrate_exit import calibrate_exit
from .check import check
from .convert import convert
from .datasets import datasets
from .demo import demo
from .doctor import doctor, install_hint
from .evaluate import evaluate
from .export import export
from .models import models
from .pretrain import pretrain
from .profile import profile
from .recipes import recipes
from .report import report
from .run import run
from .shard import shard
from .stream import stream
from .sweep import sweep
from .targets import targets
from .train import train
from .train_hrsnn import train_hrsnn
from .verify import verify

MAX_LINE = 2000
MAX_INTEGER = (1 << 31) - 1  # of an option; the largest counts are far below
app = typer.Typer(
    help="Train spiking neural networks, quantize them, deploy them to neuromorphic chips and "
    "verify them bit for bit.",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with rich, --help takes twice as long
)
VERBS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "train": train,
    "sweep": sweep,
    "pretrain": pretrain,
    "train-hrsnn": train_hrsnn,
    "evaluate": evaluate,
    "check": check,
    "convert": convert,
    "calibrate-exit": calibrate_exit,
    "run": run,
    "stream": stream,
    "verify": verify,
    "export": export,
    "profile": profile,
    "report": report,
    "recipes": recipes,
    "datasets": datasets,
    "shard": shard,
    "models": models,
    "targets": targets,
    "doctor": doctor,
}


def check_numbers(verb: Callable[..., None]) -> Callable[..., None]:
    """Wrap a verb to reject options that are infinite, or integers of more than 32 bits."""

    @functools.wraps(verb)
    def run_checked(**options: Any) -> None:
        for name, value in options.items():
            if isinstance(value, int | float) and not abs(value) <= MAX_INTEGER:
                from ..runtime.errors import DataError

                flag = name.replace("_", "-")
                finite = isinstance(value, int) or math.isfinite(value)
                needs = f"a number up to {MAX_INTEGER}" if finite else "a finite number"
                raise DataError(f"--{flag}: needs {needs}")
        verb(**options)

    return run_checked


for name, verb in VERBS.items():
    app.command(name)(check_numbers(verb))
app.command("eval", hidden=True)(check_numbers(evaluate))


def show_version(requested: bool) -> None:
    """Print the installed version and exit, if `--version` was given."""
    if requested:
        from importlib import metadata

        typer.echo(f"pumice {metadata.version('pumice')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Parse the options that precede a verb."""


def run_command(arguments: Sequence[str]) -> int:
    """Run `pumice` with `arguments` and return its exit code.

    Returns:
        0 for success, 1 for a failed check or a meaningless result, 2 for a usage or input error
        (after one line on standard error), 130 for an interrupt.
    """
    try:
        with warnings.catch_warnings():
            setattr(warnings, "showwarning", show_warning)  # noqa: B010  the hook
            status = app(list(arguments) or ["--help"], prog_name="pumice", standalone_mode=False)
    except typer.TyperException as error:
        return print_error(describe_usage_error(error))
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("pumice"):
            raise
        return print_error(
            f"needs {error.name}, which is not installed; {install_hint(error.name)}"
        )
    except OSError as error:  # not wrapped by a module, for example a full standard output
        return print_error(str(error))
    except UnicodeEncodeError as error:  # a name of a file or folder, which the text would hold
        return print_error(f"{error.object}: is a name that is not UTF-8; rename it")
    except RecursionError:
        return print_error("the input is nested too deeply")
    except MemoryError as error:
        return print_error(f"needs more memory than there is: {error}".rstrip(": "))
    except Exception as error:
        from ..runtime.errors import PumiceError

        if not isinstance(error, PumiceError):
            raise
        return print_error(str(error))
    return int(status or 0)


def describe_usage_error(error: typer.TyperException) -> str:
    """Describe a wrong verb, option or argument, with the nearest choice and where to find help."""
    from ..runtime.suggest import suggest

    message = error.format_message().replace("Value error, ", "")
    choice = re.search(r"'([^']*)' is not one of (.*)\.$", message)
    if choice:
        known = re.findall(r"'([^']*)'", choice[2])
        hint = suggest(choice[1], known)
        return message if hint.startswith("known") else f"{message.rstrip('.')}; {hint}"
    context = getattr(error, "ctx", None)
    if "ossible options" in message or "Did you mean" in message or context is None:
        return message
    return f"{message.rstrip('.')} (see '{context.command_path} --help')"


def show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    """Print a warning of pumice as one line on standard error, others as Python does."""
    if category.__name__ == "PumiceWarning":
        typer.echo(f"pumice: warning: {to_line(str(message))}", err=True)
    else:
        sys.stderr.write(warnings.formatwarning(message, category, *place[:2]))


def print_error(message: str) -> int:
    """Print `message` as one line on standard error and return exit code 2."""
    typer.echo(f"pumice: {to_line(message)}", err=True)
    return 2


def to_line(message: str) -> str:
    """Shorten a message to one line, without the control characters that a file may hold."""
    line = " ".join(message.split())
    if len(line) > MAX_LINE:
        line = f"{line[: MAX_LINE // 2]} ... {line[-MAX_LINE // 4 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
