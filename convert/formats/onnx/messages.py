"""Sigma-delta neurons and their messages as ONNX operators, restated from `runtime/arithmetic.py`.

Products are those of float32, exact below 2^24. Messages are split into digits that keep them so,
and the sums of the digits are joined in int64.
"""

import numpy as np

from ....runtime.arithmetic import ALIGN_BITS, DELTA_BITS, STATE_HALF
from ....runtime.connections import Connection
from ....runtime.errors import NetworkError
from ....runtime.population import Population
from .builder import FLOAT, INT32, INT64, GraphBuilder

EXACT_BITS = 24  # of an integer in float32


def digit_bits(connection: Connection, who: str) -> int:
    """Bits of a digit whose weighted sums are exact; raises `NetworkError` where there are none."""
    largest = int(connection.sum_abs_weights().max(initial=1))
    bits = EXACT_BITS - (largest - 1).bit_length()
    if bits < 1:
        raise NetworkError(
            f"{who}: absolute weights of {largest} into a neuron are too many for float32; "
            "use fewer inputs or smaller weights"
        )
    return bits


def add_digits(
    builder: GraphBuilder, name: str, messages: str, source: Population, bits: int
) -> list[str]:
    """Split int64 `messages` into float32 digits of `bits` bits, the lowest first."""
    digits: list[str] = []
    base = builder.add_scalar(1 << bits)
    count = -(-source.value_bits // bits)
    for number in range(count):
        digit = messages
        if number < count - 1:
            digit = builder.add_node("Mod", [messages, base], f"{name}/digit_{number}_integer")
            rest = builder.add_node("Sub", [messages, digit], f"{name}/rest_{number}")
            messages = builder.add_node("Div", [rest, base], f"{name}/higher_{number}")
        digits.append(builder.add_node("Cast", [digit], f"{name}/digit_{number}", to=FLOAT))
    return digits


def add_wrapped_sum(builder: GraphBuilder, name: str, total: str, result: str) -> str:
    """Take int64 `total` modulo 2^24, in [-2^23, 2^23)."""
    half, full = builder.add_scalar(STATE_HALF), builder.add_scalar(2 * STATE_HALF)
    raised = builder.add_node("Add", [total, half], f"{name}/sum_raised")
    residue = builder.add_node("Mod", [raised, full], f"{name}/sum_residue")
    return builder.add_node("Sub", [residue, half], f"{name}/{result}")


def add_encoder(
    builder: GraphBuilder, population: Population, activation: str, inactive: str
) -> str:
    """Update a delta or sigma-delta population; returns its messages, int32."""
    name = population.name
    if population.kind == "delta":
        factor = builder.add_scalar(1 << DELTA_BITS)
        active = builder.add_node("Mul", [activation, factor], f"{name}/scaled")
        state = builder.step_name(f"{name}/current")  # of its shape, where nothing arrives
        zero = builder.add_node("Mul", [state, builder.add_scalar(0)], f"{name}/nothing")
        active = builder.add_node("Add", [active, zero], f"{name}/current_next")
    else:
        current = builder.step_name(f"{name}/current")
        total = builder.add_node("Add", [current, activation], f"{name}/total")
        sigma = add_wrapped_sum(builder, name, total, "current_next")
        shifted = population.bias.astype(np.int64) << population.bias_exponent + ALIGN_BITS
        bias = builder.add_initializer(f"{name}/bias", shifted, INT64)
        biased = builder.add_node("Add", [sigma, bias], f"{name}/biased")
        active = builder.add_node("Max", [biased, builder.add_scalar(0)], f"{name}/active_value")
    sent = builder.step_name(f"{name}/voltage")
    delta = builder.add_node("Sub", [active, sent], f"{name}/delta")
    size = builder.add_node("Abs", [delta], f"{name}/size")
    needed = population.threshold.astype(np.int64) << DELTA_BITS
    threshold = builder.add_initializer(f"{name}/threshold", needed, INT64)
    changed = builder.add_node("GreaterOrEqual", [size, threshold], f"{name}/changed")
    if inactive:
        running = builder.add_node("Not", [inactive], f"{name}/active")
        changed = builder.add_node("And", [changed, running], f"{name}/sends")
    builder.add_node("Where", [changed, active, sent], f"{name}/voltage_next")
    unit = builder.add_scalar(1 << ALIGN_BITS)
    below = builder.add_node("Mod", [delta, unit], f"{name}/below")
    whole = builder.add_node("Sub", [delta, below], f"{name}/whole")
    message = builder.add_node("Div", [whole, unit], f"{name}/change")
    message = builder.add_node("Where", [changed, message, builder.add_scalar(0)], f"{name}/kept")
    return builder.add_node("Cast", [message], f"{name}/spikes", to=INT32)
