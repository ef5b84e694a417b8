"""What the README shows is run, so that it stays true."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from pumice.cli.app import app
from pumice.runtime import Conv, Network, Population, Projection, write_network

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = "\n".join(blocks("sh")).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_the_python_example_runs_on_a_network_of_the_demos_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = 2 * np.random.default_rng(1).integers(-60, 60, (10, 2, 16, 16))
    network = Network(
        (Population("input", (2, 16, 16), "input"), Population("output", (10, 1, 1), "integrator")),
        (Projection("read", "input", "output", Conv(weights)),),
    )
    (tmp_path / "demo").mkdir()
    write_network(tmp_path / "demo" / "model.pumice", network)
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    assert re.search(
        r"class after each time step: \[\d( \d){7}\]\nspikes: ", capsys.readouterr().out
    )


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_names_a_verb_and_options_that_exist(words: list[str]) -> None:
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        return
    assert words[0] == "pumice"
    verb = get_command(app).commands[words[1]]  # type: ignore[attr-defined]
    verb.make_context(words[1], words[2:])


def test_the_pictures_are_there() -> None:
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000
