"""How synapses lie in a core's memory: the bits of each, and the words of each list."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Projection, Sparse
from ...runtime.connections import Connection, SumPool
from ..targets.target import Synapse
from .slice_fan_in import SliceFanIn

IntArray = NDArray[np.int64]


def has_shared_kernel(synapse: Synapse, connection: Connection) -> bool:
    """Whether a core holds the kernel of `connection` once, whatever pixels are on it."""
    return isinstance(connection, Conv | SumPool) and synapse.convolution.value != "neuron"


def weight_bits(connection: Connection) -> int:
    """Return how many bits hold each weight once the power of two common to all is left out.

    Two's complement where signs are mixed; the power of two goes into the layer's exponent.
    """
    given = connection.weight if isinstance(connection, SumPool) else connection.weights
    weights = np.atleast_1d(np.asarray(given, np.int64))
    union = int(np.bitwise_or.reduce(np.abs(weights), axis=None))
    common = max(union & -union, 1)
    low, high = (int(x) // common for x in (weights.min(initial=0), weights.max(initial=0)))
    if low < 0 < high:
        return 1 + max((-low - 1).bit_length(), high.bit_length())
    return max(-low, high, 1).bit_length()


def synapse_bits(synapse: Synapse, projection: Projection, lag: int) -> int:
    """Return the bits of each synapse of `projection`, whose messages travel `lag` steps.

    The weight, the steps it waits beyond the first, and an index where a kernel is not shared.
    """
    connection = projection.connection
    bits = weight_bits(connection) + (lag - 1).bit_length()
    if has_shared_kernel(synapse, connection):
        return bits
    listed = isinstance(connection, Sparse | Conv | SumPool)
    index = synapse.sparse_index_bits if listed else synapse.dense_index_bits
    return bits + index.value


def synapse_list_words(synapse: Synapse, synapses: NDArray[Any], bits: int) -> IntArray:
    """Return how many words lists of so many `synapses` take, int64 of the same shape.

    ceil((n * bits + head) / word), for each piece of a list that is cut: for Loihi 2 the rule of
    its compiler's tables, for Loihi 1 that of nengo-loihi. A list without synapses takes none.
    """
    head, word = synapse.list_bits.value, synapse.word_bits.value
    piece = synapse.list_synapses.value if synapse.list_synapses else np.iinfo(np.int64).max
    full, rest = np.divmod(np.asarray(synapses, np.int64), piece)
    whole = -(-(min(piece, 1 << 40) * bits + head) // word)
    words: IntArray = full * whole + np.where(rest > 0, -(-(rest * bits + head) // word), 0)
    return words


def slice_synapse_words(
    synapse: Synapse, connection: Connection, reach: SliceFanIn, bits: int
) -> int:
    """Return how many words hold the synapses of `connection` on the slice that `reach` meets."""
    if has_shared_kernel(synapse, connection):
        assert isinstance(connection, Conv | SumPool)
        taps = connection.kernel[0] * connection.kernel[1]
        seen = all(axis.any() for axis in reach.axes)
        return taps * int(synapse_list_words(synapse, reach.axes[0], bits).sum()) * seen
    # Few different numbers stand in each axis: price each combination of them once.
    values, times = np.ones(1, np.int64), np.ones(1, np.int64)
    for axis in reach.axes:
        own, often = np.unique(axis, return_counts=True)
        values, times = np.outer(values, own).ravel(), np.outer(times, often).ravel()
    return int(synapse_list_words(synapse, values, bits) @ times)


def slice_axon_count(synapse: Synapse, connection: Connection, reach: SliceFanIn) -> int:
    """Return how many lists messages select on the slice that `reach` meets."""
    if not has_shared_kernel(synapse, connection):
        return reach.sources
    return min(reach.pixels, 1) if synapse.convolution.value == "projection" else reach.pixels
