"""The neuron's loops on a CPU: many steps of many neurons, forward and back, in one pass each.

Arrays are (timesteps, rows, neurons). The inner loops run over slices, one step of one block of
neurons at a time, which is what LLVM needs to use the vector unit; a block's state stays in cache.
The forward pass in integers is `pumice.runtime.arithmetic` restated for 32-bit lanes: a state times
a 12-bit decay needs 36 bits, but with |x| = 4096 h + l it is h k + (l k >> 12): all terms fit.
"""

from typing import Any

import numpy as np
from numba import njit, prange

from ...runtime.arithmetic import ALIGN_BITS, DECAY_BITS, DECAY_ONE, STATE_HALF

BLOCK_SIZE = 1024
SURROGATES = ("triangle", "rectangle", "atan", "fast_sigmoid")

NumbaArg = Any  # numba's functions take arrays and scalars of the stated types only


@njit(inline="always")
def _decay(state: NumbaArg, kept: NumbaArg) -> NumbaArg:
    size = np.int32(abs(state))
    high, low = np.int32(size >> np.int32(DECAY_BITS)), np.int32(size & np.int32(DECAY_ONE - 1))
    left = np.int32(np.int32(high * kept) + np.int32(np.int32(low * kept) >> np.int32(DECAY_BITS)))
    return np.int32(-left) if state < 0 else left


@njit(error_model="numpy")
def _lif_step_int(
    activation: NumbaArg,
    bias: NumbaArg,
    current: NumbaArg,
    voltage: NumbaArg,
    before: NumbaArg,
    out: NumbaArg,
    kept_current: NumbaArg,
    kept_voltage: NumbaArg,
    threshold: NumbaArg,
    fires: NumbaArg,
) -> None:
    for i in range(len(activation)):
        arriving = np.int32(np.int32(activation[i]) << np.int32(ALIGN_BITS))
        u = np.int32(_decay(current[i], kept_current) + arriving)
        u = np.int32(u - np.int32(2 * STATE_HALF)) if u > STATE_HALF else u
        u = np.int32(u + np.int32(2 * STATE_HALF)) if u <= -STATE_HALF else u
        v = np.int32(np.int32(_decay(voltage[i], kept_voltage) + u) + bias[i])
        v = min(max(v, np.int32(1 - STATE_HALF)), np.int32(STATE_HALF - 1))
        spike = fires and v > threshold
        current[i] = u
        voltage[i] = np.int32(0) if spike else v
        before[i] = np.float32(v)
        out[i] = np.float32(spike) if fires else np.float32(v)


@njit(error_model="numpy")
def _lif_step_float(
    activation: NumbaArg,
    bias: NumbaArg,
    current: NumbaArg,
    voltage: NumbaArg,
    before: NumbaArg,
    out: NumbaArg,
    kept_current: NumbaArg,
    kept_voltage: NumbaArg,
    threshold: NumbaArg,
    fires: NumbaArg,
) -> None:
    for i in range(len(activation)):
        u = current[i] * kept_current + activation[i]
        v = voltage[i] * kept_voltage + u + bias[i]
        spike = fires and v > threshold
        current[i] = u
        voltage[i] = np.float32(0) if spike else v
        before[i] = v
        out[i] = np.float32(spike) if fires else v


@njit(parallel=True, error_model="numpy", cache=True)
def lif_forward_int(
    activation: NumbaArg,
    bias: NumbaArg,
    kept_current: NumbaArg,
    kept_voltage: NumbaArg,
    threshold: NumbaArg,
    fires: NumbaArg,
    out: NumbaArg,
    voltages: NumbaArg,
) -> None:
    """Run the chip's rule on float32 arrays that hold integers; all scalars are int32.

    `out` gets spikes (or voltages), `voltages` those before the reset. `bias` (neurons,) and
    `threshold` are in 1/64 weight units, `kept_current` and `kept_voltage` are 4096 - decay.
    """
    timesteps, rows, neurons = activation.shape
    blocks = (neurons + BLOCK_SIZE - 1) // BLOCK_SIZE
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK_SIZE
        stop = min(neurons, start + BLOCK_SIZE)
        current, voltage = np.zeros(stop - start, np.int32), np.zeros(stop - start, np.int32)
        for now in range(timesteps):
            _lif_step_int(
                activation[now, row, start:stop],
                bias[start:stop],
                current,
                voltage,
                voltages[now, row, start:stop],
                out[now, row, start:stop],
                kept_current,
                kept_voltage,
                threshold,
                fires,
            )


@njit(parallel=True, error_model="numpy", cache=True)
def lif_forward_float(
    activation: NumbaArg,
    bias: NumbaArg,
    kept_current: NumbaArg,
    kept_voltage: NumbaArg,
    threshold: NumbaArg,
    fires: NumbaArg,
    out: NumbaArg,
    voltages: NumbaArg,
) -> None:
    """Run the same rule in real numbers, without rounding, wrap or saturation; all is float32."""
    timesteps, rows, neurons = activation.shape
    blocks = (neurons + BLOCK_SIZE - 1) // BLOCK_SIZE
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK_SIZE
        stop = min(neurons, start + BLOCK_SIZE)
        current, voltage = np.zeros(stop - start, np.float32), np.zeros(stop - start, np.float32)
        for now in range(timesteps):
            _lif_step_float(
                activation[now, row, start:stop],
                bias[start:stop],
                current,
                voltage,
                voltages[now, row, start:stop],
                out[now, row, start:stop],
                kept_current,
                kept_voltage,
                threshold,
                fires,
            )


@njit(inline="always")
def _surrogate_derivative(share: NumbaArg, surrogate: NumbaArg) -> NumbaArg:
    """Return the surrogate derivative at x = v / threshold - 1, of height 1 at x = 0."""
    x = share - np.float32(1)
    if surrogate == 0:
        return max(np.float32(0), np.float32(1) - abs(x))
    if surrogate == 1:
        return np.float32(1) if abs(x) < np.float32(0.5) else np.float32(0)
    if surrogate == 2:
        y = np.float32(np.pi) * x
        return np.float32(1) / (np.float32(1) + y * y)
    y = np.float32(1) + np.float32(2) * abs(x)
    return np.float32(1) / (y * y)


@njit(error_model="numpy", fastmath={"nsz", "contract", "reassoc"})
def _lif_step_backward(
    gradient: NumbaArg,
    before: NumbaArg,
    by_activation: NumbaArg,
    by_current: NumbaArg,
    by_voltage: NumbaArg,
    by_bias: NumbaArg,
    kept_current: NumbaArg,
    kept_voltage: NumbaArg,
    threshold: NumbaArg,
    inverse: NumbaArg,
    unit: NumbaArg,
    fires: NumbaArg,
    surrogate: NumbaArg,
) -> None:
    for i in range(len(gradient)):
        g = gradient[i]
        carried = kept_voltage * by_voltage[i]
        if fires:
            g = g * _surrogate_derivative(before[i] * inverse, surrogate) * inverse
            carried = carried if before[i] <= threshold else np.float32(0)
        v = g + carried
        u = v + kept_current * by_current[i]
        by_voltage[i] = v
        by_current[i] = u
        by_activation[i] = u * unit
        by_bias[i] += v


@njit(parallel=True, error_model="numpy", cache=True)
def lif_backward(
    gradient: NumbaArg,
    voltages: NumbaArg,
    kept_current: NumbaArg,
    kept_voltage: NumbaArg,
    threshold: NumbaArg,
    unit: NumbaArg,
    fires: NumbaArg,
    surrogate: NumbaArg,
    by_activation: NumbaArg,
    by_bias: NumbaArg,
) -> None:
    """Walk the steps backwards; `by_bias` is (rows, neurons), `voltages` those before the reset.

    All float32; `unit` is what one unit of activation adds to the current. The derivative of a
    spike is the surrogate's (an index into `SURROGATES`); the reset is taken as given (detached),
    rounding and saturation as the identity.
    """
    timesteps, rows, neurons = gradient.shape
    blocks = (neurons + BLOCK_SIZE - 1) // BLOCK_SIZE
    inverse = np.float32(1) / threshold
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK_SIZE
        stop = min(neurons, start + BLOCK_SIZE)
        by_current = np.zeros(stop - start, np.float32)
        by_voltage = np.zeros(stop - start, np.float32)
        total = by_bias[row, start:stop]
        total[:] = 0
        for back in range(timesteps):
            now = timesteps - 1 - back
            _lif_step_backward(
                gradient[now, row, start:stop],
                voltages[now, row, start:stop],
                by_activation[now, row, start:stop],
                by_current,
                by_voltage,
                total,
                kept_current,
                kept_voltage,
                threshold,
                inverse,
                unit,
                fires,
                surrogate,
            )
