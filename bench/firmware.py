"""Size and work of exported firmware: `python -m bench.firmware [NETWORK.pumice]`.

`--waveforms FOLDER` measures the network of the recipe `spoken-digits`, given as NETWORK, on the
recordings 0 to 4 in FOLDER: with the encoder, whose instructions are counted apart.

Trains the network of the demo, with weights of 8 and 4 bits, or reads one. On each emulated
processor it measures the exported firmware, and a dense int8 CNN of the same shape in plain C
(bench/firmware_cnn.c). Flash and RAM come from the linker, the stack excluded; instructions from
QEMU, as a mean over samples. `--qualia PYTHON` names the interpreter of an environment with
qualia-codegen (see bench/firmware_qualia.py), whose code is measured on the Cortex-M likewise.
Writes bench/raw/firmware.json.
"""

import argparse
import json
import struct
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pumice as pm
from bench.results import Table, add_json_option, write_result
from pumice.deploy.c.build import (
    TOOLCHAINS,
    Toolchain,
    compile_object,
    run_compiler,
    run_program,
)
from pumice.deploy.c.export import read_source
from pumice.deploy.c.footprint import measure_footprint, read_section_sizes
from pumice.deploy.c.profile import count_encoding, count_instructions
from pumice.runtime import Conv, Dense, Network
from pumice.runtime.connections import conv_output_size
from pumice.train import train_recipe

PROCESSORS = ("cortex-m4", "cortex-m7", "rv32imac")
BENCH = Path(__file__).parent
RESULTS = BENCH / "raw"
SAMPLES = 32
RECORDINGS = ("_0", "_1", "_2", "_3", "_4")  # that the recipe holds out


@dataclass(frozen=True)
class Row:
    """One program on one processor; bytes, and instructions of an inference.

    Attributes:
        program: What was measured.
        processor: Processor.
        flash: Bytes of code and constants.
        ram: Bytes of buffers.
        instructions: Instructions of an inference of all timesteps, a mean over samples.
        by_timestep: The same if it stops after 1, 2, ... timesteps.
        accuracy: Accuracy after each timestep on the test set, if the program was trained.
    """

    program: str
    processor: str
    flash: int
    ram: int
    instructions: float
    by_timestep: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="?", type=Path)
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--qualia", metavar="PYTHON")
    parser.add_argument("--waveforms", metavar="FOLDER", type=Path)
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.waveforms:
        if not arguments.network:
            parser.error("--waveforms needs NETWORK.pumice")
        rows = measure_spoken_digits(
            pm.load(arguments.network), arguments.waveforms, arguments.qualia
        )
        write_rows(rows, "firmware-spoken-digits.json")
        write_result(arguments.json, "firmware", tabulate(rows))
        return
    data = pm.datasets.load("digits-events", timesteps=8)
    if arguments.network:
        networks = {"pumice": pm.load(arguments.network)}
    else:
        recipe = pm.load_recipe("digits-events", [f"training.epochs={arguments.epochs}"])
        with tempfile.TemporaryDirectory() as folder:
            model = train_recipe(recipe, data, Path(folder) / "run")
        networks = {
            f"pumice, {bits}-bit weights": pm.convert(model, weight_bits=bits, calibrate=data.train)
            for bits in (8, 4)
        }
    rows = [
        measure_network(name, network, data.test, processor)
        for name, network in networks.items()
        for processor in PROCESSORS
    ]
    rows += [measure_cnn(next(iter(networks.values())), name) for name in PROCESSORS]
    if arguments.qualia:
        rows += [
            measure_qualia(arguments.qualia, kind, processor)
            for kind in ("int8", "float")
            for processor in PROCESSORS[:2]
        ]
    write_rows(rows, "firmware.json")
    write_result(arguments.json, "firmware", tabulate(rows))


def tabulate(rows: list[Row]) -> list[Table]:
    """Tabulate flash, RAM and instructions, a table per processor, and accuracy by timestep."""
    columns = ("program", "flash, bytes", "RAM, bytes", "instructions, millions", "by timestep")
    tables = [
        Table(
            processor,
            columns,
            [
                [row.program, row.flash, row.ram, f"{row.instructions / 1e6:.2f}",
                 ", ".join(f"{count / 1e6:.2f}" for count in row.by_timestep)]
                for row in rows
                if row.processor == processor
            ],
        )
        for processor in dict.fromkeys(row.processor for row in rows)
    ]  # fmt: skip
    accuracy = {row.program: row.accuracy for row in rows if row.accuracy}
    lines = [[name, ", ".join(f"{100 * a:.1f}" for a in each)] for name, each in accuracy.items()]
    return [*tables, Table("Accuracy", ("program", "accuracy by timestep, %"), lines)]


def write_rows(rows: list[Row], name: str) -> None:
    print_rows(rows)
    RESULTS.mkdir(exist_ok=True)
    document = json.dumps([asdict(row) for row in rows], indent=1)
    (RESULTS / name).write_text(document, encoding="utf-8")


def measure_spoken_digits(network: Network, folder: Path, qualia: str | None) -> list[Row]:
    """Measure the network with its encoder, and its encoder, CNN and generated code alone.

    The CNN has the layers of the network without the recurrent synapses and runs once for each
    timestep, as the network does.
    """
    files = [each for each in sorted(folder.glob("*.wav")) if each.stem[-2:] in RECORDINGS]
    if not files:
        raise SystemExit(f"{folder}: holds no recordings DIGIT_SPEAKER_0.wav to _4.wav")
    labels = np.array([int(each.name[0]) for each in files])
    inputs = pm.encode(network, files)
    trace = pm.run(network, inputs)
    accuracy = tuple(trace.accuracy(labels).tolist())
    rows = []
    for processor in PROCESSORS:
        toolchain = TOOLCHAINS[processor]
        size = measure_footprint(network, toolchain)
        plain = measure_footprint(replace(network, encoders=()), toolchain)
        counts = count_instructions(network, trace, toolchain, SAMPLES)
        encoding = count_encoding(network, toolchain, trace.timesteps)
        total = tuple(count + encoding * step for step, count in enumerate(counts, 1))
        rows.append(Row("pumice", processor, size.flash, size.buffers, total[-1], total, accuracy))
        rows.append(
            Row("its encoder", processor, size.flash - plain.flash, size.buffers - plain.buffers,
                encoding * trace.timesteps)
        )  # fmt: skip
        cnn = measure_cnn(network, processor)
        rows.append(replace(cnn, instructions=cnn.instructions * trace.timesteps))
    if qualia:
        shape = ("spoken-digits", trace.timesteps)
        rows += [
            measure_qualia(qualia, kind, processor, *shape)
            for kind in ("int8", "float")
            for processor in PROCESSORS[:2]
        ]
    return rows


def measure_network(name: str, network: Network, test: Any, processor: str) -> Row:
    toolchain = TOOLCHAINS[processor]
    trace = pm.run(network, test)
    size = measure_footprint(network, toolchain)
    counts = count_instructions(network, trace, toolchain, SAMPLES)
    accuracy = tuple(trace.accuracy(test.labels).tolist())
    return Row(name, processor, size.flash, size.buffers, counts[-1], tuple(counts), accuracy)


def measure_cnn(network: Network, processor: str) -> Row:
    """Compile and run the CNN; its instructions hardly depend on the input."""
    toolchain = TOOLCHAINS[processor]
    inputs = sum(p.neurons for p in network.inputs)
    events = (np.random.default_rng(0).random(inputs) < 0.5).astype(np.int8)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cnn_layers.h").write_text(format_layers(network), encoding="utf-8")
        sizes, output = build_and_run(folder, "firmware_cnn.c", toolchain, events.tobytes())
    count = struct.unpack("<2I", output)[0] * toolchain.instructions_per_tick
    return Row("int8 CNN, plain C", processor, *sizes, count)


def measure_qualia(
    python: str, kind: str, processor: str, shape: str = "demo", timesteps: int = 8
) -> Row:
    """Generate, compile and run code of qualia-codegen for the network of `shape`."""
    toolchain = TOOLCHAINS[processor]
    if kind == "float":
        flags = ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
        toolchain = replace(toolchain, flags=(*toolchain.flags, *flags))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [python, str(BENCH / "firmware_qualia.py"), kind, name, shape]
        subprocess.run(command, check=True, capture_output=True)
        flags = ("-Iinclude", f"-DTIMESTEPS={timesteps}")
        sizes, output = build_and_run(folder, "firmware_qualia.c", toolchain, b"", *flags)
    counts = np.array(struct.unpack(f"<{timesteps}I", output)) * toolchain.instructions_per_tick
    steps = tuple(counts.cumsum().tolist())
    return Row(f"qualia-codegen, {kind}", processor, *sizes, steps[-1], steps)


def build_and_run(
    folder: Path, source: str, toolchain: Toolchain, data: bytes, *flags: str
) -> tuple[tuple[int, int], bytes]:
    """Compile a peer's program; return its flash and RAM in bytes, and what it writes."""
    for header in ("port.h", toolchain.linker_script):
        (folder / header).write_text(read_source(header), encoding="utf-8")
    (folder / source).write_text((BENCH / source).read_text(encoding="utf-8"), encoding="utf-8")
    plain = ["-O2", "-w", *flags, source, "-nostdlib", "-Wl,--gc-sections"]
    run_compiler(toolchain, [*plain, "-Wl,-e,start", "-lgcc", "-o", "size"], folder)
    text, initialized, zeroed = read_section_sizes(toolchain, folder / "size")
    port = str(compile_object(toolchain.port, toolchain))
    runner = ["-DCNN_RUNNER", "-DQUALIA_RUNNER", port, "-T", toolchain.linker_script]
    run_compiler(toolchain, [*plain, *runner, "-lgcc", "-o", "firmware"], folder)
    output = run_program(toolchain, folder / "firmware", data)
    return (text + initialized, initialized + zeroed), output


def format_layers(network: Network) -> str:
    """Format the layers of a chain of convolutions and dense layers as constants of C."""
    lines: list[str] = []
    records = []
    sizes = []
    for number, population in enumerate(network.topological_order):
        (projection,) = (each for each in network.incoming(population.name) if not each.delay)
        source = network.population(projection.source).shape
        weights, geometry = _layer(projection.connection, source)
        values = np.clip(weights // 2, -127, 127).reshape(-1).tolist()
        lines.append(f"static const int8_t w{number}[] = {{{', '.join(map(str, values))}}};")
        biases = ", ".join(["0"] * geometry[6])
        lines.append(f"static const int32_t b{number}[] = {{{biases}}};")
        records.append("{" + ", ".join(map(str, geometry)) + f", w{number}, b{number}}}")
        sizes.append(population.neurons)
    lines += [
        f"#define CNN_LAYERS {len(records)}",
        f"#define CNN_CLASSES {sizes[-1]}",
        f"#define CNN_BUFFER {max(sizes)}",
        f"#define CNN_INPUT {sum(p.neurons for p in network.inputs)}",
        "static const cnn_layer layers[] = {" + ", ".join(records) + "};",
    ]
    return "\n".join(lines) + "\n"


def _layer(connection: Any, source: tuple[int, ...]) -> tuple[NDArray[Any], list[int]]:
    """Weights (output, row, column, input), and the geometry as `cnn_layer` lists it."""
    if isinstance(connection, Dense):
        outputs, inputs = connection.weights.shape
        return connection.weights, [1, 1, 0, 1, 1, inputs, outputs, 1, 1, 7]
    assert isinstance(connection, Conv) and connection.groups == 1
    outputs, inputs, kernel, _ = connection.weights.shape
    stride, padding = connection.stride[0], connection.padding[0]
    height, width = conv_output_size(connection, source)
    geometry = [kernel, stride, padding, *source[1:], inputs, outputs, height, width, 7]
    return connection.weights.transpose(0, 2, 3, 1), geometry


def print_rows(rows: list[Row]) -> None:
    for row in rows:
        steps = ", ".join(f"{count / 1e6:.2f}" for count in row.by_timestep)
        print(
            f"{row.program:26} {row.processor:10} flash {row.flash:9,}  RAM {row.ram:8,}  "
            f"instructions {row.instructions / 1e6:6.2f} M  by timestep: {steps or '-'}"
        )
    for name, accuracy in {row.program: row.accuracy for row in rows if row.accuracy}.items():
        print(f"{name}: accuracy by timestep {', '.join(f'{a:.1%}' for a in accuracy)}")


if __name__ == "__main__":
    main()
