"""Resonate-and-fire neurons as ONNX operators, restated from `runtime/arithmetic.py`.

States are int64, where `Div` rounds towards zero as `toward_zero` does.
"""

import numpy as np

from ....runtime.arithmetic import ALIGN_BITS, DECAY_ONE, STATE_HALF, align
from ....runtime.population import Population
from .builder import UINT8, GraphBuilder


def add_resonators(
    builder: GraphBuilder, population: Population, activations: tuple[str, str], inactive: str
) -> str:
    """Update resonate-and-fire neurons; stopped samples do not fire. Returns uint8.

    `activations` are those of the real and of the imaginary part.
    """
    name, kind = population.name, population.kind
    real = _add_part(builder, population, "real", activations[0])
    imag = _add_part(builder, population, "imag", activations[1])
    aligned = align(population.threshold)
    threshold = builder.add_constant(f"{name}/threshold", aligned, np.int64)
    if kind == "rf":
        fires = _passes_zero(builder, name, real, imag, threshold)
        ends = real, imag
    else:
        fires = builder.add_node("GreaterOrEqual", [imag, threshold], f"{name}/above")
        below = builder.add_constant(f"{name}/below", aligned - 1, np.int64)
        after = builder.add_scalar(0), below
        ends = tuple(  # type: ignore[assignment]
            builder.add_node("Where", [fires, value, part], f"{part}_after")
            for value, part in zip(after, (real, imag), strict=True)
        )
    for part, state in zip(ends, population.states, strict=True):
        builder.add_node("Identity", [part], f"{name}/{state}_next")
    if inactive:
        active = builder.add_node("Not", [inactive], f"{name}/active")
        fires = builder.add_node("And", [fires, active], f"{name}/fires")
    return builder.add_node("Cast", [fires], f"{name}/spikes", to=UINT8)


def _passes_zero(builder: GraphBuilder, name: str, real: str, imag: str, threshold: str) -> str:
    """Spikes, bool: the phase has passed zero at a real part of the threshold or more."""
    zero = builder.add_scalar(0)
    before = builder.add_node("Less", [builder.step_name(f"{name}/imag"), zero], f"{name}/before")
    now = builder.add_node("GreaterOrEqual", [imag, zero], f"{name}/now")
    passed = builder.add_node("And", [before, now], f"{name}/passed")
    above = builder.add_node("GreaterOrEqual", [real, threshold], f"{name}/above")
    return builder.add_node("And", [passed, above], f"{name}/both")


def _add_part(builder: GraphBuilder, population: Population, part: str, activation: str) -> str:
    """Turn and shrink the state, add the activation and clip: the real or the imaginary part."""
    name = f"{population.name}/{part}"
    with_real, with_imag = ("cos_decay", "sin_decay"), ("sin_decay", "cos_decay")
    key_of_real, key_of_imag = with_real if part == "real" else with_imag
    of_real = _multiply(builder, population, "real", key_of_real)
    of_imag = _multiply(builder, population, "imag", key_of_imag)
    joined = builder.add_node(
        "Sub" if part == "real" else "Add", [of_real, of_imag], f"{name}_turned"
    )
    unit = builder.add_scalar(1 << ALIGN_BITS)
    aligned = builder.add_node("Mul", [activation, unit], f"{name}_aligned")
    driven = builder.add_node("Add", [joined, aligned], f"{name}_driven")
    limits = [builder.add_scalar(1 - STATE_HALF), builder.add_scalar(STATE_HALF - 1)]
    return builder.add_node("Clip", [driven, *limits], f"{name}_clipped")


def _multiply(builder: GraphBuilder, population: Population, state: str, key: str) -> str:
    """Multiply a state by a decay / 4096, rounded towards zero."""
    name = f"{population.name}/{state}"
    factor = builder.add_constant(f"{population.name}/{key}", getattr(population, key), np.int64)
    product = builder.add_node("Mul", [builder.step_name(name), factor], f"{name}_{key}_product")
    return builder.add_node("Div", [product, builder.add_scalar(DECAY_ONE)], f"{name}_{key}")
