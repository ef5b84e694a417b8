import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer
from command import pumice

from pumice.cli import app as root
from pumice.runtime.errors import PumiceError

VERBS = [
    "demo",
    "train",
    "eval",
    "check",
    "convert",
    "exit",
    "run",
    "conform",
    "export",
    "report",
    "doctor",
]


def test_without_a_verb_it_says_what_verbs_there_are() -> None:
    result = pumice()
    told = result.out.partition("Commands:")[2]
    assert result.status == 0 and all(f"  {verb} " in told for verb in VERBS)
    assert "..." not in told


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_speaks_json(verb: str) -> None:
    result = pumice(verb, "--help")
    assert result.status == 0 and "--json" in result.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("run", "absent.pumice"),
        ("run", "absent.pumice", "--engine", "magic"),
        ("run", "absent.pumice", "--samples", "0"),
        ("run", "absent.pumice", "--sample", "3"),
        ("conform", "absent.pumice", "--engines", "magic"),
        ("report", "absent.pumice", "--curve", "float"),
        ("export", "absent.pumice", "--to", "tape"),
        ("train", "absent.toml"),
        ("eval", "absent"),
        ("convert", "absent"),
        ("--nonsense",),
    ],
)
def test_wrong_use_is_one_line_and_status_2(arguments: tuple[str, ...]) -> None:
    result = pumice(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("pumice: ") and result.err.count("\n") == 1


def with_verb(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        raise error

    app = typer.Typer()
    app.command("one")(fail)
    app.command("two")(fail)
    monkeypatch.setattr(root, "app", app)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PumiceError("conv3: has\n two lines"), "pumice: conv3: has two lines\n"),
        (ModuleNotFoundError("No module", name="torch"), "pumice: needs torch, which is not"),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    with_verb(monkeypatch, error)
    result = pumice("one")
    assert result.status == 2 and result.err.startswith(said)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), ModuleNotFoundError("No module", name="pumice.nowhere")]
)
def test_a_fault_of_our_own_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with_verb(monkeypatch, error)
    with pytest.raises(type(error)):
        pumice("one")


def test_an_interrupt_is_quiet_and_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    with_verb(monkeypatch, KeyboardInterrupt())
    result = pumice("one")
    assert (result.status, result.out, result.err) == (130, "", "")


def test_the_version_is_that_of_the_package() -> None:
    assert pumice("--version").out == f"pumice {metadata.version('pumice')}\n"


def test_the_installed_command_ends_with_the_status_of_its_verb() -> None:
    command = [str(Path(sys.executable).with_name("pumice")), "run", "absent.pumice"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "pumice: absent.pumice: no such file\n"
