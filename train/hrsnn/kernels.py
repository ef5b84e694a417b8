"""Compiled loops of simulation and STDP: one batch with all its timesteps, without Python.

Precision, float32 or float64, is that of the arrays.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import njit_cached

FloatArray = NDArray[np.floating[Any]]
ByteArray = NDArray[np.uint8]
IntArray = NDArray[np.int32]

ACTIVITY_SMOOTHING = 0.2  # weight of the newest timestep in the moving average of activity

jit_kernel = njit_cached(nogil=True, error_model="numpy")


@jit_kernel
def propagate(
    active: ByteArray,
    first_source: int,
    indptr: IntArray,
    targets: IntArray,
    weights: FloatArray,
    out: FloatArray,
) -> int:
    """Add the weights of active sources to `out` (neurons,); returns the number of synapses."""
    events = 0
    for k in range(len(active)):
        if active[k]:
            begin, end = indptr[first_source + k], indptr[first_source + k + 1]
            events += end - begin
            for s in range(begin, end):
                out[targets[s]] += weights[s]
    return events


@jit_kernel
def lif_step(
    voltage: FloatArray,
    decay_factor: FloatArray,
    threshold: FloatArray,
    activation: FloatArray,
    spikes: ByteArray,
) -> None:
    """Advance LIF neurons by a timestep: v = decay_factor v + a; where v > threshold, v = 0."""
    for i in range(len(voltage)):
        v = decay_factor[i] * voltage[i] + activation[i]
        spike = v > threshold[i]
        spikes[i] = spike
        voltage[i] = 0 if spike else v


@jit_kernel
def stdp_step(
    indptr: IntArray,
    weights: FloatArray,
    stdp: Any,
    pre: FloatArray,
    post: FloatArray,
    x: FloatArray,
    y: FloatArray,
    change: FloatArray,
) -> None:
    """Apply one timestep of STDP to a batch; equations in `stdp`.

    `pre` (batch, sources) and `post` (batch, neurons) are nonzero where there is a spike. The
    traces `x` and `y` (batch, plastic) and `weights` are updated in place; `change` (plastic,) is
    workspace. Traces decay in contiguous loops; the rest is event-driven, by row and by column.
    """
    mean = weights.dtype.type(1) / weights.dtype.type(len(pre))
    plastic = weights[stdp.first_synapse : stdp.first_synapse + len(change)]
    change[:] = 0
    for b in range(len(pre)):
        decay_traces(x[b], stdp.decay_plus)
        decay_traces(y[b], stdp.decay_minus)
        for i in range(post.shape[1]):
            if post[b, i]:
                for at in range(stdp.incoming_indptr[i], stdp.incoming_indptr[i + 1]):
                    y[b, stdp.incoming[at]] += 1
        for j in range(stdp.first_source, stdp.last_source):
            if pre[b, j]:
                for k in range(indptr[j] - stdp.first_synapse, indptr[j + 1] - stdp.first_synapse):
                    x[b, k] += 1
                    change[k] -= stdp.a_minus[k] * y[b, k] * plastic[k]
        for i in range(post.shape[1]):
            if post[b, i]:
                for at in range(stdp.incoming_indptr[i], stdp.incoming_indptr[i + 1]):
                    k = stdp.incoming[at]
                    change[k] += stdp.a_plus[k] * x[b, k] * (stdp.w_max[k] - plastic[k])
    for k in range(len(change)):
        plastic[k] = min(max(plastic[k] + mean * change[k], weights.dtype.type(0)), stdp.w_max[k])


@jit_kernel
def decay_traces(traces: FloatArray, decay_factor: FloatArray) -> None:
    """Multiply traces by their decay factors."""
    for k in range(len(traces)):
        traces[k] *= decay_factor[k]


@jit_kernel
def run_batch(
    indptr: IntArray,
    targets: IntArray,
    weights: FloatArray,
    stdp: Any,
    decay_factor: FloatArray,
    threshold: FloatArray,
    events: ByteArray,
    plastic: bool,
    max_activity: FloatArray,
    ends: IntArray,
    spikes: ByteArray,
    synops: NDArray[np.int64],
) -> tuple[int, int]:
    """Run a batch of samples from the resting state; with `plastic`, `weights` learn.

    `events` (timesteps, batch, inputs) is read, `spikes` (timesteps, batch, neurons) written, and
    synaptic operations are added to `synops` (batch,). Returns the timestep and the population
    (which ends at neuron `ends`) whose fraction of firing neurons, as a moving average over time,
    exceeds `max_activity`; (-1, -1) where there is none.
    """
    timesteps, batch, inputs = events.shape
    neurons = len(decay_factor)
    voltage = np.zeros((batch, neurons), weights.dtype)
    activation = np.zeros((batch, neurons), weights.dtype)
    pre = np.zeros((batch, inputs + neurons), weights.dtype)
    synapses = len(stdp.a_plus) if plastic else 0
    x = np.zeros((batch, synapses), weights.dtype)
    y = np.zeros((batch, synapses), weights.dtype)
    change = np.zeros(synapses, weights.dtype)
    activity = np.zeros(len(ends))
    for t in range(timesteps):
        for b in range(batch):
            synops[b] += propagate(events[t, b], 0, indptr, targets, weights, activation[b])
            lif_step(voltage[b], decay_factor, threshold, activation[b], spikes[t, b])
            activation[b] = 0
            synops[b] += propagate(spikes[t, b], inputs, indptr, targets, weights, activation[b])
            pre[b, :inputs] = events[t, b]
            pre[b, inputs:] = spikes[t, b]
        if plastic:
            post = pre[:, inputs:]
            stdp_step(indptr, weights, stdp, pre, post, x, y, change)
        first = 0
        for k in range(len(ends)):
            count = 0
            for b in range(batch):
                for i in range(first, ends[k]):
                    count += spikes[t, b, i]
            fraction = count / (batch * (ends[k] - first))
            activity[k] += ACTIVITY_SMOOTHING * (fraction - activity[k])
            if activity[k] > max_activity[k]:
                return t, k
            first = ends[k]
    return -1, -1
