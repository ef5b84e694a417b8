"""Firmware export: a network as C99 sources for any microcontroller.

The folder holds the core (`pumice_core.c`, the same for all networks), the network as constants
for flash with its buffers (`pumice_tables.c`), the interface (`pumice.h`), an example `main.c`, a
Makefile and a CMake file. The code uses no library, allocates nothing and does not recurse.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources

from ... import runtime
from ...runtime import Network, Population, network_digest
from ...runtime.files import write_files
from .encoder_tables import TABLES, EncoderTables
from .plasticity_tables import PlasticityTables, Rules
from .tables import FirmwareTables, compile_tables

SHARED_FILES = ("pumice_arithmetic.h",)  # with the core of the CPU engine
CORE_FILES = (*SHARED_FILES, "pumice_core.c", "pumice_core.h")
ENCODER_FILES = ("pumice_encoder.c", "pumice_encoder.h")
PLASTICITY_FILES = ("pumice_plasticity.c", "pumice_plasticity.h")
PROJECT_FILES = ("Makefile", "CMakeLists.txt")
LINE_WIDTH = 100


def export_firmware(
    network: Network,
    path: str | os.PathLike[str],
    *,
    example: bool = True,
    rules: Rules | None = None,
) -> FirmwareTables:
    """Write `network` as C99 sources into the folder `path`, which is created.

    Args:
        network: Network to export.
        path: Folder; files of an earlier export are replaced.
        example: Also write `main.c`, `Makefile` and `CMakeLists.txt`.
        rules: Plasticity rule by name of the projection, for firmware that learns.

    Returns:
        The tables that were written, with the sizes of flash and RAM that they take.

    Raises:
        FileError: The folder cannot be written.
        NetworkError: A rule does not fit, or plastic weights could leave 24 bits together.
    """
    tables = compile_tables(network, rules)
    encoder, plasticity = tables.encoder, tables.plasticity
    names = [*CORE_FILES, *(ENCODER_FILES if encoder else ())]
    names += PLASTICITY_FILES if plasticity else ()
    files = {name: read_source(name) for name in names}
    constants = format_tables(tables) + (format_encoder(encoder) if encoder else "")
    files |= {
        "pumice.h": _interface(network, tables),
        "pumice_config.h": format_config(tables),
        "pumice_tables.c": constants + (format_plasticity(plasticity) if plasticity else ""),
    }
    if example:
        files |= {name: read_source(name) for name in PROJECT_FILES}
        files["main.c"] = read_source(_example_of(encoder))
    write_files(path, files)
    return tables


def write_c(path: str | os.PathLike[str], network: Network, *, rules: Rules | None = None) -> None:
    """Write `network` as C99 sources into the folder `path`; see `export_firmware`."""
    export_firmware(network, path, rules=rules)


def read_source(name: str) -> str:
    """Read a file of the firmware's sources."""
    if name in SHARED_FILES:
        folder = resources.files(runtime) / "core"
    else:
        folder = resources.files(__package__) / "source"
    return (folder / name).read_text(encoding="utf-8")


def format_config(tables: FirmwareTables) -> str:
    """Format `pumice_config.h`: the features that the core is compiled with."""
    features = {**tables.features, **(tables.encoder.features if tables.encoder else {})}
    lines = [f"#define {macro} {int(value)}" for macro, value in features.items()]
    return _guard("PUMICE_CONFIG_H", "Features of the core that the network uses.", lines)


def format_tables(tables: FirmwareTables) -> str:
    """Format `pumice_tables.c`: constants and buffers."""
    sizes = tables.sizes
    populations = (_format_population(row) for row in tables.populations)
    projections = (_format_record(row.values()) for row in tables.projections)
    resets = (_format_population(row) for row in tables.resets)
    words = ["INT32_MIN" if w == -(2**31) else str(w) for w in tables.words.tolist()]
    halves, weights = map(str, tables.halves.tolist()), map(str, tables.weights.tolist())
    buffers = {
        "uint32_t masks": sizes["masks"],
        "uint8_t sent": sizes["sent"],
        "int32_t states": sizes["states"],
        "int32_t scratch": tables.scratch,
        "int32_t rounded": tables.rounded,
        "int32_t scores": sizes["scores"],
        "uint8_t slots": sizes["population_count"],
    }
    lines = [
        "/* Constants and buffers of a network, written by pumice. */",
        '#include "pumice_core.h"',
        "",
        *_array("static const uint8_t weights", weights, sizes["weights"]),
        *_array("static const uint16_t halves", halves, sizes["halves"]),
        *_array("static const int32_t words", words, sizes["words"]),
        *_array("static const pm_population populations", populations, len(tables.populations)),
        *_array("static const pm_projection projections", projections, len(tables.projections)),
        *(
            _array("static const pm_reset resets", resets, len(tables.resets))
            if tables.resets
            else ["#define resets NULL"]
        ),
        "",
        *(f"static {name}[{max(1, size)}];" for name, size in buffers.items()),
        "#if PUMICE_TRACE",
        f"static int32_t traced[{max(1, tables.traced)}];",
        "#else",
        "#define traced NULL",
        "#endif",
        "",
        "const pm_network pumice_network = {",
        "    populations, projections, resets, weights, halves, words, masks, sent, states,",
        "    scratch, rounded, scores, slots, traced,",
        f"    {_format_record(sizes.values())},",
        f"    UINT32_C({tables.sizes_crc:#010x}), UINT32_C({tables.crc:#010x})}};",
    ]
    return "\n".join(lines) + "\n"


def format_encoder(encoder: EncoderTables) -> str:
    """Format the constants and buffers of an encoder, which `pumice_tables.c` ends with."""
    types = {"int16": "int16_t", "uint8": "uint8_t", "int32": "int32_t"}
    lines = ["", '#include "pumice_encoder.h"', ""]
    for name, table in encoder.tables.items():
        values = map(str, table.tolist())
        lines += _array(f"static const {types[str(table.dtype)]} {name}", values, table.size)
    lines += [f"static {name}[{size}];" for name, size in encoder.buffers.items() if size]
    used = {*encoder.tables, *(name.split()[1] for name, size in encoder.buffers.items() if size)}
    pointers = (*TABLES, *(name.split()[1] for name in encoder.buffers))
    lines += [
        "",
        "const pm_encoder pumice_encoder = {",
        f"    {', '.join(name if name in used else 'NULL' for name in pointers)},",
        f"    {_format_record(encoder.sizes.values())},",
        f"    UINT32_C({encoder.sizes_crc:#010x}), UINT32_C({encoder.crc:#010x})}};",
    ]
    return "\n".join(lines) + "\n"


def format_plasticity(plasticity: PlasticityTables) -> str:
    """Format the constants and buffers of plasticity, which `pumice_tables.c` ends with."""
    sizes = plasticity.sizes
    rules = (_format_population(rule) for rule in plasticity.rules)
    tags = map(str, plasticity.tags.tolist())
    lines = [
        "",
        '#include "pumice_plasticity.h"',
        "",
        *_array("static const pm_rule rules", rules, len(plasticity.rules)),
        *_array("static const uint8_t tags", tags, sizes["tags"]),
        f"static uint8_t plastic[{max(1, sizes['weights'])}], traces[{sizes['traces']}];",
        f"static uint32_t seeds[{len(plasticity.rules)}];",
        "",
        "const pm_plasticity pumice_plasticity = {",
        "    rules, tags, plastic, traces, seeds,",
        f"    {_format_record(sizes.values())},",
        f"    UINT32_C({plasticity.sizes_crc:#010x}), UINT32_C({plasticity.crc:#010x})}};",
    ]
    return "\n".join(lines) + "\n"


def _example_of(encoder: EncoderTables | None) -> str:
    """Name the example program for what the firmware takes."""
    if encoder is None:
        return "main.c"
    return "main_waveform.c" if encoder.takes_waveform else "main_values.c"


def population_macros(populations: Iterable[Population]) -> dict[str, str]:
    """Name the populations by macros: letters, digits and `_`, each once."""
    macros: dict[str, str] = {}
    for population in populations:
        base = re.sub(r"\W", "_", population.name).upper()
        name, number = base, 2
        while name in macros.values():
            name, number = f"{base}_{number}", number + 1
        macros[population.name] = name
    return macros


def _interface(network: Network, tables: FirmwareTables) -> str:
    """Format `pumice.h`."""
    output = network.population(network.output)
    populations = (*network.inputs, *network.topological_order)
    macros = population_macros(populations)
    lines = [
        '#include "pumice_core.h"',
        *(['#include "pumice_encoder.h"'] if tables.encoder else []),
        *(['#include "pumice_plasticity.h"'] if tables.plasticity else []),
        "",
        f'#define PUMICE_NETWORK_SHA256 "{network_digest(network)}"',
        f"#define PUMICE_INPUT_SIZE {tables.sizes['input']} /* bytes that pumice_step takes */",
        *_raw_macros(tables.encoder),
        *_plasticity_macros(tables.plasticity),
        *_timestep_macro(network),
        f"#define PUMICE_CLASSES {output.neurons} /* logits */",
        f"#define PUMICE_TABLE_BYTES {tables.table_bytes} /* constants, in flash */",
        f"#define PUMICE_BUFFER_BYTES {tables.buffer_bytes} /* buffers, in RAM */",
        "",
        "/* Populations, for pumice_sent and pumice_voltage; the inputs first, in their order. */",
    ]
    for number, population in enumerate(populations):
        shape = " x ".join(map(str, population.shape))
        name = f"PUMICE_POPULATION_{macros[population.name]}"
        lines.append(f"#define {name} {number} /* {population.kind}, {shape} */")
    return _guard("PUMICE_H", "A spiking network as firmware, written by pumice.", lines)


def _timestep_macro(network: Network) -> list[str]:
    """Macro of the timesteps of a training sample, where the recipe is known."""
    recipe = network.provenance.get("recipe")
    data = recipe.get("data") if isinstance(recipe, Mapping) else None
    timesteps = data.get("timesteps") if isinstance(data, Mapping) else None
    if not isinstance(timesteps, int):
        return []
    return [f"#define PUMICE_TIMESTEPS {timesteps} /* of a training sample */"]


def _raw_macros(encoder: EncoderTables | None) -> list[str]:
    """Macros of what the encoder takes."""
    if encoder is None:
        return []
    function = "pumice_encode_waveform" if encoder.takes_waveform else "pumice_encode_values"
    unit = "samples" if encoder.takes_waveform else "bytes"
    lines = [f"#define PUMICE_RAW_SIZE {encoder.sizes['raw']} /* {unit} that {function} takes */"]
    if encoder.features["PUMICE_STANDARDIZE"]:
        mean = f"((int16_t)pumice_encoder.mean[(i) % {encoder.sizes['bands']}])"
        lines.append(f"#define PUMICE_PADDING(i) {mean} /* entry i after the end of a series */")
    elif encoder.takes_waveform:
        lines.append("#define PUMICE_PADDING(i) 0 /* sample i after the end of a waveform */")
    return lines


def _plasticity_macros(plasticity: PlasticityTables | None) -> list[str]:
    """Macros of what learns."""
    if plasticity is None:
        return []
    size = plasticity.sizes["weights"]
    return [
        f"#define PUMICE_PLASTIC_BYTES {size} /* weights that learn, pumice_plasticity.weights */"
    ]


def _guard(macro: str, about: str, lines: list[str]) -> str:
    body = [f"/* {about} */", f"#ifndef {macro}", f"#define {macro}", "", *lines, "", "#endif"]
    return "\n".join(body) + "\n"


def _format_record(values: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def _format_population(row: object) -> str:
    assert isinstance(row, dict)
    values = (_format_record(v) if isinstance(v, tuple) else str(v) for v in row.values())
    return "{" + ", ".join(values) + "}"


def _array(declaration: str, values: Iterable[str], size: int) -> Iterator[str]:
    """Format an array, of one zero where it has no values: C knows no empty ones."""
    yield f"{declaration}[{max(1, size)}] = {{"
    line = "   "
    for value in values:
        if len(line) + len(value) + 2 > LINE_WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {value},"
    if line.strip() or size == 0:
        yield line if line.strip() else "    0"
    yield "};"
