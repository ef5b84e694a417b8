"""Footprint of firmware: flash, RAM, and the depth of its stack, from the compiler and linker."""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...runtime import Network
from ...runtime.errors import EngineError
from .build import Toolchain, compile_core, run_compiler
from .encoder_tables import RAW_BYTES, RAW_WAVEFORM
from .export import export_firmware
from .plasticity_tables import Rules

ENTRY_POINTS = (
    "pumice_init", "pumice_reset", "pumice_step", "pumice_prediction", "pumice_logit",
    "pumice_encode_waveform", "pumice_encode_values",
)  # fmt: skip
NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes \((\w+)')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
# A program of the core and the tables alone, that calls each entry point.
PROGRAM = """#include "pumice_tables.c"
int start(void);
int start(void) {
  pumice_reset();
  return pumice_init() + ENCODE pumice_step(NULL, 0) + (int)pumice_prediction();
}
"""
ENCODE = {
    0: "",
    RAW_BYTES: "pumice_encode_values(NULL, 0, NULL) +",
    RAW_WAVEFORM: "pumice_encode_waveform(NULL, 0, NULL) +",
}


@dataclass(frozen=True)
class Footprint:
    """Memory that firmware takes, in bytes.

    Attributes:
        code: Instructions of the core, and its own constants, in flash.
        tables: Constants of the network, in flash.
        buffers: Buffers, in RAM.
        stack: Deepest stack of a call of the interface, in RAM; without interrupts.
    """

    code: int
    tables: int
    buffers: int
    stack: int

    @property
    def flash(self) -> int:
        """Code and tables."""
        return self.code + self.tables

    @property
    def ram(self) -> int:
        """Buffers and stack."""
        return self.buffers + self.stack


def measure_footprint(
    network: Network, toolchain: Toolchain, rules: Rules | None = None
) -> Footprint:
    """Compile the firmware of `network`, without an example, and measure it.

    With `rules`, plasticity by name of the projection, the firmware learns.

    Raises:
        MissingPackage: A tool is not installed.
        EngineError: The firmware does not compile.
    """
    toolchain.check()
    with tempfile.TemporaryDirectory(prefix="pumice-") as name:
        folder = Path(name)
        tables = export_firmware(network, folder, example=False, rules=rules)
        core = compile_core(tables, toolchain)
        kind = tables.encoder.raw_kind if tables.encoder else 0
        program = PROGRAM.replace("ENCODE ", ENCODE[kind])
        (folder / "footprint.c").write_text(program, encoding="utf-8")
        linked = ["footprint.c", *map(str, core), "-nostdlib", "-Wl,--gc-sections", "-Wl,-e,start"]
        run_compiler(toolchain, ["-O2", *linked, "-lgcc", "-o", "footprint"], folder)
        text, data, bss = read_section_sizes(toolchain, folder / "footprint")
        stack = measure_stack(toolchain, folder)
    return Footprint(text - tables.table_bytes, tables.table_bytes + data, data + bss, stack)


def read_section_sizes(toolchain: Toolchain, program: Path) -> tuple[int, int, int]:
    """Read the bytes of text with constants, of data, and of zeroed data."""
    command = [re.sub("gcc$", "size", toolchain.compiler), str(program)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(f"{toolchain.name}: {command[0]} failed: {error}") from error
    text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    return text, data, bss


def measure_stack(toolchain: Toolchain, folder: Path) -> int:
    """Compute the deepest stack of the core in `folder`, in bytes, from the compiler's call graph.

    Raises:
        EngineError: A function recurses, or its stack is not static.
    """
    graph = read_call_graph(toolchain, folder)
    depths = [_depth(graph, entry, ()) for entry in ENTRY_POINTS if entry in graph]
    return max(depths)


def read_call_graph(toolchain: Toolchain, folder: Path) -> Mapping[str, tuple[int, list[str]]]:
    """Compile the core in `folder`; read stack bytes and callees of each function."""
    text = ""
    for source in ("pumice_core.c", "pumice_encoder.c", "pumice_plasticity.c"):
        if not (folder / source).exists():
            continue
        graph_of = ["-O2", "-fcallgraph-info=su", "-c", source, "-o", "graph.o"]
        run_compiler(toolchain, graph_of, folder)
        text += (folder / "graph.ci").read_text(encoding="utf-8")
    graph: dict[str, tuple[int, list[str]]] = {}
    for name, size, kind in NODE.findall(text):
        if kind != "static":
            raise EngineError(f"{name}: its stack is {kind}, needs a static one")
        graph[name] = (int(size), [])
    for caller, callee in EDGE.findall(text):
        if caller in graph and callee in graph:
            graph[caller][1].append(callee)
    return graph


def _depth(graph: Mapping[str, tuple[int, list[str]]], name: str, callers: tuple[str, ...]) -> int:
    if name in callers:
        raise EngineError(f"{name}: recurses")
    size, callees = graph[name]
    return size + max((_depth(graph, each, (*callers, name)) for each in callees), default=0)
