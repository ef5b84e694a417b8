"""LIF neurons and integrators as ONNX operators, restated from `runtime/arithmetic.py`.

States are int64, where `Div` rounds towards zero as the chip does.
"""

import numpy as np
from numpy.typing import NDArray

from ....runtime.arithmetic import ALIGN_BITS, DECAY_ONE, STATE_HALF, align
from ....runtime.population import Population
from .builder import INT64, UINT8, GraphBuilder
from .messages import add_wrapped_sum


def add_integrator(
    builder: GraphBuilder, population: Population, activation: str, inactive: str
) -> None:
    """Update an integrator; stopped samples keep their voltage."""
    if not inactive:
        _update_voltage(builder, population, activation, "voltage_next")
        return
    name = population.name
    voltage = _update_voltage(builder, population, activation, "clipped")
    previous = builder.step_name(f"{name}/voltage")
    builder.add_node("Where", [inactive, previous, voltage], f"{name}/voltage_next")


def add_lif(builder: GraphBuilder, population: Population, activation: str, inactive: str) -> str:
    """Update neurons that fire and are reset; stopped samples do not fire. Returns uint8."""
    name = population.name
    if population.reset == "adaptive":
        voltage = _update_voltage(builder, population, activation, "voltage_next")
        return _add_spikes(builder, name, _adapt(builder, population, voltage), inactive)
    voltage = _update_voltage(builder, population, activation, "clipped")
    above = _add_above(builder, population, voltage, "above")
    zero = builder.add_scalar(0)
    if population.max_spikes > 1:
        values = _count_passed(builder, population, voltage)
    elif population.value_bits > 1:
        unit = builder.add_scalar(1 << ALIGN_BITS)
        units = builder.add_node("Div", [voltage, unit], f"{name}/units")
        limits = [builder.add_scalar(1), builder.add_scalar(population.max_value)]
        values = builder.add_node("Clip", [units, *limits], f"{name}/value")
    else:
        values = ""  # 1
    after = _reset(builder, population, voltage, values)
    if population.refractory:
        above = _wait(builder, population, above, after)
    else:
        builder.add_node("Where", [above, after, voltage], f"{name}/voltage_next")
    if inactive:
        active = builder.add_node("Not", [inactive], f"{name}/active")
        above = builder.add_node("And", [above, active], f"{name}/fires")
    if population.value_bits > 1:
        above = builder.add_node("Where", [above, values, zero], f"{name}/graded")
    return builder.add_node("Cast", [above], f"{name}/spikes", to=UINT8)


def _add_spikes(builder: GraphBuilder, name: str, fires: str, inactive: str) -> str:
    """Spikes of neurons that fire, uint8; none of stopped samples."""
    if inactive:
        active = builder.add_node("Not", [inactive], f"{name}/active")
        fires = builder.add_node("And", [fires, active], f"{name}/fires")
    return builder.add_node("Cast", [fires], f"{name}/spikes", to=UINT8)


def _adapt(builder: GraphBuilder, population: Population, voltage: str) -> str:
    """Update an adaptive threshold and its refractory value; returns those that fire, bool."""
    name, zero = population.name, builder.add_scalar(0)
    raised = _apply_decay(builder, population, "adaptation", population.threshold_decay)
    refractory = _apply_decay(builder, population, "refractory", population.refractory_decay)
    threshold = _add_aligned(builder, population, "threshold")
    level = builder.add_node("Add", [threshold, raised], f"{name}/level")
    reached = builder.add_node("Add", [level, refractory], f"{name}/reached")
    fires = builder.add_node("GreaterOrEqual", [voltage, reached], f"{name}/above")
    step = _add_aligned(builder, population, "threshold_step")
    more = builder.add_node("Where", [fires, step, zero], f"{name}/step")
    builder.add_node("Add", [raised, more], f"{name}/adaptation_next")
    twice = builder.add_node("Add", [level, level], f"{name}/twice")
    added = builder.add_node("Where", [fires, twice, zero], f"{name}/added")
    builder.add_node("Add", [refractory, added], f"{name}/refractory_next")
    return fires


def _update_voltage(
    builder: GraphBuilder, population: Population, activation: str, result: str
) -> str:
    """Update current and voltage; the voltage before a reset becomes `result`."""
    name = population.name
    if not population.align_bits:
        activation = add_wrapped_sum(builder, name, activation, "sum")
    align = builder.add_scalar(1 << population.align_bits)
    aligned = builder.add_node("Mul", [activation, align], f"{name}/aligned")
    current = _apply_decay(builder, population, "current", population.current_decay)
    current = builder.add_node("Add", [current, aligned], f"{name}/unwrapped")
    current = _wrap(builder, name, current)
    voltage = _apply_decay(builder, population, "voltage", population.voltage_decay)
    shifted_bias = population.bias << population.bias_exponent
    bias = builder.add_initializer(f"{name}/bias", shifted_bias, INT64)
    driven = builder.add_node("Add", [voltage, current], f"{name}/driven")
    biased = builder.add_node("Add", [driven, bias], f"{name}/biased")
    if population.reset == "delayed_subtract":
        above = _add_above(builder, population, builder.step_name(f"{name}/voltage"), "fired")
        amount = _add_aligned(builder, population, "reset_value")
        late = builder.add_node("Where", [above, amount, builder.add_scalar(0)], f"{name}/late")
        biased = builder.add_node("Sub", [biased, late], f"{name}/subtracted")
    limits = [builder.add_scalar(1 - STATE_HALF), builder.add_scalar(STATE_HALF - 1)]
    if not population.bounded:
        return builder.add_node("Clip", [biased, *limits], f"{name}/{result}")
    clipped = builder.add_node("Clip", [biased, *limits], f"{name}/saturated")
    lowest = _add_aligned(builder, population, "min_voltage")
    return builder.add_node("Max", [clipped, lowest], f"{name}/{result}")


def _add_aligned(builder: GraphBuilder, population: Population, key: str) -> str:
    """Store a parameter in weight units, once, in units of the voltage."""
    return builder.add_constant(
        f"{population.name}/{key}", align(getattr(population, key)), np.int64
    )


def _add_above(builder: GraphBuilder, population: Population, voltage: str, result: str) -> str:
    threshold = _add_aligned(builder, population, "threshold")
    return builder.add_node("Greater", [voltage, threshold], f"{population.name}/{result}")


def _wrap(builder: GraphBuilder, name: str, current: str) -> str:
    """Wrap the current to 24 bits, once, as `{name}/current_next`."""
    half, full = builder.add_scalar(STATE_HALF), builder.add_scalar(2 * STATE_HALF)
    high = builder.add_node("Greater", [current, half], f"{name}/high")
    low = builder.add_node("LessOrEqual", [current, builder.add_scalar(-STATE_HALF)], f"{name}/low")
    down = builder.add_node("Sub", [current, full], f"{name}/down")
    up = builder.add_node("Add", [current, full], f"{name}/up")
    raised = builder.add_node("Where", [low, up, current], f"{name}/raised")
    return builder.add_node("Where", [high, down, raised], f"{name}/current_next")


def _count_passed(builder: GraphBuilder, population: Population, voltage: str) -> str:
    """Number of times that a voltage above the threshold passes it."""
    name = population.name
    first = builder.add_constant(f"{name}/first", align(population.threshold) + 1, np.int64)
    beyond = builder.add_node("Sub", [voltage, first], f"{name}/beyond")
    amount = _add_aligned(builder, population, "reset_value")
    further = builder.add_node("Div", [beyond, amount], f"{name}/further")
    count = builder.add_node("Add", [further, builder.add_scalar(1)], f"{name}/count")
    return builder.add_node("Min", [count, builder.add_scalar(population.max_spikes)], f"{name}/n")


def _reset(builder: GraphBuilder, population: Population, voltage: str, values: str) -> str:
    """Voltage of neurons that have fired."""
    name = population.name
    if population.reset == "zero":
        return builder.add_scalar(0)
    if population.reset == "delayed_subtract":
        return voltage
    amount = _add_aligned(builder, population, "reset_value")
    if population.reset == "value":
        return amount
    if population.max_spikes > 1:
        amount = builder.add_node("Mul", [values, amount], f"{name}/amount")
    return builder.add_node("Sub", [voltage, amount], f"{name}/reset")


def _wait(builder: GraphBuilder, population: Population, above: str, after: str) -> str:
    """Hold the voltages of refractory neurons; returns those that fire, bool."""
    name, zero = population.name, builder.add_scalar(0)
    countdown = builder.step_name(f"{name}/countdown")
    waiting = builder.add_node("Greater", [countdown, zero], f"{name}/waiting")
    ready = builder.add_node("Not", [waiting], f"{name}/ready")
    fires = builder.add_node("And", [above, ready], f"{name}/ready_above")
    held = builder.step_name(f"{name}/voltage")
    moved = builder.step_name(f"{name}/clipped")
    reset = builder.add_node("Where", [fires, after, moved], f"{name}/moved")
    builder.add_node("Where", [waiting, held, reset], f"{name}/voltage_next")
    period = builder.add_scalar(population.refractory)
    less = builder.add_node("Sub", [countdown, builder.add_scalar(1)], f"{name}/less")
    left = builder.add_node("Max", [less, zero], f"{name}/left")
    builder.add_node("Where", [fires, period, left], f"{name}/countdown_next")
    return fires


def _apply_decay(
    builder: GraphBuilder, population: Population, state: str, decay: NDArray[np.int32]
) -> str:
    """Multiply a state by (4096 - decay) / 4096, rounded towards zero."""
    name = f"{population.name}/{state}"
    factor = builder.add_initializer(f"{name}_factor", DECAY_ONE - decay, INT64)
    product = builder.add_node("Mul", [builder.step_name(name), factor], f"{name}_product")
    return builder.add_node("Div", [product, builder.add_scalar(DECAY_ONE)], f"{name}_decayed")
