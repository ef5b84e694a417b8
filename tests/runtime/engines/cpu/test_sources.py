"""The sources of the core: warnings of compilers, other processors, sanitizers."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE = HERE.parents[3] / "runtime" / "core"
SOURCES = sorted(CORE.glob("core*.c"))
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
COMPILERS = ("gcc", "clang", "clang-14", "aarch64-linux-gnu-gcc")
CROSS, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"


def find(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")


def call(*command: object) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_core_compiles_without_warnings(compiler: str) -> None:
    find(compiler)
    call(compiler, *STRICT, "-fsyntax-only", *SOURCES)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_binding_compiles_without_warnings(compiler: str) -> None:
    find(compiler)
    headers = sysconfig.get_path("include")
    if not (Path(headers) / "Python.h").exists():
        pytest.skip("needs Python's headers")
    call(compiler, *STRICT, "-isystem", headers, "-fsyntax-only", *sorted(CORE.glob("module*.c")))


def test_arm_variants_give_the_reference(tmp_path: Path) -> None:
    """300 random networks in NEON, with and without dot products, whole, cut and in groups."""
    find(CROSS, EMULATOR)
    program, recorded = tmp_path / "replay", tmp_path / "runs"
    call(sys.executable, HERE / "record_runs.py", recorded, 300)
    options = ("-std=c11", "-O1", "-static", "-D_GNU_SOURCE", "-I", CORE)
    call(CROSS, *options, *SOURCES, HERE / "replay_runs.c", "-o", program, "-lpthread")
    assert call(EMULATOR, program, recorded, 2) == "300 runs: neon-dot neon scalar; 0 wrong\n"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(kind: str) -> None:
    find("gcc")
    chosen = f"PYTHON={sys.executable}", "CC=gcc"
    found = call("env", *chosen, "sh", HERE / "sanitize.sh", kind)
    assert found.startswith("300 runs: ") and found.endswith("; 0 wrong\n")
