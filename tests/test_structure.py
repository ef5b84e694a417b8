"""Architecture rules: import directions, homes of heavy libraries, limits on size."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# cli -> pumice -> train -> convert -> runtime <- deploy <- report
MAY_IMPORT: dict[str, set[str]] = {
    "runtime": set(),
    "convert": {"runtime"},
    "deploy": {"runtime"},
    "report": {"deploy", "runtime"},
    "train": {"convert", "runtime"},
    "cli": {"report", "train", "convert", "deploy", "runtime"},
}
HOMES: dict[str, tuple[str, ...]] = {
    "jinja2": ("report/",),
    "lava": ("deploy/lava/", "train/models/slayer.py"),
    "matplotlib": ("runtime/figures.py",),
    "onnxruntime": ("runtime/engines/onnx.py",),
    "tonic": ("train/data/",),
}
HEAVY = {
    "jinja2",
    "lava",
    "lightning",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pytorch_lightning",
    "sklearn",
    "torch",
}
MODULES = sorted(file for folder in MAY_IMPORT for file in (ROOT / folder).rglob("*.py"))
FOLDERS = sorted({file.parent for file in MODULES})
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
P90_FUNCTION_LINES = 40


def place(file: Path) -> str:
    """Where `file` stands below the root, with forward slashes."""
    return file.relative_to(ROOT).as_posix()


def imported(source: str, place: str) -> set[str]:
    """Absolute dotted names of all that `source`, standing at `place`, imports anywhere in it."""
    package = ["pumice", *Path(place).parent.parts]
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            start = [*start, node.module] if node.module else start
            names |= {".".join([*start, alias.name]) for alias in node.names}
    return names


def against_the_arrows(source: str, place: str) -> set[str]:
    """The imports of `source` that point away from the runtime or bypass the name `pumice`."""
    folder = Path(place).parts[0]
    allowed = {f"pumice.{name}" for name in {folder} | MAY_IMPORT[folder]}
    return {
        name
        for name in imported(source, place)
        if name.split(".")[0] in MAY_IMPORT
        or name.split(".")[0] == "pumice"
        and ".".join(name.split(".")[:2]) not in allowed
    }


def libraries(file: Path) -> set[str]:
    """Top-level names of what `file` imports."""
    names = imported(file.read_text(encoding="utf-8"), place(file))
    return {name.split(".")[0] for name in names}


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function in `file`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{place(file)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def loaded_after(code: str) -> set[str]:
    """Top-level names of the modules a fresh interpreter holds after `code`."""
    code = f"{code}\nimport sys\nprint('\\n', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("file", MODULES, ids=place)
def test_imports_point_only_towards_the_runtime(file: Path) -> None:
    assert not against_the_arrows(file.read_text(encoding="utf-8"), place(file))


@pytest.mark.parametrize(
    ("source", "place", "stray"),
    [
        ("from ....deploy import Target", "runtime/engines/cpu/engine.py", "pumice.deploy.Target"),
        ("from ..train import fit", "convert/compatibility.py", "pumice.train.fit"),
        ("from pumice import deploy", "convert/compatibility.py", "pumice.deploy"),
        ("import train", "cli/app.py", "train"),
        ("from .. import convert", "deploy/profile.py", "pumice.convert"),
        ("def f():\n    import pumice.cli.app", "train/fit.py", "pumice.cli.app"),
        ("import pumice", "train/fit.py", "pumice"),
    ],
)
def test_every_form_of_import_is_held_to_the_arrows(source: str, place: str, stray: str) -> None:
    assert against_the_arrows(source, place) == {stray}


def test_imports_along_the_arrows_pass() -> None:
    source = "import numpy\nfrom . import data\nfrom .data import a\nfrom ..runtime import Network"
    assert not against_the_arrows(source, "train/fit.py")


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_is_imported_in_its_home_alone(library: str) -> None:
    users = [place(file) for file in MODULES if library in libraries(file)]
    assert [user for user in users if not user.startswith(HOMES[library])] == []


def test_the_runtime_imports_only_what_a_bare_install_brings() -> None:
    core = {re.split(r"\W", need, maxsplit=1)[0] for need in PROJECT["project"]["dependencies"]}
    allowed = core | set(sys.stdlib_module_names) | {"pumice"}
    runtime = [file for file in MODULES if place(file).startswith("runtime/")]
    strays = {place(file): libraries(file) - allowed for file in runtime}
    assert not {file: names for file, names in strays.items() if names}


def test_importing_the_runtime_loads_nothing_heavy() -> None:
    assert not loaded_after("import pumice.runtime") & HEAVY


def test_the_help_page_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom pumice.cli import main\nsys.argv = ['pumice', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0"
    )
    assert not loaded_after(code) & HEAVY


@pytest.mark.parametrize("folder", FOLDERS, ids=place)
def test_every_folder_is_a_package(folder: Path) -> None:
    assert (folder / "__init__.py").is_file()


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_the_package_links_to_the_folders(folder: str) -> None:
    link = ROOT / "pumice" / folder
    assert link.is_symlink() and link.resolve() == ROOT / folder


@pytest.mark.parametrize("folder", FOLDERS, ids=place)
def test_an_init_holds_one_docstring_and_public_names_that_are_real(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    docstring, *statements = tree.body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
    package = importlib.import_module(".".join(["pumice", *folder.relative_to(ROOT).parts]))
    lazy = any(isinstance(each, ast.FunctionDef) for each in statements)
    if lazy:  # names imported on first use: they stand under TYPE_CHECKING and in EXPORTS
        (block,) = (each for each in statements if isinstance(each, ast.If))
        statements = block.body
        names = {alias.name for each in statements for alias in getattr(each, "names", [])}
        assert names == set(package.EXPORTS)
    for node in statements:
        assert isinstance(node, ast.ImportFrom) and node.level in (1, 2), ast.unparse(node)
        for alias in node.names:
            assert alias.asname == alias.name and not alias.name.startswith("_"), alias.name
            assert hasattr(package, alias.name)


def test_files_have_at_most_400_lines() -> None:
    lines = {place(file): len(file.read_text(encoding="utf-8").splitlines()) for file in MODULES}
    assert {file: n for file, n in lines.items() if n > MAX_FILE_LINES} == {}


def test_functions_fit_a_screen() -> None:
    lines = dict(length for file in MODULES for length in functions(file))
    assert {name: n for name, n in lines.items() if n > MAX_FUNCTION_LINES} == {}
    assert sorted(lines.values())[int(0.9 * len(lines))] <= P90_FUNCTION_LINES
