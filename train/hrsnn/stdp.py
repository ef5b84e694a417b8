"""Spike-timing-dependent plasticity (STDP) with per-synapse constants.

For a synapse from j to i with weight w, and spikes s of 0 or 1 at step t:

    x[t] = exp(-1 / tau_plus) x[t-1] + s_j[t]          y[t] = exp(-1 / tau_minus) y[t-1] + s_i[t]
    dw   = s_i[t] A_plus x[t] (w_max - w) - s_j[t] A_minus y[t] w

Pair-based with all-to-all pairing and soft bounds, so weights stay within 0..w_max (Guetig et al.,
J. Neuroscience 23:3697, 2003). A pair of spikes dt apart changes w by +-A exp(-|dt| / tau) times
the distance to the bound; at dt = 0 both windows count, as in Lava's learning connections. In a
batch every sample has its own traces, and the weights change by the mean over samples.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .kernels import stdp_step
from .options import SYNAPSE_DISTRIBUTIONS, HrsnnOptions
from .wiring import SYNAPSE_CLASSES, Wiring, csr_indptr

FloatArray = NDArray[np.floating[Any]]


class StdpParams(NamedTuple):
    """Per-synapse STDP constants of all synapses of sources `first_source`..`last_source` - 1.

    These are the synapses from index `first_synapse`. `decay_plus`, `decay_minus`: decay factor of
    a trace per step, exp(-1 / tau); `a_plus`, `a_minus`: A+ and A- times the learning rate;
    `w_max`: upper bound of the weight. Each (plastic,); a synapse with A+ = A- = 0 does not learn.
    Synapses onto neuron i are `incoming[incoming_indptr[i]:incoming_indptr[i + 1]]`, counted from
    `first_synapse`.
    """

    first_source: int
    last_source: int
    first_synapse: int
    incoming: NDArray[np.int32]
    incoming_indptr: NDArray[np.int32]
    decay_plus: FloatArray
    decay_minus: FloatArray
    a_plus: FloatArray
    a_minus: FloatArray
    w_max: FloatArray


def sample_stdp_params(
    wiring: Wiring,
    options: HrsnnOptions,
    w_max: FloatArray,
    generator: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> StdpParams:
    """Sample the constants of all synapses; `w_max` (synapses,) are their upper bounds."""
    classes = [SYNAPSE_CLASSES.index(name) for name in options.plastic]
    plastic = np.isin(wiring.classes, classes)
    count = len(wiring.sources)
    plus, minus, tau_plus, tau_minus = (
        getattr(options, name).sample(count, generator) for name in SYNAPSE_DISTRIBUTIONS
    )
    sources = wiring.sources[plastic]
    first, last = (int(sources.min()), int(sources.max()) + 1) if sources.size else (0, 0)
    begin, end = wiring.indptr[first], wiring.indptr[last]
    arrays = (
        np.exp(-1 / tau_plus),
        np.exp(-1 / tau_minus),
        options.learning_rate * plus * plastic,
        options.learning_rate * minus * plastic,
        w_max,
    )
    targets = wiring.targets[begin:end]
    return StdpParams(
        first,
        last,
        int(begin),
        np.argsort(targets, kind="stable").astype(np.int32),
        csr_indptr(targets, wiring.sizes.neurons),
        *(array[begin:end].astype(dtype) for array in arrays),
    )


class Traces(NamedTuple):
    """STDP traces `x` and `y` (batch, plastic), and workspace `change` (plastic,)."""

    x: FloatArray
    y: FloatArray
    change: FloatArray


def zero_traces(stdp: StdpParams, batch: int) -> Traces:
    """Traces of a batch at rest."""
    size = len(stdp.a_plus)
    dtype = stdp.a_plus.dtype
    return Traces(np.zeros((batch, size), dtype), np.zeros((batch, size), dtype),
                  np.zeros(size, dtype))  # fmt: skip


def stdp_update(
    wiring: Wiring,
    stdp: StdpParams,
    weights: FloatArray,
    traces: Traces,
    pre: FloatArray,
    post: FloatArray,
) -> None:
    """Apply one timestep of STDP; `weights` (synapses,) and traces change in place.

    `pre` (batch, inputs + neurons) and `post` (batch, neurons) hold 0 and 1, of the same type.
    """
    stdp_step(wiring.indptr, weights, stdp, pre, post, *traces)
