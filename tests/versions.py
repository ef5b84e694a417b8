"""Run tests with the lowest versions that pyproject.toml permits, or with the newest there are.

    python tests/versions.py lowest tests/runtime tests/convert
    python tests/versions.py newest

Builds `.venv-lowest` or `.venv-newest` beside the sources, without the versions of
`constraints.txt`; arguments after the first are pytest's. Warnings of dependencies are no errors
here. Needs python3 >= 3.11 with venv and pip, and room for 7 GB: PyPI's torch comes with the CUDA
libraries, whose 3 GB take most of the time of an installation.
"""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EXTRAS = ("convert", "onnx", "plot", "report", "streams", "train")
TOOLS = ("pytest", "hypothesis", "setuptools>=77", "loguru", "snntorch")


def requirements(project: dict[str, Any]) -> list[str]:
    """All dependencies of pumice and of its extras, as pyproject.toml states them."""
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(each for name in EXTRAS for each in extras[name])]


def to_lowest(requirement: str) -> str:
    """Pin a requirement to its lower bound, "numpy>=1.26,<2.4" to "numpy==1.26"."""
    found = re.fullmatch(r"([\w.-]+)>=([\w.]+)(,.*)?", requirement)
    if found is None:
        raise ValueError(f"{requirement}: has no lower bound")
    return f"{found[1]}=={found[2]}"


def main() -> int:
    """Build the environment and run pytest in it."""
    which, *arguments = sys.argv[1:] or ["lowest"]
    if which not in ("lowest", "newest"):
        raise SystemExit(__doc__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(dict.fromkeys(requirements(project)))
    if which == "lowest":
        wanted = list(map(to_lowest, wanted))
    folder = ROOT / f".venv-{which}"
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    upgrade = ["--upgrade"] if which == "newest" else []
    subprocess.run([python, "-m", "pip", "install", "-qq", *upgrade, *wanted, *TOOLS], check=True)
    editable = ["--no-deps", "--no-build-isolation", "-e", "."]
    subprocess.run([python, "-m", "pip", "install", "-qq", *editable], check=True, cwd=ROOT)
    options = ["-q", "-m", "not lava and not slow", "-o", "filterwarnings=ignore"]
    return subprocess.run([python, "-m", "pytest", *options, *arguments], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
