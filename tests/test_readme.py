"""The commands, the Python example and the links of the README are valid."""

import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from pumice.cli.app import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BUILT = {"_build", "generated"}  # folders of the built site
PAGES = [path for path in (ROOT / "docs").rglob("*.md") if not BUILT & set(path.parts)]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(PAGES)]


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = "\n".join(code_blocks("sh")).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def notebook_example() -> str:
    """The example that tests/test_api.py runs."""
    module = ast.parse((ROOT / "tests" / "test_api.py").read_text(encoding="utf-8"))
    assigned = [node for node in module.body if isinstance(node, ast.Assign)]
    (example,) = [node for node in assigned if ast.unparse(node.targets[0]) == "NOTEBOOK"]
    text = ast.literal_eval(example.value)
    assert isinstance(text, str)
    return text


def test_the_python_example_is_the_one_that_is_tested() -> None:
    (example,) = code_blocks("python")
    assert ast.dump(ast.parse(example)) == ast.dump(ast.parse(notebook_example()))


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_a_verb_and_options_that_exist(words: list[str]) -> None:
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        return
    if words[0] != "pumice":
        check_installation(words)
        return
    verb = get_command(app).commands[words[1]]  # type: ignore[attr-defined]
    verb.make_context(words[1], words[2:])


def check_installation(words: list[str]) -> None:
    """A command of the installation: its extras and files exist."""
    assert words[:2] in (["git", "clone"], ["python3", "-m"], ["pip", "install"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words[2:] if words[0] == "pip" else []:
        if extras := re.fullmatch(r"\.\[([\w,]+)\]", word):
            assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
        else:
            assert word in ("-c", ".") or (ROOT / word).is_file(), word


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_local_links_exist(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        if not BUILT & set(Path(link).parts):
            assert (document.parent / link).exists(), link


def test_files_named_in_the_documents_exist() -> None:
    """Paths in backquotes such as `runtime/arithmetic.py` or `train/data/`."""
    for document in DOCUMENTS:
        folders = "train|convert|deploy|runtime|report|cli|bench|tests|docs"
        for path in re.findall(rf"`((?:{folders})/[\w./]*)`", document.read_text(encoding="utf-8")):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


@pytest.mark.parametrize("word", ["told", "unlike", "beside", "mend"])
def test_the_readme_is_in_plain_words(word: str) -> None:
    assert not re.search(rf"\b{word}", README)
