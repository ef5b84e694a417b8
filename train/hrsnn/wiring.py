"""Who reaches whom: excitatory and inhibitory neurons in a box, near ones joined more often."""

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
    """How many inputs, excitatory and inhibitory neurons there are, numbered in this order."""

    inputs: int
    excitatory: int
    inhibitory: int

    @property
    def neurons(self) -> int:
        """Excitatory and inhibitory ones; the number of neuron k as a source is `inputs` + k."""
        return self.excitatory + self.inhibitory

    @property
    def populations(self) -> dict[str, slice]:
        """Where each population stands among the neurons."""
        return {
            "excitatory": slice(0, self.excitatory),
            "inhibitory": slice(self.excitatory, self.neurons),
        }


@dataclass(frozen=True, eq=False)
class Wiring(ValueEquality):
    """A list of synapses, sorted by source, then target: int32 (synapses,) each, read-only.

    `sources` count inputs first, then neurons; `targets` count neurons alone. `classes` says which
    of `CLASSES` a synapse belongs to; `starts` (sources + 1,) where those of each source start.
    Raises `NetworkError` where a number is out of range or nothing reaches a population.
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
        for name, most in (
            ("sources", self.sizes.inputs + self.sizes.neurons),
            ("targets", self.sizes.neurons),
        ):
            array = getattr(self, name)
            if array.size and not 0 <= array.min() <= array.max() < most:
                raise NetworkError(f"{name}: {array.min()}..{array.max()}, needs 0..{most - 1}")
        for name, part in self.sizes.populations.items():
            reached = (self.targets >= part.start) & (self.targets < part.stop)
            if not reached.any():
                raise NetworkError(
                    f"{name}: nothing projects to it; give it inputs or recurrent synapses"
                )
        starts = csr_indptr(self.sources, self.sizes.inputs + self.sizes.neurons)
        object.__setattr__(self, "indptr", starts)


def csr_indptr(numbers: IntArray, count: int) -> IntArray:
    """Return where each of 0..`count` - 1 starts once `numbers` are sorted, int32 (count + 1,)."""
    counts = np.bincount(numbers, minlength=count)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def sample_positions(count: int, generator: np.random.Generator) -> Values:
    """Return places in the unit box, float64 (count, 3)."""
    return generator.random((count, 3))


def pixel_positions(shape: tuple[int, int, int]) -> Values:
    """Return where inputs of `shape` (channels, height, width) stand, float64 (inputs, 3).

    They lie on the face z = 0 of the box, all channels of a pixel in one place.
    """
    _, row, column = np.indices(shape).reshape(3, -1)
    return np.stack([(column + 0.5) / shape[2], (row + 0.5) / shape[1], np.zeros(row.size)], axis=1)


def sample_neighbors(
    sources: Values, targets: Values, degree: int, reach: float, generator: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw for each target `degree` different sources; return their numbers, then the targets'.

    The odds of a source at distance D are exp(-(D / reach)^2) (Maass, Natschlaeger and Markram,
    Neural Computation 14:2531, 2002). Drawn without putting back, by the largest of
    log odds + Gumbel noise (Kool, van Hoof and Welling, ICML 2019). A source at distance 0 is
    the target itself and is left out.
    """
    square = ((targets[:, None] - sources[None]) ** 2).sum(axis=2)
    keys = -square / reach**2 + generator.gumbel(size=square.shape)
    keys[square == 0] = -np.inf
    degree = min(degree, int((square > 0).sum(axis=1).min(initial=len(sources))))
    chosen = np.argsort(-keys, axis=1, kind="stable")[:, :degree]
    rows = np.repeat(np.arange(len(targets)), degree)
    return chosen.reshape(-1).astype(np.int32), rows.astype(np.int32)
