import shutil
import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest
from command import pumice

from pumice.cli import doctor
from pumice.cli.doctor import install_hint
from pumice.runtime.engines.registry import ENGINES


def test_the_versions_of_installed_packages_are_listed() -> None:
    result = pumice("doctor", "--json")
    versions = {p["name"]: p["version"] for p in result.document["packages"]}
    assert result.status == 0
    assert versions["numpy"] == metadata.version("numpy")
    assert versions["lava-nc"] == "0.10.0"
    assert result.document["machine"]["pumice"] == metadata.version("pumice")


def test_each_package_is_listed_once_under_its_extra() -> None:
    packages = doctor.list_packages()
    extras = {package.name: package.extra for package in packages}
    assert len(extras) == len(packages)
    assert (extras["numpy"], extras["torch"], extras["tonic"]) == ("", "train", "events")
    assert "pumice" not in extras


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make the packages `names` appear to be missing."""
    version = metadata.version

    def installed_version(name: str) -> str:
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", installed_version)


def test_missing_packages_of_extras_are_listed_with_their_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch, "torch", "lava-nc", "tonic", "triton")
    result = pumice("doctor")
    assert result.status == 0 and "missing: torch" in result.out
    pip = f"to install:\n{sys.executable} -m pip install"
    assert f"{pip} 'torch>=2.7'" in result.out
    assert f"{pip} --no-deps --ignore-requires-python lava-nc==0.10.0" in result.out
    commands = result.out.split("to install:")[1:]
    assert not any(name in part for part in commands for name in ("tonic", "triton"))


def test_a_missing_required_package_gives_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "safetensors")
    result = pumice("doctor", "--json")
    assert result.status == 1
    assert result.document["install_commands"] == [
        [sys.executable, "-m", "pip", "install", "safetensors>=0.4.5"]
    ]


@pytest.mark.parametrize(("outcome", "status"), [(0, 0), (1, 1)])
def test_fix_runs_the_install_commands_and_prints_them(
    monkeypatch: pytest.MonkeyPatch, outcome: int, status: int
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, outcome)

    monkeypatch.setattr(subprocess, "run", run)
    without(monkeypatch, "nir", "lava-dl")
    result = pumice("doctor", "--fix", "--json")
    assert result.status == status and " ".join(ran[0]) in result.err
    arguments = [command[4:] for command in ran]
    expected = [["nir>=1.0.7"], ["--no-deps", "--ignore-requires-python", "lava-dl==0.6.0"]]
    assert arguments == (expected if outcome == 0 else expected[:1])


def test_fix_without_missing_packages_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert pumice("doctor", "--fix").status == 0


def test_no_listed_package_is_imported() -> None:
    code = (
        "import sys\nfrom pumice.cli.app import run_command\nrun_command(['doctor', '--json'])\n"
        "heavy = {'torch', 'lava', 'numba', 'onnxruntime', 'lightning', 'sklearn', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("lightning.pytorch", "the extra 'train' provides it: pip install 'pumice[train]'"),
        ("sklearn", "the extra 'train' provides it: pip install 'pumice[train]'"),
        ("tonic", "the extra 'events' provides it: pip install 'pumice[events]'"),
        ("lava.magma", "to install it: pumice doctor --fix"),
        ("numpy", "to install it: pumice doctor --fix"),
    ],
)
def test_the_hint_for_a_missing_module_names_its_extra(module: str, hint: str) -> None:
    assert install_hint(module) == hint


def test_missing_tools_of_engines_are_named_with_their_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    result = pumice("doctor")
    assert result.status == 0
    assert "missing: arm-none-eabi-gcc, for the engine cortex-m" in result.out
    assert "to install: apt-get install gcc-riscv64-unknown-elf qemu-system-misc" in result.out
    tools = pumice("doctor", "--json").document["tools"]
    listed = {(tool["engine"], tool["name"], tool["install"]) for tool in tools}
    assert listed == {(e.name, tool, e.install) for e in ENGINES.values() for tool in e.tools}
    assert not any(tool["path"] for tool in tools)
