"""Random wiring of excitatory and inhibitory neurons in a box, by distance."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import ValueEquality
from ...runtime.errors import NetworkError

SYNAPSE_CLASSES = ("input", "ee", "ei", "ie", "ii")
IntArray = NDArray[np.int32]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class PopulationSizes:
    """Number of inputs, excitatory and inhibitory neurons; indices are in this order."""

    inputs: int
    excitatory: int
    inhibitory: int

    @property
    def neurons(self) -> int:
        """Number of neurons; the index of neuron k as a source is `inputs` + k."""
        return self.excitatory + self.inhibitory

    @property
    def populations(self) -> dict[str, slice]:
        """Slices of the populations in arrays of neurons."""
        return {
            "excitatory": slice(0, self.excitatory),
            "inhibitory": slice(self.excitatory, self.neurons),
        }


@dataclass(frozen=True, eq=False)
class Wiring(ValueEquality):
    """Synapses sorted by source, then target: int32 (synapses,) arrays, read-only.

    `sources`: indices of inputs, then neurons. `targets`: indices of neurons. `classes`: indices
    into `SYNAPSE_CLASSES`. `indptr` (sources + 1,): start of the synapses of each source, as in
    CSR. Raises `NetworkError` where an index is out of range or a population has no synapses.
    """

    sizes: PopulationSizes
    sources: IntArray
    targets: IntArray
    classes: IntArray
    indptr: IntArray = field(init=False)

    def __post_init__(self) -> None:
        order = np.lexsort((self.targets, self.sources))
        for name in ("sources", "targets", "classes"):
            array = np.asarray(getattr(self, name), np.int32)[order]
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        for name, count in (
            ("sources", self.sizes.inputs + self.sizes.neurons),
            ("targets", self.sizes.neurons),
        ):
            array = getattr(self, name)
            if array.size and not 0 <= array.min() <= array.max() < count:
                raise NetworkError(f"{name}: {array.min()}..{array.max()}, needs 0..{count - 1}")
        for name, part in self.sizes.populations.items():
            onto_population = (self.targets >= part.start) & (self.targets < part.stop)
            if not onto_population.any():
                raise NetworkError(
                    f"{name}: has no incoming synapses, needs inputs or recurrent synapses"
                )
        indptr = csr_indptr(self.sources, self.sizes.inputs + self.sizes.neurons)
        object.__setattr__(self, "indptr", indptr)


def csr_indptr(indices: IntArray, count: int) -> IntArray:
    """CSR index pointer of sorted `indices` in 0..`count` - 1, int32 (count + 1,)."""
    counts = np.bincount(indices, minlength=count)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def sample_positions(count: int, generator: np.random.Generator) -> Values:
    """Sample positions in the unit box, float64 (count, 3)."""
    return generator.random((count, 3))


def pixel_positions(shape: tuple[int, int, int]) -> Values:
    """Positions of inputs of `shape` (channels, height, width), float64 (inputs, 3).

    They are on the face z = 0 of the box; all channels of a pixel have the same position.
    """
    _, row, column = np.indices(shape).reshape(3, -1)
    return np.stack([(column + 0.5) / shape[2], (row + 0.5) / shape[1], np.zeros(row.size)], axis=1)


def sample_neighbors(
    sources: Values,
    targets: Values,
    degree: int,
    length_scale: float,
    generator: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    """Sample `degree` distinct sources for each target; returns source and target indices.

    The probability of a source at distance D is proportional to exp(-(D / length_scale)^2) (Maass,
    Natschlaeger and Markram, Neural Computation 14:2531, 2002). Sampling is without replacement, by
    the largest of log probability + Gumbel noise (Kool, van Hoof and Welling, ICML 2019). A source
    at distance 0 is the target itself and is excluded.
    """
    square = ((targets[:, None] - sources[None]) ** 2).sum(axis=2)
    keys = -square / length_scale**2 + generator.gumbel(size=square.shape)
    keys[square == 0] = -np.inf
    degree = min(degree, int((square > 0).sum(axis=1).min(initial=len(sources))))
    chosen = np.argsort(-keys, axis=1, kind="stable")[:, :degree]
    rows = np.repeat(np.arange(len(targets)), degree)
    return chosen.reshape(-1).astype(np.int32), rows.astype(np.int32)
