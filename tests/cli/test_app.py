import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import get_args

import pytest
import typer
from command import pumice

from pumice.cli import app as root
from pumice.cli import evaluate, export, options
from pumice.runtime.engines.registry import ENGINES
from pumice.runtime.errors import PumiceError
from pumice.runtime.exporters import EXPORTERS
from pumice.train.evaluation import protocols

VERBS = [
    "demo",
    "train",
    "sweep",
    "pretrain",
    "train-hrsnn",
    "evaluate",
    "check",
    "convert",
    "calibrate-exit",
    "run",
    "verify",
    "export",
    "profile",
    "report",
    "recipes",
    "datasets",
    "shard",
    "models",
    "targets",
    "doctor",
]


DIALECT = re.compile(r"\b(told|unlike|beside|mend|said|onto|whole|so many|how often)\b")


def test_without_a_verb_all_verbs_are_listed() -> None:
    result = pumice()
    listed = result.out.partition("Commands:")[2]
    assert result.status == 0 and all(f"  {verb} " in listed for verb in VERBS)
    assert "..." not in listed and "  eval " not in listed


def test_the_choices_of_options_are_those_of_the_library() -> None:
    assert get_args(options.EngineName) == tuple(ENGINES)
    assert evaluate.Protocol == protocols.Protocol
    assert get_args(export.Format) == tuple(EXPORTERS)


def test_eval_is_an_alias_of_evaluate() -> None:
    assert pumice("eval", "--help").status == 0


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_a_json_option(verb: str) -> None:
    result = pumice(verb, "--help")
    assert result.status == 0 and "--json" in result.out
    assert not DIALECT.search(result.out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("run", "absent.pumice"),
        ("run", "absent.pumice", "--engine", "magic"),
        ("run", "absent.pumice", "--samples", "0"),
        ("run", "absent.pumice", "--sample", "3"),
        ("verify", "absent.pumice", "--engines", "magic"),
        ("report", "absent.pumice", "--curve", "float"),
        ("export", "absent.pumice", "--to", "tape"),
        ("train", "absent.toml"),
        ("evaluate", "absent"),
        ("convert", "absent"),
        ("--nonsense",),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(arguments: tuple[str, ...]) -> None:
    result = pumice(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("pumice: ") and result.err.count("\n") == 1


def replace_verbs(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        raise error

    app = typer.Typer()
    app.command("one")(fail)
    app.command("two")(fail)
    monkeypatch.setattr(root, "app", app)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PumiceError("conv3: has\n two lines"), "pumice: conv3: has two lines\n"),
        (ModuleNotFoundError("No module", name="torch"), "pumice: needs torch, which is not"),
    ],
)
def test_an_error_of_the_user_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    replace_verbs(monkeypatch, error)
    result = pumice("one")
    assert result.status == 2 and result.err.startswith(message)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), ModuleNotFoundError("No module", name="pumice.nowhere")]
)
def test_an_internal_error_is_not_caught(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    replace_verbs(monkeypatch, error)
    with pytest.raises(type(error)):
        pumice("one")


def test_an_interrupt_prints_nothing_and_gives_exit_code_130(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_verbs(monkeypatch, KeyboardInterrupt())
    result = pumice("one")
    assert (result.status, result.out, result.err) == (130, "", "")


def test_the_version_is_printed() -> None:
    assert pumice("--version").out == f"pumice {metadata.version('pumice')}\n"


def test_the_installed_command_returns_the_exit_code_of_its_verb() -> None:
    command = [str(Path(sys.executable).with_name("pumice")), "run", "absent.pumice"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == "pumice: absent.pumice: no such file\n"
