"""Integer arithmetic of one timestep of each neuron type: the only definition in this project.

That of `cuba` is Lava's bit-accurate LIF model (`PyLifModelBitAcc`), which models Loihi, where the
reset is to zero. With `toward_zero(x, n) = sign(x) * (|x| >> n)`, per neuron and timestep:

    a = sum over projections of shift(sum_j weights[j] * values[j], weight_exponent)
    u = toward_zero(u * (4096 - current_decay), 12) + (a << 6)
    u = u - 2^24 if u > 2^23, u + 2^24 if u <= -2^23           (wraps, once)
    v = toward_zero(v * (4096 - voltage_decay), 12) + u + (bias << bias_exponent)
    v = clip(v, max(min_voltage << 6, -2^23 + 1), 2^23 - 1)    (saturates)
    spike = v > threshold << 6                                 (strictly greater)
    sent = clip(v >> 6, 1, 2^value_bits - 1) where spike       (1 unless spikes are graded)
    v = 0 where spike                                          (u is kept)

The reset may be another one, with `r = reset_value << 6`:

    value                v = r where spike
    subtract             v = v - r where spike
    delayed_subtract     v is kept; the next v is lower by r, before it is clipped

With `max_spikes` n > 1 a neuron spikes several times, as often as it passes the threshold:

    sent = min(1 + (v - (threshold << 6) - 1) // r, n) where spike,  v = v - sent * r

With a `refractory` period, each spike sets a countdown to it. While the countdown is above 0, it
falls by one, u is updated, v is held and no spike is sent.

An `adaptive` neuron (ALIF, as SLAYER trains it) keeps u and v at a spike, which raises its
threshold by o, and a refractory value r, both 0 at the start:

    o = toward_zero(o * (4096 - threshold_decay), 12)
    r = toward_zero(r * (4096 - refractory_decay), 12)
    level = (threshold << 6) + o
    spike = v >= level + r                                     (not strictly)
    o = o + (threshold_step << 6),  r = r + 2 * level where spike

An `integrator` neither spikes nor is reset. Units: `a`, `threshold`, `reset_value` and
`min_voltage` in weight units; `u` and `v` in 1/64 of them. Decays are the fraction lost per
timestep, in 1/4096.

Networks that send changes instead of spikes have messages of 24 bits with a sign. Their neurons are
those of Lava's fixed-point `SigmaDelta` and `Delta` with `spike_exp` and `state_exp` of 6, up to
where a sum leaves 24 bits, `wrap(x) = (x + 2^23) mod 2^24 - 2^23`:

    sigma = wrap(sigma + a)                                    (sigma_delta)
    act = max(sigma + (bias << bias_exponent << 6), 0)         (sigma_delta)
    act = a << 12                                              (delta)
    d = act - sent
    message = d >> 6, sent = act  where |d| >= threshold << 12  (rounds down; else no message)

`sent` is the activation as of the last message, so that what was not sent is sent later. Lava keeps
the same as `residue = act - sent`. Units: `threshold`, `bias` and the values that a `delta` reads
are in 1/64 of 1; messages are in 1/64 of that, and `sigma`, `act` and `sent` in 1/64 of those. An
`integrator` with `align_bits` 0 is Lava's `Sigma`: `u = wrap(a)` is added to `v` unaligned.

Resonate-and-fire neurons (`rf`) have a complex state, z = real + i imag, and a complex activation:
projections add to `a_real` or to `a_imag`. Equations, rounding and limits are those of Lava's
`PyRFModelFixed` (`lava/proc/rf/models.py`: `resonator_dynamics`, `scale_volt`, `run_spk`) with
`state_exp` 6 and `decay_bits` 12; up to where a state saturates they are SLAYER's too
(`lava/lib/dl/slayer/neuron/dynamics/resonator.py`, `slayer/spike/complex.py`):

    c, s = cos_decay, sin_decay                                (4096 * (1 - decay) * cos, sin)
    x = toward_zero(c * real, 12) - toward_zero(s * imag, 12) + (a_real << 6)
    y = toward_zero(s * real, 12) + toward_zero(c * imag, 12) + (a_imag << 6)
    x, y = clip(x, -2^23 + 1, 2^23 - 1), clip(y, -2^23 + 1, 2^23 - 1)
    spike = x >= threshold << 6 and y >= 0 and imag < 0        (the phase passes 0; not strictly)
    real, imag = x, y                                          (a spike resets nothing)

Those of Izhikevich (`rf_iz`, Lava's `PyRF_IZModelFixed` in `lava/proc/rf_iz/models.py`) have
another spike, which resets them:

    spike = y >= threshold << 6
    real = 0, imag = (threshold << 6) - 1  where spike,  else  real, imag = x, y

Units: `a_real`, `a_imag` and `threshold` in weight units, `real` and `imag` in 1/64 of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .population import ALIGN_BITS as ALIGN_BITS
from .population import Population

DECAY_BITS = 12
STATE_BITS = 24
DECAY_ONE = 1 << DECAY_BITS
STATE_HALF = 1 << (STATE_BITS - 1)
ACTIVATION_LIMIT = STATE_HALF - 1
DELTA_BITS = 2 * ALIGN_BITS  # between what a delta population reads and its activation
DELTA_LIMIT = (1 << 16) - 1  # of what it reads, so that its messages have 24 bits

States = NDArray[np.int64]
Values = NDArray[Any]


def align(values: NDArray[np.int32]) -> States:
    """Convert from weight units to those of the voltage."""
    aligned: States = values.astype(np.int64) << ALIGN_BITS
    return aligned


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


def wrap_sum(total: States) -> States:
    """Take `total` modulo 2^24, in [-2^23, 2^23)."""
    wrapped: States = ((total + STATE_HALF) & (2 * STATE_HALF - 1)) - STATE_HALF
    return wrapped


def neuron_step(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[tuple[States, ...], Values]:
    """Update the neurons of `population` by one timestep of the equations of their type.

    Args:
        population: Neurons, with their parameters.
        states: Their states, as `population.states` names them, int64 (batch, *population.shape).
        activation: Weighted input sums of this timestep, of the same shape; of resonate-and-fire
            neurons those of the real and of the imaginary part, (2, batch, *population.shape).

    Returns:
        The next states, and the values sent, of `population.value_type`, 0 where there is none.
    """
    return STEPS[population.kind](population, states, activation)


def _cuba_step(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[tuple[States, ...], Values]:
    current, before = _integrate(population, states, activation)
    if population.reset == "adaptive":
        adaptation, refractory, spikes = _adapt(population, states, before)
        return (current, before, adaptation, refractory), spikes.astype(np.uint8)
    voltage, sent = _fire(population, before)
    if not population.refractory:
        return (current, voltage), sent.astype(np.uint8)
    countdown = states[2]
    waiting = countdown > 0
    sent = np.where(waiting, 0, sent)
    countdown = np.where(sent > 0, population.refractory, np.maximum(countdown - 1, 0))
    return (current, np.where(waiting, states[1], voltage), countdown), sent.astype(np.uint8)


def _integrator_step(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[tuple[States, ...], Values]:
    current, voltage = _integrate(population, states, activation)
    return (current, voltage), np.zeros(voltage.shape, np.uint8)


def _integrate(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[States, States]:
    """Update current and voltage, up to the spike."""
    if not population.align_bits:
        activation = wrap_sum(activation)
    current = wrap_to_24_bits(
        apply_decay(states[0], population.current_decay) + (activation << population.align_bits)
    )
    bias = population.bias.astype(np.int64) << population.bias_exponent
    voltage = apply_decay(states[1], population.voltage_decay) + current + bias
    if population.reset == "delayed_subtract":
        fired = states[1] > align(population.threshold)
        voltage = voltage - np.where(fired, align(population.reset_value), 0)
    lowest = np.maximum(align(population.min_voltage), 1 - STATE_HALF)
    return current, np.clip(voltage, lowest, STATE_HALF - 1)


def _fire(population: Population, voltage: States) -> tuple[States, States]:
    """Compute the voltage after spikes, and the values sent."""
    threshold, reset_value = align(population.threshold), align(population.reset_value)
    spikes = voltage > threshold
    if population.max_spikes > 1:
        count = np.minimum(1 + (voltage - threshold - 1) // reset_value, population.max_spikes)
        several: States = np.where(spikes, count, 0).astype(np.int64)
        return voltage - several * reset_value, several
    sent = np.where(spikes, np.clip(voltage >> ALIGN_BITS, 1, population.max_value), 0)
    if population.reset == "delayed_subtract":
        return voltage, sent
    after = voltage - reset_value if population.reset == "subtract" else reset_value
    return np.where(spikes, after, voltage), sent


def _adapt(
    population: Population, states: tuple[States, ...], voltage: States
) -> tuple[States, States, NDArray[np.bool_]]:
    """Update the raise of an adaptive threshold and the refractory value; return the spikes."""
    adaptation = apply_decay(states[2], population.threshold_decay)
    refractory = apply_decay(states[3], population.refractory_decay)
    level = align(population.threshold) + adaptation
    spikes = voltage >= level + refractory
    adaptation = adaptation + np.where(spikes, align(population.threshold_step), 0)
    return adaptation, refractory + np.where(spikes, 2 * level, 0), spikes


def _sigma_delta_step(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[tuple[States, ...], Values]:
    sigma = wrap_sum(states[0] + activation)
    bias = population.bias.astype(np.int64) << population.bias_exponent + ALIGN_BITS
    sent, messages = _encode(population, np.maximum(sigma + bias, 0), states[1])
    return (sigma, sent), messages


def _delta_step(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[tuple[States, ...], Values]:
    activated = activation << DELTA_BITS
    sent, messages = _encode(population, activated, states[1])
    return (activated, sent), messages


def _encode(population: Population, activated: States, sent: States) -> tuple[States, Values]:
    """Compute the activation as of the last message, and the messages."""
    delta = activated - sent
    threshold = population.threshold.astype(np.int64) << DELTA_BITS
    changed = np.abs(delta) >= threshold
    messages = np.where(changed, delta >> ALIGN_BITS, 0).astype(np.int32)
    return np.where(changed, activated, sent), messages


def _rotate(population: Population, states: tuple[States, ...], activation: States) -> States:
    """Turn and shrink the complex states, and add the activation; (2, batch, *shape)."""
    real, imag = states
    # a share of a state is what apply_decay leaves where the rest is lost
    cosine, sine = (DECAY_ONE - d for d in (population.cos_decay, population.sin_decay))
    x = apply_decay(real, cosine) - apply_decay(imag, sine)
    y = apply_decay(real, sine) + apply_decay(imag, cosine)
    driven = np.stack([x, y]) + (activation << ALIGN_BITS)
    clipped: States = np.clip(driven, 1 - STATE_HALF, STATE_HALF - 1)
    return clipped


def _rf_step(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[tuple[States, ...], Values]:
    real, imag = _rotate(population, states, activation)
    spikes = (real >= align(population.threshold)) & (imag >= 0) & (states[1] < 0)
    return (real, imag), spikes.astype(np.uint8)


def _rf_iz_step(
    population: Population, states: tuple[States, ...], activation: States
) -> tuple[tuple[States, ...], Values]:
    real, imag = _rotate(population, states, activation)
    threshold = align(population.threshold)
    spikes = imag >= threshold
    after = np.where(spikes, 0, real), np.where(spikes, threshold - 1, imag)
    return after, spikes.astype(np.uint8)


Step = Callable[[Population, tuple[States, ...], States], tuple[tuple[States, ...], Values]]
STEPS: Mapping[str, Step] = {
    "cuba": _cuba_step,
    "integrator": _integrator_step,
    "delta": _delta_step,
    "sigma_delta": _sigma_delta_step,
    "rf": _rf_step,
    "rf_iz": _rf_iz_step,
}


def lif_step(
    population: Population, current: States, voltage: States, activation: States
) -> tuple[States, States, Values]:
    """Update neurons whose only states are current and voltage by one timestep.

    Args:
        population: Neurons, with their parameters.
        current: Synaptic currents, int64 (batch, *population.shape).
        voltage: Membrane voltages, of the same shape.
        activation: Weighted input sums of this timestep, of the same shape.

    Returns:
        The next current, the next voltage, and the values sent, uint8, 0 where there is no spike.
    """
    states, sent = neuron_step(population, (current, voltage), activation)
    return states[0], states[1], sent
