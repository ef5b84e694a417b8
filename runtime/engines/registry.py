"""Engine registry: the engines by name, imported on first use.

An entry is a string "module:function", since the runtime must not import what lies above it
(`pumice.convert`, `pumice.deploy`).
"""

import importlib
import inspect
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import util
from typing import Any, Protocol

from ..errors import EngineError, MissingPackage
from ..events import Events
from ..lava_compat import INSTALL_COMMAND
from ..network import Network
from ..suggest import suggest
from ..trace import Record, Trace


class RunFunction(Protocol):
    """Signature of an engine's entry point."""

    def __call__(self, network: Network, events: Events, record: Record = "all") -> Trace:
        """Run `network` on `events`, uint8 (timesteps, batch, *input shape), from zero state."""


@dataclass(frozen=True)
class Engine:
    """A registered engine.

    Attributes:
        name: Name in the registry.
        entry: Entry point as "module:function"; a `RunFunction`, perhaps with further options.
        packages: Importable names of the packages that the engine needs.
        install: Command that installs them.
        takes_program: Whether the entry point maps a `Program` on its cores itself.
        tools: Commands that the engine needs.
        encodes: Whether the entry point also takes raw input, as its option `raw`, and encodes it.
        has_fallback: Whether the entry point runs without the packages, by another engine and with
            a warning.
    """

    name: str
    entry: str
    packages: tuple[str, ...] = ()
    install: str = "pumice doctor --fix"
    takes_program: bool = False
    tools: tuple[str, ...] = ()
    encodes: bool = False
    has_fallback: bool = False

    def missing_packages(self) -> list[str]:
        """List the needed packages and commands that are not installed; imports none of them."""
        missing = [package for package in self.packages if util.find_spec(package) is None]
        return missing + [tool for tool in self.tools if shutil.which(tool) is None]

    def missing_message(self) -> str:
        """State the packages that are not installed, and the command that installs them."""
        return f"{self.name}: needs {', '.join(self.missing_packages())}; {self.install}"

    def load(self) -> RunFunction:
        """Import the entry point; raises `MissingPackage` where a package is not installed."""
        missing = self.missing_packages()
        if missing and not self.has_fallback:
            raise MissingPackage(self.missing_message())
        module, _, function = self.entry.partition(":")
        run: RunFunction = getattr(importlib.import_module(module), function)
        return run

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise `EngineError` for an option that the entry point does not have."""
        known = list(inspect.signature(self.load()).parameters)[3:]
        for option in options:
            if option not in known:
                has = f"its options are {', '.join(known)}" if known else "it has no options"
                raise EngineError(f"{self.name}: unknown option {option!r}; {has}")


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("reference", "pumice.runtime.engines.reference:run"),
        Engine(
            "cpu",
            "pumice.runtime.engines.cpu.engine:run",
            ("pumice.runtime.engines.cpu._core",),
            "reinstall pumice with a C compiler",
            has_fallback=True,
        ),
        Engine(
            "onnx",
            "pumice.convert.formats.onnx.writer:run_onnx",
            ("onnx", "onnxruntime"),
            "pip install 'pumice[onnx]'",
        ),
        Engine("lava", "pumice.deploy.lava:run", ("lava",), INSTALL_COMMAND, takes_program=True),
        Engine(
            "c",
            "pumice.deploy.c.engine:run",
            install="apt-get install gcc",
            tools=("gcc",),
            encodes=True,
        ),
        Engine(
            "cortex-m",
            "pumice.deploy.c.engine:run_cortex_m",
            install="apt-get install gcc-arm-none-eabi qemu-system-arm",
            tools=("arm-none-eabi-gcc", "qemu-system-arm"),
            encodes=True,
        ),
        Engine(
            "riscv",
            "pumice.deploy.c.engine:run_riscv",
            install="apt-get install gcc-riscv64-unknown-elf qemu-system-misc",
            tools=("riscv64-unknown-elf-gcc", "qemu-system-riscv32"),
            encodes=True,
        ),
    )
}


def get_engine(name: str) -> Engine:
    """Look up an engine by name; raises `EngineError` for an unknown one."""
    if name not in ENGINES:
        raise EngineError(f"no engine {name!r}; {suggest(name, ENGINES)}")
    return ENGINES[name]


def available_engines() -> tuple[str, ...]:
    """List the engines whose packages are installed, the reference first; imports none."""
    return tuple(name for name, engine in ENGINES.items() if not engine.missing_packages())


def select_engines(names: Sequence[str] | str | None = None) -> tuple[str, ...]:
    """Select engines to compare: the reference and those named, in the registry's order.

    Args:
        names: Engine names, or one string of names separated by commas; None selects all that are
            installed.

    Raises:
        EngineError: For an unknown name.
    """
    if names is None:
        return available_engines()
    listed = names.split(",") if isinstance(names, str) else names
    selected = [get_engine(name.strip()).name for name in listed if name.strip()]
    return tuple(name for name in ENGINES if name in (*selected, "reference"))
