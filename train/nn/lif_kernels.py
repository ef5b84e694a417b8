"""Compiled CPU kernels of leaky integrate-and-fire layers: forward and backward through time.

Arrays are (timesteps, rows, neurons). The inner loops run over slices, one timestep of one block of
neurons at a time, which LLVM vectorizes; a block's state stays in cache. The forward pass in
integers is `pumice.runtime.arithmetic` for 32-bit lanes: a state times a 12-bit decay factor needs
36 bits, but with |x| = 4096 h + l it is h k + (l k >> 12), whose terms all fit.
"""

from typing import Any

import numpy as np
from numba import njit, prange

from ...runtime.arithmetic import ALIGN_BITS, DECAY_BITS, DECAY_ONE, STATE_HALF
from ..jit import njit_cached
from .exact_sums import TOLERANCE

BLOCK_SIZE = 1024
SURROGATES = ("triangle", "rectangle", "atan", "fast_sigmoid")

NumbaArg = Any  # a numpy array or scalar of the type that the docstring states


@njit(inline="always")
def _decay(state: NumbaArg, factor: NumbaArg) -> NumbaArg:
    size = np.int32(abs(state))
    high, low = np.int32(size >> np.int32(DECAY_BITS)), np.int32(size & np.int32(DECAY_ONE - 1))
    decayed = np.int32(
        np.int32(high * factor) + np.int32(np.int32(low * factor) >> np.int32(DECAY_BITS))
    )
    return np.int32(-decayed) if state < 0 else decayed


@njit(error_model="numpy")
def _lif_step_int(
    activation: NumbaArg,
    bias: NumbaArg,
    current: NumbaArg,
    voltage: NumbaArg,
    pre_reset: NumbaArg,
    out: NumbaArg,
    current_factor: NumbaArg,
    voltage_factor: NumbaArg,
    threshold: NumbaArg,
    spiking: NumbaArg,
    soft: NumbaArg,
) -> NumbaArg:
    inexact = np.int32(0)
    amount = max(threshold, np.int32(1 << ALIGN_BITS))
    for i in range(len(activation)):
        nearest = np.rint(activation[i])
        near = abs(activation[i] - nearest) <= np.float32(TOLERANCE)
        inexact += np.int32(0) if near else np.int32(1)
        increment = np.int32(np.int32(nearest) << np.int32(ALIGN_BITS))
        u = np.int32(_decay(current[i], current_factor) + increment)
        u = np.int32(u - np.int32(2 * STATE_HALF)) if u > STATE_HALF else u
        u = np.int32(u + np.int32(2 * STATE_HALF)) if u <= -STATE_HALF else u
        v = np.int32(np.int32(_decay(voltage[i], voltage_factor) + u) + bias[i])
        v = min(max(v, np.int32(1 - STATE_HALF)), np.int32(STATE_HALF - 1))
        spike = spiking and v > threshold
        current[i] = u
        voltage[i] = np.int32(soft * np.int32(v - amount)) if spike else v
        pre_reset[i] = np.float32(v)
        out[i] = np.float32(spike) if spiking else np.float32(v)
    return inexact


@njit(error_model="numpy")
def _lif_step_float(
    activation: NumbaArg,
    bias: NumbaArg,
    current: NumbaArg,
    voltage: NumbaArg,
    pre_reset: NumbaArg,
    out: NumbaArg,
    current_factor: NumbaArg,
    voltage_factor: NumbaArg,
    threshold: NumbaArg,
    spiking: NumbaArg,
    soft: NumbaArg,
) -> None:
    for i in range(len(activation)):
        u = current[i] * current_factor + activation[i]
        v = voltage[i] * voltage_factor + u + bias[i]
        spike = spiking and v > threshold
        current[i] = u
        voltage[i] = soft * (v - threshold) if spike else v
        pre_reset[i] = v
        out[i] = np.float32(spike) if spiking else v


@njit_cached(parallel=True, error_model="numpy")
def lif_forward_int(
    activation: NumbaArg,
    bias: NumbaArg,
    current_factor: NumbaArg,
    voltage_factor: NumbaArg,
    threshold: NumbaArg,
    spiking: NumbaArg,
    soft: NumbaArg,
    out: NumbaArg,
    voltages: NumbaArg,
) -> NumbaArg:
    """Run the integer neuron model on float32 arrays that hold integers; all scalars are int32.

    Returns how many activations are off an integer by more than `TOLERANCE`; the others are
    rounded. Writes spikes (or voltages) to `out`, and the voltages before the reset to `voltages`.
    `bias` (neurons,) and `threshold` are in 1/64 weight units; `current_factor` and
    `voltage_factor` are 4096 - decay. `soft` is 1 for a reset by subtraction of the threshold, of
    one weight unit at least, else 0.
    """
    timesteps, rows, neurons = activation.shape
    blocks = (neurons + BLOCK_SIZE - 1) // BLOCK_SIZE
    inexact = 0
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK_SIZE
        stop = min(neurons, start + BLOCK_SIZE)
        current, voltage = np.zeros(stop - start, np.int32), np.zeros(stop - start, np.int32)
        for now in range(timesteps):
            inexact += _lif_step_int(
                activation[now, row, start:stop],
                bias[start:stop],
                current,
                voltage,
                voltages[now, row, start:stop],
                out[now, row, start:stop],
                current_factor,
                voltage_factor,
                threshold,
                spiking,
                soft,
            )
    return inexact


@njit_cached(parallel=True, error_model="numpy")
def lif_forward_float(
    activation: NumbaArg,
    bias: NumbaArg,
    current_factor: NumbaArg,
    voltage_factor: NumbaArg,
    threshold: NumbaArg,
    spiking: NumbaArg,
    soft: NumbaArg,
    out: NumbaArg,
    voltages: NumbaArg,
) -> None:
    """Run the neuron model in floats, without rounding, wrap or saturation; all is float32.

    `soft` is 1 for a reset by subtraction of the threshold, else 0.
    """
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
                current_factor,
                voltage_factor,
                threshold,
                spiking,
                soft,
            )


@njit(inline="always")
def _surrogate_derivative(ratio: NumbaArg, surrogate: NumbaArg) -> NumbaArg:
    """Surrogate derivative at x = `ratio` - 1 = v / threshold - 1, of height 1 at x = 0."""
    x = ratio - np.float32(1)
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
    pre_reset: NumbaArg,
    grad_activation: NumbaArg,
    grad_current: NumbaArg,
    grad_voltage: NumbaArg,
    grad_bias: NumbaArg,
    current_factor: NumbaArg,
    voltage_factor: NumbaArg,
    threshold: NumbaArg,
    inverse: NumbaArg,
    unit: NumbaArg,
    spiking: NumbaArg,
    soft: NumbaArg,
    surrogate: NumbaArg,
) -> None:
    for i in range(len(gradient)):
        g = gradient[i]
        carry = voltage_factor * grad_voltage[i]
        if spiking:
            g = g * _surrogate_derivative(pre_reset[i] * inverse, surrogate) * inverse
            carry = carry if pre_reset[i] <= threshold else soft * carry
        v = g + carry
        u = v + current_factor * grad_current[i]
        grad_voltage[i] = v
        grad_current[i] = u
        grad_activation[i] = u * unit
        grad_bias[i] += v


@njit_cached(parallel=True, error_model="numpy")
def lif_backward(
    gradient: NumbaArg,
    voltages: NumbaArg,
    current_factor: NumbaArg,
    voltage_factor: NumbaArg,
    threshold: NumbaArg,
    unit: NumbaArg,
    spiking: NumbaArg,
    soft: NumbaArg,
    surrogate: NumbaArg,
    grad_activation: NumbaArg,
    grad_bias: NumbaArg,
) -> None:
    """Back-propagate through time.

    Writes the gradients of the activation and, (rows, neurons), of the bias. `voltages` are those
    before the reset; `unit` is what one unit of activation adds to the current; all is float32. A
    spike has the derivative of the surrogate, an index into `SURROGATES`; the reset is detached, by
    subtraction where `soft` is 1; rounding and saturation are straight-through.
    """
    timesteps, rows, neurons = gradient.shape
    blocks = (neurons + BLOCK_SIZE - 1) // BLOCK_SIZE
    inverse = np.float32(1) / threshold
    for job in prange(rows * blocks):
        row, start = job // blocks, (job % blocks) * BLOCK_SIZE
        stop = min(neurons, start + BLOCK_SIZE)
        grad_current = np.zeros(stop - start, np.float32)
        grad_voltage = np.zeros(stop - start, np.float32)
        total = grad_bias[row, start:stop]
        total[:] = 0
        for step in range(timesteps):
            now = timesteps - 1 - step
            _lif_step_backward(
                gradient[now, row, start:stop],
                voltages[now, row, start:stop],
                grad_activation[now, row, start:stop],
                grad_current,
                grad_voltage,
                total,
                current_factor,
                voltage_factor,
                threshold,
                inverse,
                unit,
                spiking,
                soft,
                surrogate,
            )
