"""Synaptic memory of a core: bits per synapse, and memory words per list of synapses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Projection, Sparse
from ...runtime.connections import Connection, SumPool
from ..targets.target import Synapse
from .slice_fan_in import SliceFanIn

IntArray = NDArray[np.int64]


def has_shared_kernel(synapse: Synapse, connection: Connection) -> bool:
    """True if a core stores the kernel of `connection` once, for all pixels it holds."""
    return isinstance(connection, Conv | SumPool) and synapse.convolution.value != "neuron"


def stored_weight_bits(connection: Connection) -> int:
    """Compute the bits that store each weight, without the power of two common to all.

    Two's complement if signs are mixed; the power of two goes into the layer's exponent.
    """
    values = connection.weight if isinstance(connection, SumPool) else connection.weights
    weights = np.atleast_1d(np.asarray(values, np.int64))
    union = int(np.bitwise_or.reduce(np.abs(weights), axis=None))
    common = max(union & -union, 1)
    low, high = (int(x) // common for x in (weights.min(initial=0), weights.max(initial=0)))
    if low < 0 < high:
        return 1 + max((-low - 1).bit_length(), high.bit_length())
    return max(-low, high, 1).bit_length()


def synapse_bits(synapse: Synapse, projection: Projection, lag: int) -> int:
    """Compute the bits of each synapse of `projection`, whose messages travel `lag` steps.

    These are the bits of the weight, of the delay beyond the first step, and of an index unless the
    kernel is shared.
    """
    connection = projection.connection
    bits = stored_weight_bits(connection) + (lag - 1).bit_length()
    if has_shared_kernel(synapse, connection):
        return bits
    sparse = isinstance(connection, Sparse | Conv | SumPool)
    index = synapse.sparse_index_bits if sparse else synapse.dense_index_bits
    return bits + index.value


def synapse_list_words(synapse: Synapse, synapses: NDArray[Any], bits: int) -> IntArray:
    """Compute the memory words of lists of `synapses` synapses each, int64 of the same shape.

    ceil((n * bits + head) / word) for each piece of a list that is split: for Loihi 2 the rule of
    its compiler's tables, for Loihi 1 that of nengo-loihi. A list without synapses takes no words.
    """
    head, word = synapse.list_bits.value, synapse.word_bits.value
    piece = synapse.list_synapses.value if synapse.list_synapses else np.iinfo(np.int64).max
    full, rest = np.divmod(np.asarray(synapses, np.int64), piece)
    words_per_piece = -(-(min(piece, 1 << 40) * bits + head) // word)
    words: IntArray = full * words_per_piece + np.where(
        rest > 0, -(-(rest * bits + head) // word), 0
    )
    return words


def slice_synapse_words(
    synapse: Synapse, connection: Connection, fan_in: SliceFanIn, bits: int
) -> int:
    """Compute the memory words of the synapses of `connection` on the slice of `fan_in`."""
    if has_shared_kernel(synapse, connection):
        assert isinstance(connection, Conv | SumPool)
        taps = connection.kernel[0] * connection.kernel[1]
        any_synapse = all(axis.any() for axis in fan_in.axes)
        return taps * int(synapse_list_words(synapse, fan_in.axes[0], bits).sum()) * any_synapse
    # Each axis has few distinct values: compute each combination of them once.
    lengths, counts = np.ones(1, np.int64), np.ones(1, np.int64)
    for axis in fan_in.axes:
        own_lengths, own_counts = np.unique(axis, return_counts=True)
        lengths = np.outer(lengths, own_lengths).ravel()
        counts = np.outer(counts, own_counts).ravel()
    return int(synapse_list_words(synapse, lengths, bits) @ counts)


def slice_axon_count(synapse: Synapse, connection: Connection, fan_in: SliceFanIn) -> int:
    """Count the synapse lists that messages select on the slice of `fan_in`."""
    if not has_shared_kernel(synapse, connection):
        return fan_in.sources
    return min(fan_in.pixels, 1) if synapse.convolution.value == "projection" else fan_in.pixels
