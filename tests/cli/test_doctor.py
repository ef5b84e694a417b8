import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest
from command import pumice

from pumice.cli import doctor
from pumice.cli.doctor import install_hint


def test_it_tells_the_versions_of_what_is_installed() -> None:
    answer = pumice("doctor", "--json")
    versions = {p["name"]: p["version"] for p in answer.document["packages"]}
    assert answer.status == 0
    assert versions["numpy"] == metadata.version("numpy")
    assert versions["lava-nc"] == "0.10.0"
    assert answer.document["machine"]["pumice"] == metadata.version("pumice")


def test_each_package_stands_once_under_what_needs_it() -> None:
    told = doctor.list_packages()
    extras = {package.name: package.extra for package in told}
    assert len(extras) == len(told)
    assert (extras["numpy"], extras["torch"], extras["tonic"]) == ("", "train", "events")
    assert "pumice" not in extras


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let `names` be missing."""
    version = metadata.version

    def told(name: str) -> str:
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", told)


def test_what_an_extra_lacks_is_named_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch, "torch", "lava-nc", "tonic")
    answer = pumice("doctor")
    assert answer.status == 0 and "missing: torch" in answer.out
    pip = f"to mend: {sys.executable} -m pip install"
    assert f"{pip} torch>=2.6" in answer.out
    assert f"{pip} --no-deps --ignore-requires-python lava-nc==0.10.0" in answer.out
    assert not any("tonic" in part for part in answer.out.split("to mend")[1:])


def test_a_need_that_is_missing_ends_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "numba")
    answer = pumice("doctor", "--json")
    assert answer.status == 1
    assert answer.document["mend"] == [[sys.executable, "-m", "pip", "install", "numba"]]


@pytest.mark.parametrize(("outcome", "status"), [(0, 0), (1, 1)])
def test_fix_runs_the_commands_and_says_so(
    monkeypatch: pytest.MonkeyPatch, outcome: int, status: int
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, outcome)

    monkeypatch.setattr(subprocess, "run", run)
    without(monkeypatch, "nir", "lava-dl")
    answer = pumice("doctor", "--fix", "--json")
    assert answer.status == status and " ".join(ran[0]) in answer.err
    mended = [command[4:] for command in ran]
    expected = [["nir"], ["--no-deps", "--ignore-requires-python", "lava-dl==0.6.0"]]
    assert mended == (expected if outcome == 0 else expected[:1])


def test_a_fix_with_nothing_to_mend_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert pumice("doctor", "--fix").status == 0


def test_it_imports_none_of_what_it_looks_for() -> None:
    code = (
        "import sys\nfrom pumice.cli.app import answered\nanswered(['doctor', '--json'])\n"
        "heavy = {'torch', 'lava', 'numba', 'onnxruntime', 'lightning', 'sklearn', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("lightning.pytorch", "the extra 'train' brings it: pip install 'pumice[train]'"),
        ("sklearn", "the extra 'train' brings it: pip install 'pumice[train]'"),
        ("tonic", "the extra 'events' brings it: pip install 'pumice[events]'"),
        ("lava.magma", "mend it: pumice doctor --fix"),
        ("numpy", "mend it: pumice doctor --fix"),
    ],
)
def test_a_missing_module_is_told_with_the_extra_that_brings_it(module: str, told: str) -> None:
    assert install_hint(module) == told
