"""`pumice doctor`: list installed and missing packages, and install what is missing."""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from .options import Json

# They declare Python 3.10 only, so no extra of pumice can name them.
LAVA = {
    "lava-nc": ("--no-deps", "--ignore-requires-python", "lava-nc==0.10.0"),
    "lava-dl": ("--no-deps", "--ignore-requires-python", "lava-dl==0.6.0"),
}
PACKAGE_OF_MODULE = {"lava": "lava-nc", "sklearn": "scikit-learn"}  # where the names differ
# Commands and Debian packages by engine; the registry of engines has them too, but imports numpy.
TOOLS = {
    "c": (("gcc",), "gcc"),
    "cortex-m": (("arm-none-eabi-gcc", "qemu-system-arm"), "gcc-arm-none-eabi qemu-system-arm"),
    "riscv": (
        ("riscv64-unknown-elf-gcc", "qemu-system-riscv32"),
        "gcc-riscv64-unknown-elf qemu-system-misc",
    ),
}
# Installed on request alone: `events` is licensed under the GPL, `gpu` is of use with a GPU only.
ON_REQUEST = ("events", "gpu")
NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]+")
EXTRA_PATTERN = re.compile(r"""extra == ["']([a-z]+)["']""")


@dataclass(frozen=True)
class Package:
    """A dependency of pumice or of one of its extras.

    Attributes:
        name: Name on PyPI.
        extra: The extra that requires it; empty for a dependency of every installation.
        version: The installed version; empty if it is not installed.
        install: The arguments of pip that install it.
    """

    name: str
    extra: str
    version: str
    install: tuple[str, ...]


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Install missing packages with pip.")] = False,
    as_json: Json = False,
) -> None:
    """List installed packages, and install missing ones.

    Exit code 1 if a package that every installation requires is missing.
    """
    from .output import print_facts, print_json, print_progress

    tools = list_tools()
    packages = list_packages()
    if fix:
        for command in install_commands(packages):
            print_progress(" ".join(command))
            if subprocess.run(command, stdout=sys.stderr).returncode:
                raise typer.Exit(1)
        packages = list_packages()
    if as_json:
        document = {
            "machine": machine_info(),
            "packages": [asdict(p) for p in packages],
            "tools": [asdict(tool) for tool in tools],
        }
        print_json({**document, "install_commands": install_commands(packages)})
    else:
        print_facts(machine_info())
        _print_packages(packages)
        _print_tools(tools)
    if any(not package.version and not package.extra for package in packages):
        raise typer.Exit(1)


def list_packages() -> list[Package]:
    """List every package in the metadata of pumice, and Lava, without importing any."""
    from importlib import metadata

    packages: dict[str, Package] = {}
    for line in metadata.requires("pumice") or []:
        requirement, _, marker = line.partition(";")
        name, extra = NAME_PATTERN.match(requirement), EXTRA_PATTERN.search(marker)
        if name and name[0] != "pumice" and name[0] not in packages:
            packages[name[0]] = Package(
                name[0], extra[1] if extra else "", _version(name[0]), (requirement.strip(),)
            )
    for lava, install in LAVA.items():
        packages[lava] = Package(lava, "lava", _version(lava), install)
    return list(packages.values())


@dataclass(frozen=True)
class Tool:
    """A command that an engine needs.

    Attributes:
        name: Name of the command.
        engine: Name of the engine.
        path: Where it is installed; empty if it is not.
        install: Command that installs it.
    """

    name: str
    engine: str
    path: str
    install: str


def list_tools() -> list[Tool]:
    """List the compilers and emulators that engines need."""
    return [
        Tool(name, engine, shutil.which(name) or "", f"apt-get install {packages}")
        for engine, (names, packages) in TOOLS.items()
        for name in names
    ]


def install_hint(module: str) -> str:
    """Name the command that installs a missing module: its extra, or `pumice doctor --fix`."""
    root = module.partition(".")[0]
    package = PACKAGE_OF_MODULE.get(root, root.replace("_", "-"))
    extra = next(
        (p.extra for p in list_packages() if p.name == package and package not in LAVA), ""
    )
    if extra:
        return f"the extra {extra!r} provides it: pip install 'pumice[{extra}]'"
    return "to install it: pumice doctor --fix"


def check_training_packages() -> None:
    """Check that what trains is installed, without importing it; before data are read or made.

    Raises:
        ModuleNotFoundError: A package is not installed.
    """
    for name in ("torch", "lightning"):
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def install_commands(packages: list[Package]) -> list[list[str]]:
    """List the pip commands that install missing packages, except those of `ON_REQUEST`."""
    pip = [sys.executable, "-m", "pip", "install"]
    missing = [p for p in packages if not p.version and p.extra not in ON_REQUEST]
    plain = [p.install[0] for p in missing if p.name not in LAVA]
    first = [[*pip, *plain]] if plain else []
    return first + [[*pip, *p.install] for p in missing if p.name in LAVA]


def machine_info() -> dict[str, str]:
    """Describe the machine: versions, processors, compiler, free disk space."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "pumice": _version("pumice"),
        "python": f"{platform.python_version()} at {sys.executable}",
        "machine": f"{platform.system()} {platform.machine()}, {cores} processors",
        "compiler": compiler or "none; required only by SLAYER's own kernels",
        "free disk": f"{shutil.disk_usage(Path.cwd()).free / 1e9:.1f} GB",
    }


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _print_packages(packages: list[Package]) -> None:
    for extra in dict.fromkeys(package.extra for package in packages):
        members = [package for package in packages if package.extra == extra]
        installed = ", ".join(f"{p.name} {p.version}" for p in members if p.version)
        typer.echo(f"\n{extra or 'required'}: {installed}")
        missing = [p.name for p in members if not p.version]
        if missing:
            typer.echo(f"  missing: {', '.join(missing)}")
    for command in install_commands(packages):
        typer.echo(f"\nto install:\n{shlex.join(command)}")


def _print_tools(tools: list[Tool]) -> None:
    typer.echo(f"\ntools: {', '.join(tool.name for tool in tools if tool.path) or 'none'}")
    missing = [tool for tool in tools if not tool.path]
    for tool in missing:
        typer.echo(f"  missing: {tool.name}, for the engine {tool.engine}")
    for command in dict.fromkeys(tool.install for tool in missing):
        typer.echo(f"\nto install: {command}")
