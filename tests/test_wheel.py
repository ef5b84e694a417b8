"""The wheel holds every file of the five folders and nothing else."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("cli", "convert", "deploy", "runtime", "train")


def known_to_git() -> list[str]:
    """Paths below the root of the files that are committed or would be."""
    ask = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        told = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the list of files comes from git, which says: {error}")
    return [name for name in told.split("\0") if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the project: a stale build/ beside the sources would leak into the wheel."""
    copy = tmp_path_factory.mktemp("source")
    for name in known_to_git():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
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


def test_the_wheel_holds_the_five_folders_and_nothing_else(source: Path, wheel: Path) -> None:
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    wanted = {f"pumice/{file}" for file in files if file.split("/")[0] in FOLDERS}
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == wanted


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_in_the_wheel_is_a_typed_package(wheel: Path, folder: str) -> None:
    packed = ZipFile(wheel).namelist()
    assert f"pumice/{folder}/__init__.py" in packed
    assert f"pumice/{folder}/py.typed" in packed


def test_the_wheel_installs_the_command(wheel: Path) -> None:
    (listed,) = (name for name in ZipFile(wheel).namelist() if name.endswith("entry_points.txt"))
    entries = ConfigParser()
    entries.read_string(ZipFile(wheel).read(listed).decode())
    assert dict(entries["console_scripts"]) == {"pumice": "pumice.cli:main"}
