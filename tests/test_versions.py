"""Every dependency has a lower bound, at or below the version that pumice is built with."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = dict(
    line.lower().split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if "==" in line
)
STATED = [
    *PROJECT["dependencies"],
    *(each for extra in PROJECT["optional-dependencies"].values() for each in extra),
]


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)][:3]


@pytest.mark.parametrize("requirement", sorted({r for r in STATED if not r.startswith("pumice")}))
def test_a_dependency_has_a_lower_bound_below_the_pinned_version(requirement: str) -> None:
    found = re.fullmatch(r"([\w-]+)>=([\d.]+)(,<[\d.]+)?(; sys_platform .*)?", requirement)
    assert found, f"{requirement}: needs the form name>=version or name>=version; marker"
    pinned = CONSTRAINTS.get(found[1].lower())
    assert pinned is None or numbers(found[2]) <= numbers(pinned)
