"""The neuron's loops on a CPU: many steps of many neurons, forward and back, in one pass each.

Arrays are (timesteps, rows, neurons). The inner loops run over slices, one step of one block of
neurons at a time, which is what LLVM needs to use the vector unit; a block's state stays in cache.
The forward pass in integers is `pumice.runtime.arithmetic` restated for 32-bit lanes: a state times
a 12-bit decay needs 36 bits, but with |x| = 4096 h + l it is h k + (l k >> 12): all terms fit.
"""

from typing import Any

import numpy as np
from numba import njit, prange

BLOCK = 1024
SURROGATES = ("triangle", "rectangle", "atan", "fast_sigmoid")

Kernel = Any  # numba's functions take arrays and scalars of the stated types only


@njit(inline="always")
def _decayed(state: Kernel, kept: Kernel) -> Kernel:
    size = np.int32(abs(state))
    high, low = np.int32(size >> np.int32(12)), np.int32(size & np.int32(4095))
    left = np.int32(np.int32(high * kept) + np.int32(np.int32(low * kept) >> np.int32(12)))
    return np.int32(-left) if state < 0 else left


@njit(error_model="numpy")
def _integer_step(
    activation: Kernel,
    bias: Kernel,
    current: Kernel,
    voltage: Kernel,
    before: Kernel,
    out: Kernel,
    kept_current: Kernel,
    kept_voltage: Kernel,
    threshold: Kernel,
    fires: Kernel,
) -> None:
    for i in range(len(activation)):
        arriving = np.int32(np.int32(activation[i]) << np.int32(6))
        u = np.int32(_decayed(current[i], kept_current) + arriving)
        u = np.int32(u - np.int32(16777216)) if u > 8388608 else u
        u = np.int32(u + np.int32(16777216)) if u <= -8388608 else u
        v = np.int32(np.int32(_decayed(voltage[i], kept_voltage) + u) + bias[i])
        v = min(max(v, np.int32(-8388607)), np.int32(8388607))
        spike = fires and v > threshold
        current[i] = u
        voltage[i] = np.int32(0) if spike else v
        before[i] = np.float32(v)
        out[i] = np.float32(spike) if fires else np.float32(v)


@njit(error_model="numpy")
def _real_step(
    activation: Kernel,
    bias: Kernel,
    current: Kernel,
    voltage: Kernel,
    before: Kernel,
    out: Kernel,
    kept_current: Kernel,
    kept_voltage: Kernel,
    threshold: Kernel,
    fires: Kernel,
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
def forward_integers(
    activation: Kernel,
    bias: Kernel,
    kept_current: Kernel,
    kept_voltage: Kernel,
    threshold: Kernel,
    fires: Kernel,
    out: Kernel,
    voltages: Kernel,
) -> None:
    """Run the chip's rule on float32 arrays that hold integers; all scalars are int32.

    `out` gets spikes (or voltages), `voltages` those before the reset. `bias` (neurons,) and
    `threshold` are in 1/64 weight units, `kept_current` and `kept_voltage` are 4096 - decay.
    """
    timesteps, rows, neurons = activation.shape
    blocks = (neurons + BLOCK - 1) // BLOCK
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK
        stop = min(neurons, start + BLOCK)
        current, voltage = np.zeros(stop - start, np.int32), np.zeros(stop - start, np.int32)
        for now in range(timesteps):
            _integer_step(
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
def forward_reals(
    activation: Kernel,
    bias: Kernel,
    kept_current: Kernel,
    kept_voltage: Kernel,
    threshold: Kernel,
    fires: Kernel,
    out: Kernel,
    voltages: Kernel,
) -> None:
    """Run the same rule in real numbers, without rounding, wrap or saturation; all is float32."""
    timesteps, rows, neurons = activation.shape
    blocks = (neurons + BLOCK - 1) // BLOCK
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK
        stop = min(neurons, start + BLOCK)
        current, voltage = np.zeros(stop - start, np.float32), np.zeros(stop - start, np.float32)
        for now in range(timesteps):
            _real_step(
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
def _slope(share: Kernel, surrogate: Kernel) -> Kernel:
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
def _back_step(
    gradient: Kernel,
    before: Kernel,
    by_activation: Kernel,
    by_current: Kernel,
    by_voltage: Kernel,
    by_bias: Kernel,
    kept_current: Kernel,
    kept_voltage: Kernel,
    threshold: Kernel,
    inverse: Kernel,
    unit: Kernel,
    fires: Kernel,
    surrogate: Kernel,
) -> None:
    for i in range(len(gradient)):
        g = gradient[i]
        carried = kept_voltage * by_voltage[i]
        if fires:
            g = g * _slope(before[i] * inverse, surrogate) * inverse
            carried = carried if before[i] <= threshold else np.float32(0)
        v = g + carried
        u = v + kept_current * by_current[i]
        by_voltage[i] = v
        by_current[i] = u
        by_activation[i] = u * unit
        by_bias[i] += v


@njit(parallel=True, error_model="numpy", cache=True)
def backward(
    gradient: Kernel,
    voltages: Kernel,
    kept_current: Kernel,
    kept_voltage: Kernel,
    threshold: Kernel,
    unit: Kernel,
    fires: Kernel,
    surrogate: Kernel,
    by_activation: Kernel,
    by_bias: Kernel,
) -> None:
    """Walk the steps backwards; `by_bias` is (rows, neurons), `voltages` those before the reset.

    All float32; `unit` is what one unit of activation adds to the current. The derivative of a
    spike is the surrogate's (an index into `SURROGATES`); the reset is taken as given (detached),
    rounding and saturation as the identity.
    """
    timesteps, rows, neurons = gradient.shape
    blocks = (neurons + BLOCK - 1) // BLOCK
    inverse = np.float32(1) / threshold
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK
        stop = min(neurons, start + BLOCK)
        by_current = np.zeros(stop - start, np.float32)
        by_voltage = np.zeros(stop - start, np.float32)
        total = by_bias[row, start:stop]
        total[:] = 0
        for back in range(timesteps):
            now = timesteps - 1 - back
            _back_step(
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
