"""The documentation site: it builds strictly, and its code, commands and tables are valid."""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

import pumice
from pumice.cli.app import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "generated"} & set(path.parts))
BLOCK = re.compile(r"^```(?:\{code-cell\}|python|sh|toml)[^\n]*\n.*?^```", re.M | re.S)


def blocks(page: Path, kind: str) -> list[str]:
    """Fenced blocks of a kind: "{code-cell}", "python", "sh" or "toml"; tags are left out."""
    found = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        head, _, body = block.removesuffix("```").partition("\n")
        if head.removeprefix("```") == kind:
            found.append(re.sub(r"\A(:\w+:.*\n)+", "", body))
    return found


def python_blocks(page: Path) -> list[str]:
    cells = [cell for cell in blocks(page, "{code-cell}") if not cell.startswith("%%")]
    return cells + blocks(page, "python")


def commands() -> list[list[str]]:
    texts = [text for page in PAGES for text in blocks(page, "sh")]
    for page in PAGES:
        cells = [cell for cell in blocks(page, "{code-cell}") if cell.startswith("%%bash\n")]
        texts += [cell.removeprefix("%%bash\n") for cell in cells]
    lines = "\n".join(texts).splitlines()
    listed = [words for line in lines if (words := shlex.split(line, comments=True))]
    return [words[words.index("pumice") if "pumice" in words else 0 :] for words in listed]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """All pages but the outputs of their cells, which `make docs` executes."""
    pytest.importorskip("sphinx", reason="the dependency group docs is not installed")
    options = ("-W", "-n", "-q", "-d", tmp_path / "doctrees", "-b", "html")
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, tmp_path / "html"],
        env={**os.environ, "PUMICE_DOCS_EXECUTE": "off"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    api = (tmp_path / "html" / "reference" / "generated" / "api-pumice.html").read_text()
    for name, location in pumice.EXPORTS.items():
        assert name in api, location


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_python_blocks_use_names_that_exist(page: Path) -> None:
    for code in python_blocks(page):
        for name in re.findall(r"\bpm\.(\w+)", ast.unparse(ast.parse(code))):
            assert name in dir(pumice), name
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pumice"):
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}: {alias.name}"


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_have_verbs_and_options_that_exist(words: list[str]) -> None:
    assert words[0] == "pumice"
    verb = get_command(app).commands[words[1]]  # type: ignore[attr-defined]
    verb.make_context(words[1], words[2:])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_toml_blocks_are_tables_of_a_recipe_or_plasticity_rules(page: Path) -> None:
    from pumice.runtime.plasticity_file import RuleFile
    from pumice.train.recipes.recipe import Recipe

    for text in blocks(page, "toml"):
        values = tomllib.loads(text)
        if "rules" in values:
            RuleFile.model_validate(values)
        else:
            Recipe.model_validate({"data": {}} | values)
