"""Neurons of a population as fields and parameters of the C core."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...arithmetic import ALIGN_BITS, DECAY_ONE, DELTA_BITS, STATE_HALF
from ...network import is_modular
from ...population import ENCODERS, RESONATORS, Population
from .planes import Plane
from .tables import (
    ADAPTIVE,
    CURRENT,
    DELAYED,
    DELTA,
    GENERAL,
    GENERAL_VALUES,
    KINDS,
    LEAK,
    PERIOD,
    PLAIN,
    PLANE,
    RF,
    RF_IZ,
    SEVERAL,
    SIGMA_DELTA,
    SUBTRACT,
    SUM,
    TO_VALUE,
    TO_ZERO,
    UNREACHABLE,
    WRAP,
    ArrayBuilders,
    Fields,
    hwc_order,
    padded_stride,
)

RESETS = {
    "value": TO_VALUE,
    "subtract": SUBTRACT,
    "delayed_subtract": DELAYED,
    "adaptive": ADAPTIVE,
}


def compile_neurons(builders: ArrayBuilders, plane: Plane, reach: int) -> Fields:
    """Return the fields of neurons whose activation stays within `reach`.

    Parameters are stored for a few rows where they repeat.
    """
    population = plane.population
    shape = population.shape
    encodes = population.kind in ENCODERS
    threshold = population.threshold << (DELTA_BITS if encodes else ALIGN_BITS)
    factors: tuple[NDArray[np.int32], ...] = (
        DECAY_ONE - population.current_decay,
        DECAY_ONE - population.voltage_decay,
    )
    levels: tuple[NDArray[np.int32], ...] = (
        np.full_like(threshold, UNREACHABLE) if population.kind == "integrator" else threshold,
        population.bias << population.bias_exponent + (ALIGN_BITS if encodes else 0),
    )
    if population.kind in RESONATORS:
        factors = population.sin_decay, population.cos_decay
    reset = _reset(population)
    if reset != TO_ZERO:
        lowest = np.maximum(population.min_voltage << ALIGN_BITS, 1 - STATE_HALF)
        adaptive = population.reset == "adaptive"
        amount = population.threshold_step if adaptive else population.reset_value
        levels = (*levels, amount << ALIGN_BITS, lowest)
        if adaptive:
            further = population.threshold_decay, population.refractory_decay
            factors = *factors, DECAY_ONE - further[0], DECAY_ONE - further[1]
    repeats = len(shape) == 3 and all(value.shape != shape for value in (*factors, *levels))
    period = population.neurons
    if repeats:
        row_neurons = shape[0] * shape[2]
        period = min(period, row_neurons * max(1, PERIOD // row_neurons))
    return {
        "kind": PLANE if encodes and not plane.is_first else KINDS[population.kind],
        "neurons": population.neurons,
        "channels": shape[0],
        "stride": padded_stride(population.neurons),
        "period": period,
        "max_value": plane.sent.max_value,
        "factors": builders.factors.add(_parameter_rows(factors, shape, period)),
        "levels": builders.levels.add(_parameter_rows(levels, shape, period)),
        "update": _update(population, reset, reach << ALIGN_BITS),
        "uniform": int(all((v == v.flat[0]).all() for v in (*factors, *levels))),
        "reset": reset,
        "refractory": population.refractory,
    }


def _update(population: Population, reset: int, reach: int) -> int:
    """Select how the core updates neurons whose aligned activation stays within `reach`."""
    no_current = bool((population.current_decay == DECAY_ONE).all())
    if population.kind in RESONATORS:
        return RF if population.kind == "rf" else RF_IZ
    if is_modular(population) or population.kind in ENCODERS:
        return {"sigma_delta": SIGMA_DELTA, "delta": DELTA}.get(population.kind, SUM)
    if reset != TO_ZERO or population.value_bits > 1 or not (no_current or reach <= 2 * STATE_HALF):
        return GENERAL_VALUES if no_current else GENERAL
    if no_current and reach < STATE_HALF:
        return PLAIN if (population.voltage_decay == 0).all() else LEAK
    return WRAP if no_current else CURRENT


def _parameter_rows(
    values: Sequence[NDArray[np.int32]], shape: tuple[int, ...], period: int
) -> NDArray[np.int32]:
    """Join parameters of the first `period` neurons, channels last, each repeated over `shape`."""
    rows = np.empty((len(values), period), np.int32)
    for row, value in zip(rows, values, strict=True):
        if value.size == 1:
            row[:] = value.flat[0]
        else:
            row[:] = np.broadcast_to(value, shape).reshape(-1)[hwc_order(shape)[:period]]
    return rows.reshape(-1)


def _reset(population: Population) -> int:
    """Return the reset of a population, as the core names it."""
    if population.max_spikes > 1:
        return SEVERAL
    if population.reset == "zero":
        return TO_VALUE if population.refractory or population.bounded else TO_ZERO
    return RESETS[population.reset]
