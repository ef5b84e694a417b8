"""The loops of learning, compiled by numba: one batch, all its steps, no Python between.

They take their precision, float32 or float64, from the arrays they are given.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
ByteArray = NDArray[np.uint8]
IntArray = NDArray[np.int32]

ACTIVITY_SMOOTHING = 0.2  # of the newest step in the mean that shows a runaway

jit_kernel = njit(nogil=True, cache=True, error_model="numpy")


@jit_kernel
def propagate(
    active: ByteArray,
    first: int,
    starts: IntArray,
    targets: IntArray,
    weights: FloatArray,
    onto: FloatArray,
) -> int:
    """Add the weights of all that is `active` to `onto` (neurons,); return how many synapses."""
    events = 0
    for k in range(len(active)):
        if active[k]:
            begin, end = starts[first + k], starts[first + k + 1]
            events += end - begin
            for s in range(begin, end):
                onto[targets[s]] += weights[s]
    return events


@jit_kernel
def lif_step(
    voltage: FloatArray,
    kept: FloatArray,
    threshold: FloatArray,
    activation: FloatArray,
    spikes: ByteArray,
) -> None:
    """Advance neurons by a step: v = kept v + a; a spike where v > threshold, and v = 0."""
    for i in range(len(voltage)):
        v = kept[i] * voltage[i] + activation[i]
        spike = v > threshold[i]
        spikes[i] = spike
        voltage[i] = 0 if spike else v


@jit_kernel
def stdp_step(
    starts: IntArray,
    weights: FloatArray,
    rule: Any,
    pre: FloatArray,
    post: FloatArray,
    x: FloatArray,
    y: FloatArray,
    change: FloatArray,
) -> None:
    """Do one step of STDP for a batch; see `stdp` for the equations.

    `pre` (batch, sources) and `post` (batch, neurons) are not 0 where there is a spike, `x` and `y`
    (batch, plastic) the traces, which it advances, `change` (plastic,) is room to work in. Traces
    decay in straight runs; the rest follows the spikes, by row and by column.
    """
    share = weights.dtype.type(1) / weights.dtype.type(len(pre))
    learning = weights[rule.first_synapse : rule.first_synapse + len(change)]
    change[:] = 0
    for b in range(len(pre)):
        decay_traces(x[b], rule.decay_plus)
        decay_traces(y[b], rule.decay_minus)
        for i in range(post.shape[1]):
            if post[b, i]:
                for at in range(rule.incoming_indptr[i], rule.incoming_indptr[i + 1]):
                    y[b, rule.incoming[at]] += 1
        for j in range(rule.first_source, rule.last_source):
            if pre[b, j]:
                for k in range(starts[j] - rule.first_synapse, starts[j + 1] - rule.first_synapse):
                    x[b, k] += 1
                    change[k] -= rule.a_minus[k] * y[b, k] * learning[k]
        for i in range(post.shape[1]):
            if post[b, i]:
                for at in range(rule.incoming_indptr[i], rule.incoming_indptr[i + 1]):
                    k = rule.incoming[at]
                    change[k] += rule.a_plus[k] * x[b, k] * (rule.w_max[k] - learning[k])
    for k in range(len(change)):
        learning[k] = min(
            max(learning[k] + share * change[k], weights.dtype.type(0)), rule.w_max[k]
        )


@jit_kernel
def decay_traces(traces: FloatArray, kept: FloatArray) -> None:
    """Multiply `traces` by what they keep."""
    for k in range(len(traces)):
        traces[k] *= kept[k]


@jit_kernel
def run_batch(
    starts: IntArray,
    targets: IntArray,
    weights: FloatArray,
    rule: Any,
    kept: FloatArray,
    threshold: FloatArray,
    events: ByteArray,
    learns: bool,
    limits: FloatArray,
    parts: IntArray,
    spikes: ByteArray,
    synops: NDArray[np.int64],
) -> tuple[int, int]:
    """Run a batch of samples from silence, and let `weights` learn where `learns`.

    `events` (timesteps, batch, inputs), `spikes` (timesteps, batch, neurons) is written, `synops`
    (batch,) counts. Returns the step and population at which the share of `parts` (ends of the
    populations) that fires, averaged over some steps, passed `limits`; (-1, -1) where none did.
    """
    timesteps, batch, inputs = events.shape
    neurons = len(kept)
    voltage = np.zeros((batch, neurons), weights.dtype)
    arriving = np.zeros((batch, neurons), weights.dtype)
    pre = np.zeros((batch, inputs + neurons), weights.dtype)
    plastic = len(rule.a_plus) if learns else 0
    x = np.zeros((batch, plastic), weights.dtype)
    y = np.zeros((batch, plastic), weights.dtype)
    change = np.zeros(plastic, weights.dtype)
    activity = np.zeros(len(parts))
    for t in range(timesteps):
        for b in range(batch):
            synops[b] += propagate(events[t, b], 0, starts, targets, weights, arriving[b])
            lif_step(voltage[b], kept, threshold, arriving[b], spikes[t, b])
            arriving[b] = 0
            synops[b] += propagate(spikes[t, b], inputs, starts, targets, weights, arriving[b])
            pre[b, :inputs] = events[t, b]
            pre[b, inputs:] = spikes[t, b]
        if learns:
            post = pre[:, inputs:]
            stdp_step(starts, weights, rule, pre, post, x, y, change)
        first = 0
        for k in range(len(parts)):
            count = 0
            for b in range(batch):
                for i in range(first, parts[k]):
                    count += spikes[t, b, i]
            share = count / (batch * (parts[k] - first))
            activity[k] += ACTIVITY_SMOOTHING * (share - activity[k])
            if activity[k] > limits[k]:
                return t, k
            first = parts[k]
    return -1, -1
