"""The exported sources: portable C without a library, whose errors and damage are found."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import NETWORK, pumice
from firmware import deep_network, one_neuron, skip_without_tools

from pumice.deploy.c import export_firmware
from pumice.deploy.c.build import TOOLCHAINS, build_firmware, compile_core, run_compiler
from pumice.deploy.c.engine import RECORD_STATES, record_run
from pumice.deploy.c.export import population_macros
from pumice.deploy.c.footprint import measure_footprint, measure_stack, read_call_graph
from pumice.deploy.c.projections import pack_bits
from pumice.deploy.c.tables import compile_tables
from pumice.runtime import Conv, Dense, Network, Population, Projection, write_network
from pumice.runtime.engines import reference
from pumice.runtime.errors import EngineError, FileError

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
# Calls the interface with wrong arguments; returns the line of the first wrong answer.
WRONG_CALLS = """
#include "pumice.h"
#define CHECK(claim) do { if (!(claim)) return __LINE__; } while (0)
static uint8_t input[PUMICE_INPUT_SIZE + 1];
int main(void) {
  CHECK(pumice_step(input, PUMICE_INPUT_SIZE) == PUMICE_ERROR_STATE);
  CHECK(pumice_init() == PUMICE_OK);
  CHECK(pumice_step(input, PUMICE_INPUT_SIZE - 1) == PUMICE_ERROR_SIZE);
  CHECK(pumice_step(input, PUMICE_INPUT_SIZE + 1) == PUMICE_ERROR_SIZE);
  CHECK(pumice_step(input, 0) == PUMICE_ERROR_SIZE);
  CHECK(pumice_step(NULL, PUMICE_INPUT_SIZE) == PUMICE_ERROR_SIZE);
  input[0] = 1;
  CHECK(pumice_step(input, PUMICE_INPUT_SIZE) == PUMICE_OK);
  CHECK(pumice_steps() == 1 && pumice_voltage(1, 0) == 6400 && pumice_sent(0, 0) == 1);
  input[0] = 2;
  CHECK(pumice_step(input, PUMICE_INPUT_SIZE) == PUMICE_ERROR_VALUE);
  CHECK(pumice_steps() == 1 && pumice_voltage(1, 0) == 6400);
  input[0] = 1;
  CHECK(pumice_step(input, PUMICE_INPUT_SIZE) == PUMICE_OK);
  CHECK(pumice_sent(1, 0) == 1 && pumice_voltage(1, 0) == 0 && pumice_logit(0) == 1);
  pumice_reset();
  CHECK(pumice_steps() == 0 && pumice_logit(0) == 0 && pumice_sent(1, 0) == 0);
  return 0;
}
"""

# Compares two forms of the decay with division, for every factor; returns 1 where one differs.
DECAYS = """
#include "pumice_arithmetic.h"
static const int32_t edges[] = {0, 1, 2, 4095, 4096, 4097, 12345, 524287, 8388606, 8388607};
int main(void) {
  for (int32_t kept = 0; kept <= 4096; kept++)
    for (int32_t i = 0; i < 20; i++) {
      const int32_t v = i % 2 ? -edges[i / 2] : edges[i / 2];
      const int32_t expected = (int32_t)((int64_t)v * kept / 4096);
      if (pm_decay(v, kept) != expected || pm_decay_voltage(v, kept) != expected) return 1;
    }
  return 0;
}
"""


def gcc(folder: Path, *arguments: str) -> None:
    """Compile in `folder` with every warning as an error."""
    command = ["gcc", *STRICT, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_example_builds_by_make_and_runs(tmp_path: Path) -> None:
    skip_without_tools("c")
    network, _ = deep_network()
    network.to_c(tmp_path / "firmware")
    folder = tmp_path / "firmware"
    done = subprocess.run(["make", "-s"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    result = subprocess.run([folder / "example"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"class \d after \d+ timesteps, logit -?\d+\n", result.stdout)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake; apt-get install cmake")
def test_the_example_builds_by_cmake(tmp_path: Path) -> None:
    skip_without_tools("c")
    one_neuron().to_c(tmp_path)
    for command in (["cmake", "-S", ".", "-B", "build"], ["cmake", "--build", "build"]):
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert subprocess.run([tmp_path / "build" / "example"], capture_output=True).returncode == 0


def test_the_command_exports_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "model.pumice"
    write_network(path, NETWORK)
    result = pumice("export", path, "--to", "c", "-o", tmp_path / "out", "--json")
    assert result.status == 0 and result.document["format"] == "c"
    files = {each.name for each in (tmp_path / "out").iterdir()}
    assert files == {
        "CMakeLists.txt",
        "Makefile",
        "main.c",
        "pumice.h",
        "pumice_arithmetic.h",
        "pumice_config.h",
        "pumice_core.c",
        "pumice_core.h",
        "pumice_tables.c",
    }
    assert pumice("export", path, "--to", "c").status == 0
    assert (tmp_path / "model.firmware" / "pumice.h").is_file()


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file/firmware: cannot be created: Not a directory"):
        export_firmware(one_neuron(), tmp_path / "file" / "firmware")


@pytest.mark.parametrize("processor", ["host", "cortex-m4", "rv32imac"])
def test_the_code_needs_no_library(processor: str, tmp_path: Path) -> None:
    toolchain = TOOLCHAINS[processor]
    skip_without_tools({"host": "c", "cortex-m4": "cortex-m", "rv32imac": "riscv"}[processor])
    tables = export_firmware(deep_network()[0], tmp_path)
    (core,) = compile_core(tables, toolchain)
    run_compiler(toolchain, ["-c", "pumice_tables.c", "-o", "tables.o"], tmp_path)
    nm = re.sub("gcc$", "nm", toolchain.compiler)
    listed = subprocess.run(
        [nm, "-u", core, tmp_path / "tables.o"], capture_output=True, text=True, check=True
    )
    undefined = set(re.findall(r"^ +U (\w+)$", listed.stdout, re.MULTILINE))
    assert undefined <= {"pumice_network"}


def test_both_forms_of_the_decay_round_toward_zero(tmp_path: Path) -> None:
    skip_without_tools("c")
    export_firmware(one_neuron(), tmp_path)
    (tmp_path / "decays.c").write_text(DECAYS)
    gcc(tmp_path, "-O1", "decays.c", "-o", "decays")
    assert subprocess.run([tmp_path / "decays"]).returncode == 0


def test_wrong_calls_return_errors_and_change_nothing(tmp_path: Path) -> None:
    skip_without_tools("c")
    export_firmware(one_neuron(), tmp_path)
    (tmp_path / "calls.c").write_text(WRONG_CALLS)
    gcc(tmp_path, "-O1", "calls.c", "pumice_core.c", "pumice_tables.c", "-o", "calls")
    assert subprocess.run([tmp_path / "calls"]).returncode == 0


def test_each_flipped_bit_of_the_tables_is_found(tmp_path: Path) -> None:
    skip_without_tools("c")
    network, events = deep_network()
    firmware = build_firmware(network, TOOLCHAINS["host"], tmp_path)
    program = firmware.program.read_bytes()
    tables = firmware.tables
    regions = {
        "weights": tables.weights.tobytes(),
        "halves": tables.halves.astype("<u2").tobytes(),
        "words": tables.words.astype("<i4").tobytes(),
        "sizes": np.array(list(tables.sizes.values()), "<i4").tobytes(),
    }
    rng = np.random.default_rng(1)
    for name, content in regions.items():
        start = program.find(content)
        assert start > 0 and program.count(content) == 1, name
        for bit in rng.choice(8 * len(content), 12, replace=False):
            damaged = bytearray(program)
            damaged[start + bit // 8] ^= 1 << bit % 8
            firmware.program.write_bytes(damaged)
            with pytest.raises(EngineError, match="host: the tables are damaged: their CRC-32"):
                record_run(network, firmware, events, 0)
    firmware.program.write_bytes(program)
    assert record_run(network, firmware, events, 0).steps.min() > 0


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    skip_without_tools("c")
    network, events = deep_network()
    flags = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    firmware = build_firmware(network, TOOLCHAINS["host"], tmp_path, trace=True, flags=flags)
    recorded = record_run(network, firmware, events, 1 + RECORD_STATES)
    expected = reference.run(network, events, "states")
    assert recorded.steps.tolist() == expected.steps.tolist()


@pytest.mark.parametrize("processor", ["cortex-m4", "cortex-m7", "rv32imac"])
def test_the_stack_is_bounded_and_measured(processor: str, tmp_path: Path) -> None:
    skip_without_tools("riscv" if processor == "rv32imac" else "cortex-m")
    network, events = deep_network()
    toolchain = TOOLCHAINS[processor]
    firmware = build_firmware(network, toolchain, tmp_path)
    bound = measure_stack(toolchain, tmp_path)  # raises where a function recurses
    assert 0 < bound < 512
    used = record_run(network, firmware, events, 0).stack
    assert used < bound + 256  # that of the runner, which calls the core
    assert "pumice_step" in read_call_graph(toolchain, tmp_path)


@pytest.mark.parametrize(("processor", "taken"), [("cortex-m4", True), ("cortex-m3", False)])
def test_pairs_of_weights_are_added_where_the_processor_can(processor: str, taken: bool) -> None:
    """The tests of engine `cortex-m` run these instructions, those of `c` and `riscv` plain C."""
    skip_without_tools("cortex-m")
    toolchain = replace(
        TOOLCHAINS["cortex-m4"], flags=(f"-mcpu={processor}", "-mthumb", "-ffreestanding")
    )
    eight_bits = Projection("p", "in", "out", Dense(np.full((16, 1), 255)))
    populations = Population("in", (1,), kind="input"), Population("out", (16,))
    network = Network(populations, (eight_bits,))
    (core,) = compile_core(compile_tables(network), toolchain)
    disassembly = subprocess.run(
        ["arm-none-eabi-objdump", "-d", str(core)], capture_output=True, text=True, check=True
    )
    assert ("uxtab16" in disassembly.stdout) == taken


def test_recursion_would_be_found(tmp_path: Path) -> None:
    skip_without_tools("c")
    (tmp_path / "pumice_core.c").write_text(
        "int pumice_step(int x);\n"
        "int pumice_step(int x) { return x ? pumice_step(x / 3) ^ pumice_step(x / 5) : 1; }\n"
    )
    with pytest.raises(EngineError, match="pumice_step: recurses"):
        measure_stack(TOOLCHAINS["host"], tmp_path)


def test_the_footprint_is_that_of_the_tables_and_buffers() -> None:
    skip_without_tools("cortex-m")
    network, _ = deep_network()
    tables = compile_tables(network)
    size = measure_footprint(network, TOOLCHAINS["cortex-m4"])
    assert size.tables == tables.table_bytes
    assert tables.buffer_bytes <= size.buffers < tables.buffer_bytes + 64
    assert 1000 < size.code < 6000
    assert size.flash == size.code + size.tables and size.ram == size.buffers + size.stack


def test_bits_are_packed_from_the_lowest() -> None:
    assert pack_bits(np.array([[1, 2, 15]]), 4).tolist() == [[0x21, 0x0F]]
    # 5 bits: 1 = 00001, 31 = 11111, -1 = 11111 -> 00001 then 11111 at bit 5, 11111 at bit 10.
    assert pack_bits(np.array([[1, 31, -1]]), 5).tolist() == [[0b11100001, 0b01111111]]


def test_weights_take_the_bits_they_have() -> None:
    for bits in range(1, 9):
        weights = np.full((6, 40), 2**bits - 1) * (-1 if bits % 2 else 1)
        network = Network(
            (Population("in", (40,), kind="input"), Population("out", (6,))),
            (Projection("p", "in", "out", Dense(weights)),),
        )
        assert compile_tables(network).weights.size == 40 * -(-6 * bits // 8)
    # Signed weights of 4 bits, as multiples of 32: their common factor moves into the scale.
    weights = np.array([-8, 7, 3, -1] * 60).reshape(6, 40) * 32
    network = replace(
        network, projections=(Projection("p", "in", "out", Dense(np.clip(weights, -256, 224))),)
    )
    tables = compile_tables(network)
    assert tables.weights.size == 40 * 3
    assert tables.projections[0]["bits"] == 4 and tables.projections[0]["scale"] == 32 * 64


def test_projections_with_the_same_connection_share_their_weights() -> None:
    conv = Conv(np.arange(18).reshape(2, 1, 3, 3), padding=(1, 1))
    network = Network(
        (
            Population("left", (1, 4, 4), kind="input"),
            Population("right", (1, 4, 4), kind="input"),
            Population("out", (2, 4, 4)),
        ),
        (Projection("a", "left", "out", conv), Projection("b", "right", "out", conv)),
    )
    tables = compile_tables(network)
    assert tables.weights.size == 18 and len({p["weights"] for p in tables.projections}) == 1


def test_populations_get_macros_of_their_own() -> None:
    names = ("conv.1", "conv-1", "CONV_1", "out")
    populations = [Population(name, (1,)) for name in names]
    macros = population_macros(populations)
    assert list(macros.values()) == ["CONV_1", "CONV_1_2", "CONV_1_3", "OUT"]
