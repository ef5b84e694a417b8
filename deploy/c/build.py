"""Toolchains: compile firmware for this machine and for microcontrollers, and run it there.

Microcontrollers are emulated by QEMU, which counts instructions (`-icount`) and gives the program
files by semihosting.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtime import Network
from ...runtime.errors import EngineError, MissingPackage
from .encoder_tables import RAW_BYTES, RAW_WAVEFORM
from .export import export_firmware, format_config, read_source
from .plasticity_tables import Rules
from .tables import FirmwareTables

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-fno-tree-loop-distribute-patterns")
HEADERS = (
    "port.h", "port_semihosting.h", "pumice_arithmetic.h", "pumice_core.h", "pumice_encoder.h",
    "pumice_plasticity.h",
)  # fmt: skip
RAW_TYPES = {RAW_BYTES: "uint8_t", RAW_WAVEFORM: "int16_t"}
TIMEOUT = 1800.0  # seconds that a run may take


class BoardExceeded(EngineError):  # noqa: N818
    """A program that exceeds the memory of the emulated board."""


@dataclass(frozen=True)
class Toolchain:
    """A compiler and the machine that runs its programs.

    Attributes:
        name: Name of the engine or of the processor.
        compiler: Command of the compiler.
        flags: Flags that select the processor, for compiling and linking.
        port: Source file of the port.
        linker_script: Linker script; empty for this machine.
        emulator: Command that runs a program, which follows; empty for this machine.
        packages: Debian packages that provide the tools.
        instructions_per_tick: Instructions per tick of the port's clock; 0 where none counts them.
    """

    name: str
    compiler: str
    flags: tuple[str, ...] = ()
    port: str = "port_host.c"
    linker_script: str = ""
    emulator: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    instructions_per_tick: float = 0.0

    @property
    def tools(self) -> tuple[str, ...]:
        """Commands that it needs."""
        return (self.compiler, *self.emulator[:1])

    @property
    def install(self) -> str:
        """Command that installs the tools."""
        return f"apt-get install {' '.join(self.packages)}"

    def check(self) -> None:
        """Raise `MissingPackage` where a tool is not installed."""
        missing = [tool for tool in self.tools if shutil.which(tool) is None]
        if missing:
            raise MissingPackage(f"{self.name}: needs {', '.join(missing)}; {self.install}")


SEMIHOSTING = (
    *("-nographic", "-monitor", "none", "-serial", "none"),
    *("-semihosting-config", "enable=on,target=native"),
)


def _cortex_m(name: str, board: str) -> Toolchain:
    # An instruction takes 64 ns of the emulated clock, a tick of the board's timer 40 ns.
    return Toolchain(
        name,
        "arm-none-eabi-gcc",
        (f"-mcpu={name}", "-mthumb", "-mfloat-abi=soft", "-ffreestanding"),
        "port_cortex_m.c",
        "cortex_m.ld",
        ("qemu-system-arm", "-M", board, *SEMIHOSTING, "-icount", "shift=6", "-kernel"),
        ("gcc-arm-none-eabi", "qemu-system-arm"),
        40 / 64,
    )


TOOLCHAINS = {
    toolchain.name: toolchain
    for toolchain in (
        Toolchain("host", "gcc", packages=("gcc",)),
        _cortex_m("cortex-m4", "mps2-an386"),
        _cortex_m("cortex-m7", "mps2-an500"),
        Toolchain(
            "rv32imac",
            "riscv64-unknown-elf-gcc",
            ("-march=rv32imac_zicsr", "-mabi=ilp32", "-mcmodel=medany", "-ffreestanding"),
            "port_riscv.c",
            "riscv.ld",
            (
                *("qemu-system-riscv32", "-M", "virt", "-bios", "none", *SEMIHOSTING),
                *("-icount", "shift=0", "-kernel"),
            ),
            ("gcc-riscv64-unknown-elf", "qemu-system-misc"),
            1.0,
        ),
    )
}


@dataclass(frozen=True)
class Firmware:
    """Firmware compiled for a toolchain, in a folder of its own.

    Attributes:
        toolchain: What compiled it.
        folder: Folder with sources and program.
        program: The linked program: core, tables and the runner.
        tables: What was exported.
    """

    toolchain: Toolchain
    folder: Path
    program: Path
    tables: FirmwareTables


def build_firmware(
    network: Network,
    toolchain: Toolchain,
    folder: Path,
    *,
    trace: bool = False,
    raw: bool = False,
    rules: Rules | None = None,
    flags: Sequence[str] = (),
) -> Firmware:
    """Export `network` to `folder` and compile it with the runner.

    Args:
        network: Network to export.
        toolchain: Compiler and machine.
        folder: Empty folder.
        trace: Whether currents are recorded.
        raw: Whether the runner gets raw input, which the firmware encodes.
        rules: Plasticity rule by name of the projection, for firmware that learns.
        flags: Further flags, such as those of a sanitizer.

    Raises:
        MissingPackage: A tool is not installed.
        EngineError: The program does not compile, or exceeds the memory of the emulated machine.
    """
    toolchain.check()
    tables = export_firmware(network, folder, example=False, rules=rules)
    options = (*flags, f"-DPUMICE_TRACE={int(trace)}")
    kind = tables.encoder.raw_kind if raw and tables.encoder else 0
    runner = (f"-DPUMICE_RAW={kind}", f"-DPUMICE_PLASTIC={int(tables.plasticity is not None)}")
    objects = [
        *compile_core(tables, toolchain, options),
        compile_object("runner.c", toolchain, (*options, *runner)),
        compile_object(toolchain.port, toolchain, options),
    ]
    source = f'#include "pumice_tables.c"\nuint8_t events[{tables.sizes["input"]}];\n'
    if kind and tables.encoder:
        source += f"{RAW_TYPES[kind]} raw[{tables.encoder.sizes['raw']}];\n"
    (folder / "firmware.c").write_text(source, encoding="utf-8")
    program = folder / "firmware"
    link: tuple[str, ...] = ()
    if toolchain.linker_script:
        script = folder / toolchain.linker_script
        script.write_text(read_source(script.name), encoding="utf-8")
        link = ("-nostdlib", "-T", script.name)
    inputs = ["firmware.c", *map(str, objects), *(["-lgcc"] if link else [])]
    run_compiler(
        toolchain, [*options, "-Wl,--gc-sections", *link, *inputs, "-o", str(program)], folder
    )
    return Firmware(toolchain, folder, program, tables)


@functools.cache
def _object_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="pumice-firmware-")


def compile_core(
    tables: FirmwareTables, toolchain: Toolchain, options: Sequence[str] = ()
) -> list[Path]:
    """Compile the core, and what stands beside it, for `tables`; see `compile_object`."""
    names = ["pumice_core.c", *(["pumice_encoder.c"] if tables.encoder else [])]
    names += ["pumice_plasticity.c"] if tables.plasticity else []
    config = format_config(tables)
    return [compile_object(name, toolchain, options, config) for name in names]


def compile_object(
    source: str, toolchain: Toolchain, options: Sequence[str] = (), config: str = ""
) -> Path:
    """Compile a source file of the firmware, once in the life of this process.

    Returns:
        The object file.
    """
    key = hashlib.sha256(repr((source, toolchain, tuple(options), config)).encode()).hexdigest()
    folder = Path(_object_folder().name) / key[:24]
    target = folder / source.replace(".c", ".o")
    if not target.exists():
        folder.mkdir(exist_ok=True)
        for name in (*HEADERS, source):
            (folder / name).write_text(read_source(name), encoding="utf-8")
        (folder / "pumice_config.h").write_text(config, encoding="utf-8")
        run_compiler(toolchain, ["-O2", *options, "-c", source, "-o", "part.o"], folder)
        (folder / "part.o").replace(target)
    return target


def run_compiler(toolchain: Toolchain, arguments: Sequence[str], folder: Path) -> None:
    """Run the compiler in `folder`, with all warnings as errors; raises `EngineError`.

    Its temporary files are there too: killed, it leaves them.
    """
    command = [toolchain.compiler, *toolchain.flags, *WARNINGS, *SECTIONS, *arguments]
    environment = os.environ | {"TMPDIR": str(folder.resolve())}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = done.stderr.splitlines()
        overflow = next(filter(None, (re.search(r"region `(\w+)' over.*", x) for x in lines)), None)
        first = next((line for line in lines if "error" in line), (lines or ["no message"])[-1])
        if overflow:
            raise BoardExceeded(f"{toolchain.name}: {overflow[0]}")
        raise EngineError(f"{toolchain.name}: {first}")


def run_program(toolchain: Toolchain, program: Path, data: bytes) -> bytes:
    """Run a program in its folder, with `data` as `input.bin`, and return its `output.bin`.

    Raises:
        EngineError: The program fails or does not end.
    """
    folder = program.parent
    (folder / "input.bin").write_bytes(data)
    try:
        done = subprocess.run(
            [*toolchain.emulator, str(program)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{toolchain.name}: did not end within {TIMEOUT:.0f} s") from error
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise EngineError(f"{toolchain.name}: exit code {done.returncode}: {message}")
    return (folder / "output.bin").read_bytes()
