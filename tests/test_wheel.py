"""The wheel holds every file of the product folders and nothing else."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("cli", "convert", "deploy", "report", "runtime", "train")


def list_git_files() -> list[str]:
    """Paths below the root of the files that are committed or would be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git cannot list the files: {error}")
    return [name for name in run.stdout.split("\0") if name and os.path.lexists(ROOT / name)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the project: a stale build/ in the checkout would leak into the wheel."""
    copy = tmp_path_factory.mktemp("source")
    for name in list_git_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the clean copy, without the network."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_product_folders_and_nothing_else(source: Path, wheel: Path) -> None:
    expected = {"pumice/__init__.py", "pumice/__main__.py", "pumice/py.typed"} | {
        f"pumice/{path.relative_to(source).as_posix()}"
        for folder in FOLDERS
        for path in (source / folder).rglob("*")
        if path.is_file()
    }
    expected |= {"pumice/runtime/engines/cpu/_core.abi3.so"}  # is built
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == expected


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_in_the_wheel_is_a_package(wheel: Path, folder: str) -> None:
    assert f"pumice/{folder}/__init__.py" in ZipFile(wheel).namelist()


def test_the_wheel_installs_the_command(wheel: Path) -> None:
    (listed,) = (name for name in ZipFile(wheel).namelist() if name.endswith("entry_points.txt"))
    entries = ConfigParser()
    entries.read_string(ZipFile(wheel).read(listed).decode())
    assert dict(entries["console_scripts"]) == {"pumice": "pumice.cli:main"}
