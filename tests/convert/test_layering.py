"""Inside `convert`, imports point one way: importers -> formats -> quantize, passes below none."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "convert"
LEVELS = {
    "diagnostics": 0,
    "quantize": 1,
    "passes": 1,
    "formats": 2,
    "importers": 3,
    "pipeline": 4,
    "compatibility": 5,
}
ALONE = {"quantize": {"diagnostics"}, "passes": set(), "pipeline": {"quantize", "passes"}}


def room(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    """The rooms of `convert` that a file imports from, its own left out."""
    package = file.relative_to(ROOT).parent.parts
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and 0 < node.level <= len(package) + 1:
            start = package[: len(package) + 1 - node.level]
            module = (*start, *(node.module or node.names[0].name).split("."))
            rooms.add(module[0])
    return rooms - {room(file)}


FILES = [file for file in sorted(ROOT.rglob("*.py")) if file.parent != ROOT or file.stem in LEVELS]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_room_imports_only_from_lower_ones(file: Path) -> None:
    name = room(file)
    rooms = imported_rooms(file)
    assert all(LEVELS[other] < LEVELS[name] for other in rooms), rooms
    assert rooms <= ALONE.get(name, rooms)
