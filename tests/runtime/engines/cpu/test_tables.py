"""The checksum of the tables: its definition, and that the core refuses tables without it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from every_connection import every_connection

from pumice.runtime import Dense, EarlyExit, Network, Population, Projection
from pumice.runtime.engines.cpu.compile import compile_network
from pumice.runtime.engines.cpu.costs import COSTS
from pumice.runtime.engines.cpu.tables import HEADER, POPULATION, CoreTables
from pumice.runtime.errors import EngineError

core: Any = pytest.importorskip("pumice.runtime.engines.cpu._core")


@pytest.fixture(scope="module")
def tables() -> CoreTables:
    return compile_network(every_connection(), COSTS["scalar"])


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4), bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_the_checksum_is_crc_32c_of_all_tables(tables: CoreTables) -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of its catalogue entry
    content = b"".join(array.tobytes() for array in tables.arrays()[1:])
    assert tables["crc"] % 2**32 == crc32c(tables.header[:-1].tobytes() + content)


def test_a_flipped_bit_is_found_at_load(tables: CoreTables) -> None:
    core.load(tables.arrays())
    random = np.random.default_rng(0)
    for number, array in enumerate(tables.arrays()):
        for bit in random.integers(0, 8 * array.nbytes, min(64, 8 * array.nbytes)):
            arrays = [each.copy() for each in tables.arrays()]
            arrays[number].reshape(-1).view(np.uint8)[bit // 8] ^= 1 << bit % 8
            with pytest.raises(ValueError, match="core: the tables"):
                core.load(tuple(arrays))


def test_a_changed_weight_is_named(tables: CoreTables) -> None:
    arrays = [each.copy() for each in tables.arrays()]
    arrays[3][100] ^= 1
    with pytest.raises(ValueError, match="have changed since they were compiled: their CRC-32C"):
        core.load(tuple(arrays))


def test_sealed_tables_are_loaded(tables: CoreTables) -> None:
    changed = CoreTables(*(each.copy() for each in tables.arrays()))
    changed.weights[100] ^= 1
    changed.seal()
    core.load(changed.arrays())


def test_a_core_of_other_sources_is_an_error_of_one_line(tables: CoreTables) -> None:
    other = replace(tables, header=np.append(tables.header, np.int32(0)))
    with pytest.raises(EngineError, match="built from other sources .* build it again"):
        other.seal()


@pytest.mark.parametrize(
    ("row", "column", "change"),
    [
        (-1, "into_last", -1),  # the last projection is left out
        (-1, "into_first", 1),  # one between two populations
        (-1, "into_first", -1),  # one belongs to two populations
        (-2, "into_last", -1),
        (1, "into_first", 1),  # the first is left out
    ],
)
def test_each_projection_is_that_of_one_population(
    tables: CoreTables, row: int, column: str, change: int
) -> None:
    changed = CoreTables(*(each.copy() for each in tables.arrays()))
    changed.populations[row][POPULATION.index(column)] += change
    changed.seal()
    with pytest.raises(ValueError, match="core: the tables"):
        core.load(changed.arrays())


def test_an_early_exit_of_one_neuron_is_refused() -> None:
    populations = (
        Population("in", (3,), kind="input"),
        Population("one", (1,)),
        Population("out", (2,), kind="integrator"),
    )
    projections = (
        Projection("first", "in", "one", Dense(np.ones((1, 3)))),
        Projection("second", "one", "out", Dense(np.ones((2, 1)))),
    )
    network = Network(populations, projections, early_exit=EarlyExit((5, 5)))
    tables = compile_network(network, COSTS["scalar"])
    core.load(tables.arrays())
    tables.header[HEADER.index("output")] = 1
    tables.seal()
    with pytest.raises(ValueError, match="core: the tables"):
        core.load(tables.arrays())
