"""`pumice doctor`: what is installed, what is missing, and which command mends it."""

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from .options import Json

# They declare Python 3.10 only, so no extra of pumice can name them.
LAVA = {
    "lava-nc": ("--no-deps", "--ignore-requires-python", "lava-nc==0.10.0"),
    "lava-dl": ("--no-deps", "--ignore-requires-python", "lava-dl==0.6.0"),
}
PACKAGE_OF_MODULE = {
    "lava": "lava-nc",
    "sklearn": "scikit-learn",
}  # where they differ from the package
NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]+")
EXTRA_PATTERN = re.compile(r"""extra == ["']([a-z]+)["']""")


@dataclass(frozen=True)
class Package:
    """A package that pumice or one of its extras needs; `version` is empty where it is absent.

    `extra` is empty for what every install needs; `install` are pip's arguments that bring it.
    """

    name: str
    extra: str
    version: str
    install: tuple[str, ...]


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Install what is missing, with pip.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is installed and what is missing, and mend it.

    Ends with status 1 where something that every install needs is missing.
    """
    from .output import print_facts, print_json

    found = list_packages()
    if fix:
        for command in install_commands(found):
            typer.echo(" ".join(command), err=True)
            if subprocess.run(command, stdout=sys.stderr).returncode:
                raise typer.Exit(1)
        found = list_packages()
    if as_json:
        print_json(
            {
                "machine": machine_info(),
                "packages": [asdict(p) for p in found],
                "mend": install_commands(found),
            }
        )
    else:
        print_facts(machine_info())
        _print_packages(found)
    if any(not package.version and not package.extra for package in found):
        raise typer.Exit(1)


def list_packages() -> list[Package]:
    """Return every package that pumice's own metadata names, and Lava; imports none of them."""
    from importlib import metadata

    found: dict[str, Package] = {}
    for line in metadata.requires("pumice") or []:
        wanted, _, marker = line.partition(";")
        named, extra = NAME_PATTERN.match(wanted), EXTRA_PATTERN.search(marker)
        if named and named[0] != "pumice" and named[0] not in found:
            name = named[0]
            version = _version(name)
            found[name] = Package(name, extra[1] if extra else "", version, (wanted.strip(),))
    for name, install in LAVA.items():
        found[name] = Package(name, "lava", _version(name), install)
    return list(found.values())


def install_hint(module: str) -> str:
    """Return what to do about a module that is not installed: the extra that brings it, if any."""
    root = module.partition(".")[0]
    wanted = PACKAGE_OF_MODULE.get(root, root.replace("_", "-"))
    extra = next((p.extra for p in list_packages() if p.name == wanted and wanted not in LAVA), "")
    if extra:
        return f"the extra {extra!r} brings it: pip install 'pumice[{extra}]'"
    return "mend it: pumice doctor --fix"


def install_commands(found: list[Package]) -> list[list[str]]:
    """Return the pip commands that install what is missing, the GPL-licensed `events` left out."""
    pip = [sys.executable, "-m", "pip", "install"]
    absent = [p for p in found if not p.version and p.extra != "events"]
    plain = [p.install[0] for p in absent if p.name not in LAVA]
    first = [[*pip, *plain]] if plain else []
    return first + [[*pip, *p.install] for p in absent if p.name in LAVA]


def machine_info() -> dict[str, str]:
    """Return what the machine offers: Python, processors, a compiler, free disk."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "pumice": _version("pumice"),
        "python": f"{platform.python_version()} at {sys.executable}",
        "machine": f"{platform.system()} {platform.machine()}, {usable} processors",
        "compiler": compiler or "none; only SLAYER's own kernels need one",
        "free disk": f"{shutil.disk_usage(Path.cwd()).free / 1e9:.1f} GB",
    }


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _print_packages(found: list[Package]) -> None:
    for extra in dict.fromkeys(package.extra for package in found):
        members = [package for package in found if package.extra == extra]
        typer.echo(
            f"\n{extra or 'needed'}: "
            + ", ".join(f"{p.name} {p.version}" for p in members if p.version)
        )
        absent = [p.name for p in members if not p.version]
        if absent:
            typer.echo(f"  missing: {', '.join(absent)}")
    for command in install_commands(found):
        typer.echo(f"\nto mend: {' '.join(command)}")
