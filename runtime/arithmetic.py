"""Integer arithmetic of one timestep of the LIF neuron: the only definition in this project.

It is that of Lava's bit-accurate LIF model (`PyLifModelBitAcc`), which models Loihi.
With `toward_zero(x, n) = sign(x) * (|x| >> n)`, per neuron and timestep:

    a = sum over projections of shift(sum_j weights[j] * values[j], weight_exponent)
    u = toward_zero(u * (4096 - current_decay), 12) + (a << 6)
    u = u - 2^24 if u > 2^23, u + 2^24 if u <= -2^23           (wraps, once)
    v = toward_zero(v * (4096 - voltage_decay), 12) + u + (bias << bias_exponent)
    v = clip(v, -2^23 + 1, 2^23 - 1)                           (saturates)
    spike = v > threshold << 6                                 (strictly greater)
    sent = clip(v >> 6, 1, 2^value_bits - 1) where spike       (1 unless spikes are graded)
    v = 0 where spike                                          (u is kept)

An `integrator` does the same without the last three lines. Units: `a`, `threshold` in weight units;
`u` and `v` in 1/64 of them. Decays are the fraction lost per timestep, in 1/4096.
"""

import numpy as np
from numpy.typing import NDArray

from .population import Population

DECAY_BITS = 12
ALIGN_BITS = 6
STATE_BITS = 24
DECAY_ONE = 1 << DECAY_BITS
STATE_HALF = 1 << (STATE_BITS - 1)
ACTIVATION_LIMIT = STATE_HALF - 1

States = NDArray[np.int64]


def shift(activation: States, exponent: int) -> States:
    """Scale a projection's sum by 2^exponent; a right shift is arithmetic, so rounds down."""
    return activation << exponent if exponent >= 0 else activation >> -exponent


def apply_decay(state: States, decay: NDArray[np.int32]) -> States:
    """Multiply `state` by (4096 - decay) / 4096, rounded towards zero."""
    magnitude: States = np.abs(state) * (DECAY_ONE - decay.astype(np.int64)) >> DECAY_BITS
    return np.where(state < 0, -magnitude, magnitude)


def wrap_to_24_bits(current: States) -> States:
    """Wrap `current` by 2^24, once, where it left (-2^23, 2^23]."""
    too_high = current > STATE_HALF
    too_low = current <= -STATE_HALF
    return current - (too_high.astype(np.int64) - too_low) * (2 * STATE_HALF)


def lif_step(
    population: Population, current: States, voltage: States, activation: States
) -> tuple[States, States, NDArray[np.uint8]]:
    """Update the neurons of `population` by one timestep of the LIF equations.

    Args:
        population: Neurons, with their parameters.
        current: Synaptic currents, int64 (batch, *population.shape).
        voltage: Membrane voltages, of the same shape.
        activation: Weighted input sums of this timestep, of the same shape.

    Returns:
        The next current, the next voltage, and the values sent, uint8, 0 where there is no spike.
    """
    current = wrap_to_24_bits(
        apply_decay(current, population.current_decay) + (activation << ALIGN_BITS)
    )
    bias = population.bias.astype(np.int64) << population.bias_exponent
    voltage = apply_decay(voltage, population.voltage_decay) + current + bias
    voltage = np.clip(voltage, 1 - STATE_HALF, STATE_HALF - 1)
    if population.kind == "integrator":
        return current, voltage, np.zeros(voltage.shape, np.uint8)
    spikes = voltage > population.threshold.astype(np.int64) << ALIGN_BITS
    sent = np.where(spikes, np.clip(voltage >> ALIGN_BITS, 1, population.max_value), 0)
    return current, np.where(spikes, 0, voltage), sent.astype(np.uint8)
