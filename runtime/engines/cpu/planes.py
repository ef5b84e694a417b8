"""Messages with a sign or of more than 8 bits, as planes of bytes that the C core reads.

The core sends bytes. A population with wider messages is several of its populations: the bytes of
the magnitudes of its positive messages, lowest first, then those of its negative ones, whose
weights count negatively. Sums of 32 bits may wrap on the way, and an exponent below 0 is exact for
each plane: weights times two to its power are integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...network import Network
from ...population import Population


@dataclass(frozen=True)
class Plane:
    """Messages of one population of the core: a byte of the magnitudes of messages of one sign.

    Attributes:
        population: Population whose messages they are.
        byte: Number of the byte, 0 for the lowest.
        negative: Whether it is of the negative messages.
    """

    population: Population
    byte: int = 0
    negative: bool = False

    @property
    def is_first(self) -> bool:
        """True where it stands for the population: states and synapses are its own."""
        return not self.byte and not self.negative

    @property
    def sent(self) -> Population:
        """Population of the core's values, as a source of projections."""
        if self.population.value_type is np.uint8:
            return self.population
        return Population(self.population.name, self.population.shape, "input", value_bits=8)


def list_planes(network: Network) -> list[Plane]:
    """List the populations of the core: inputs, then the others in topological order."""
    planes = []
    for population in (*network.inputs, *network.topological_order):
        if population.value_type is np.uint8:
            planes.append(Plane(population))
            continue
        count = -(-population.value_bits // 8)
        signs = (False, True) if population.signed else (False,)
        planes += [Plane(population, byte, sign) for sign in signs for byte in range(count)]
    return planes


def split_values(plane: Plane, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Extract a plane from messages of any shape."""
    if plane.population.value_type is np.uint8:
        return np.ascontiguousarray(values, np.uint8)
    wide = values.astype(np.int64)
    magnitudes = np.maximum(-wide if plane.negative else wide, 0)
    return np.ascontiguousarray(magnitudes >> 8 * plane.byte & 255, np.uint8)


def join_values(planes: Sequence[Plane], values: Sequence[NDArray[np.uint8]]) -> NDArray[np.int32]:
    """Join the planes of a population to its messages."""
    total = np.zeros(values[0].shape, np.int32)
    for plane, part in zip(planes, values, strict=True):
        part32 = part.astype(np.int32) << 8 * plane.byte
        total += -part32 if plane.negative else part32
    return total
