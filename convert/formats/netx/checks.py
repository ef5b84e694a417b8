"""Check which layers of a netx file are supported, and note where SLAYER and netx disagree.

SLAYER trains a network, netx runs it on the chip, and in places they compute different things.
pumice then follows SLAYER, because the weights were trained for its integers.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from ....runtime.population import LIMITS
from ...diagnostics import LayerDiagnostic, Support
from .resonators import RESONATOR_KINDS, find_resonator_problem
from .schema import Layer

LIF_NEURONS = ("CUBA", "LOIHI")
SIGMA_DELTA = "SDNN"
ADAPTIVE = "ALIF"
SUPPORTED_NEURONS = (*LIF_NEURONS, ADAPTIVE, *RESONATOR_KINDS, SIGMA_DELTA)
SIGMA_DELTA_LAYERS = ("input", "conv", "convT", "pool", "unpool", "dense")
SUPPORTED_LAYERS = {
    "input": "events from outside",
    "conv": "its kernels, exactly",
    "convT": "its transposed kernels as listed synapses, exactly",
    "pool": "sums over windows that do not overlap, exactly",
    "unpool": "its windows as listed synapses, exactly",
    "flatten": "flattened by channel, then by row",
    "dense": "its weights, exactly",
    "dense_rec": "its weights, and its own spikes one timestep later, exactly",
    "average": "a read-out that integrates the spikes of each group",
}
POOLING_LAYERS = ("pool", "unpool")
READOUT_THRESHOLD = 1 << 17
# SLAYER rounds the values of an input layer with neurons to 1/32 and keeps them below 4.
INPUT_BITS = 7
CHIP_INPUT_BITS = 8  # of the integers that netx writes into the neurons of an input layer
SIGNED_INPUT_BITS = {"slayer": 8, "synchronous": 13, "pipelined": 13}  # 13 of Loihi's bias
Timing = Literal["slayer", "synchronous", "pipelined"]
INPUT_EXPONENT = -5
UNIT_WEIGHT = 64
MAX_NORM_SHIFT = 3  # what SLAYER's norm clamps its exponent to by default


def check_layers(
    layers: list[Layer], timing: Timing = "slayer", skipped: int = 0, signed: bool = False
) -> tuple[LayerDiagnostic, ...]:
    """Diagnose each layer but the first `skipped`, for a run with `timing`; see `reader`.

    `signed` is whether values of the input may be negative.

    Raises:
        FileError: An entry is unreadable.
    """
    return tuple(
        _add_notes(layer, _diagnose(layer, timing), timing, signed) for layer in layers[skipped:]
    )


def _diagnose(layer: Layer, timing: Timing) -> LayerDiagnostic:
    problem = _find_problem(layer) or _find_neuron_problem(layer, timing)
    if problem is not None:
        reason, remedy = problem
        return LayerDiagnostic(
            layer.name, layer.kind, "unsupported", reason=f"has {reason}", remedy=remedy
        )
    return LayerDiagnostic(layer.name, layer.kind, "exact", SUPPORTED_LAYERS[layer.kind])


def _find_problem(layer: Layer) -> tuple[str, str] | None:
    """Reason and remedy where the layer itself is not supported."""
    if layer.kind not in SUPPORTED_LAYERS:
        return f"a layer of type {layer.kind!r}", "use " + ", ".join(SUPPORTED_LAYERS)
    complex_weights = layer.has("weight/imag") or layer.has("weight/real")
    if complex_weights and layer.neuron_type() not in RESONATOR_KINDS:
        neuron = layer.neuron_type() or "no"
        return f"complex weights, but {neuron} neurons", "use resonate-and-fire neurons (RF)"
    if layer.kind in POOLING_LAYERS and _overlaps(layer):
        return (
            "windows that overlap or are padded, which SLAYER lets run into the next channel",
            "use a stride that equals the kernel, no padding and no dilation",
        )
    return None


def _find_neuron_problem(layer: Layer, timing: Timing) -> tuple[str, str] | None:
    """Reason and remedy where the neurons of the layer are not supported."""
    neuron = layer.neuron_type()
    if neuron and neuron not in SUPPORTED_NEURONS:
        return f"neurons of type {neuron}", "use CUBA, ALIF, RF or sigma-delta neurons"
    if neuron == SIGMA_DELTA:
        return _find_sigma_delta_problem(layer)
    if neuron in RESONATOR_KINDS and (problem := find_resonator_problem(layer)):
        return problem
    if neuron == ADAPTIVE and norm_shift(layer):
        return "a norm that divides the current of ALIF neurons", "use MeanOnlyBatchNorm or none"
    if layer.has("neuron/gradedSpike") and layer.integer("neuron/gradedSpike"):
        return "neurons with graded spikes", "train with graded_spike=False"
    if layer.has("neuron/messageBits") and layer.integer("neuron/messageBits"):
        return "neurons that send messages of several bits", "use binary spikes"
    if layer.has("neuron/refDelay") and layer.integer("neuron/refDelay") > 1:
        steps = layer.integer("neuron/refDelay")
        return f"a refractory time of {steps} steps", "use a refDelay of 1"
    biased = layer.kind == "input" and neuron and np.any(layer.entries.get("bias", 0))
    if biased and timing == "slayer" and np.any(layer.neuron_parameter("iDecay", 0) != 4096):
        remedy = "use a current_decay of 1, or a timing of the chip"
        return "a bias that its current filters", remedy
    return None


def _find_sigma_delta_problem(layer: Layer) -> tuple[str, str] | None:
    if layer.kind not in SIGMA_DELTA_LAYERS:
        return f"sigma-delta neurons in a {layer.kind} layer", "use dense layers"
    activation = layer.text("neuron/activation", "relu")
    if activation != "relu":
        return f"sigma-delta neurons with activation {activation}", "use relu"
    if norm_shift(layer):
        return "a norm that divides sigma-delta messages", "use MeanOnlyBatchNorm or none"
    biased = layer.has("bias") and np.any(layer.entries["bias"])
    if biased and layer.has("neuron/sigma_output"):
        return "a sigma read-out with a bias", "use no bias"
    return None


def _overlaps(layer: Layer) -> bool:
    return (
        layer.pair("stride", 1) != layer.pair("kernelSize", 1)
        or layer.pair("padding", 0) != (0, 0)
        or layer.pair("dilation", 1) != (1, 1)
    )


BIAS_NOTES: dict[Timing, str] = {
    "slayer": "its bias counts from the first step as in SLAYER, whose layers are one step apart "
    "(netx: one step more, and from its first reset on a step later in each layer)",
    "synchronous": "its bias counts from its own first step, as in netx after a reset (SLAYER: "
    "from the first step of all layers)",
    "pipelined": "its bias counts from the first step of all layers, as in netx without resets "
    "(SLAYER: from the first input)",
}


SIGMA_DELTA_BIAS_NOTES: dict[Timing, str] = {
    "slayer": "its bias counts from its first message, as in SLAYER (netx: a step earlier in each "
    "layer)",
    "synchronous": "its bias counts from its own first step, as in SLAYER",
    "pipelined": "its bias counts from the first step of all layers, as in netx (SLAYER: layers "
    "take no time)",
}


def _add_notes(
    layer: Layer, diagnostic: LayerDiagnostic, timing: Timing, signed: bool
) -> LayerDiagnostic:
    """Add to the conversion of a layer what SLAYER and netx disagree about."""
    if diagnostic.support == "unsupported":
        return diagnostic
    notes = [diagnostic.conversion]
    if layer.neuron_type() == SIGMA_DELTA:
        return _add_sigma_delta_notes(layer, diagnostic, timing)
    from_outside = layer.kind == "input" and layer.neuron_type()
    if from_outside and timing != "slayer":
        notes.append(_describe_chip_input(layer, signed))
    elif layer.has("bias") and np.any(layer.entries["bias"]):
        notes.append(BIAS_NOTES[timing])
    if layer.has("delay") and np.any(layer.entries["delay"]):
        notes.append(
            "its spikes leave late as in SLAYER (netx ignores that for conv, and in dense_rec "
            "delays the recurrent spikes too)"
        )
    if layer.neuron_type() == ADAPTIVE:
        notes.append("its thresholds adapt as in SLAYER (netx has no such neurons)")
    if layer.neuron_type() in RESONATOR_KINDS:
        notes.append(
            "its resonators have the decays of the file, as in SLAYER (netx may lower them by 1)"
        )
    if _never_fires(layer):
        notes.append("its threshold is the largest that the register holds: read by its voltage")
    if layer.kind == "dense" and not layer.neuron_type():
        notes.append(
            "without neurons, it integrates its input as in netx (SLAYER gives the input of each "
            "step)"
        )
    if from_outside and timing == "slayer":
        notes.append(
            f"its input is integers from {-128 if signed else 0} to 127, in 1/32 of SLAYER's unit"
        )
    reason = ""
    if from_outside and timing == "slayer" and input_weight(layer)[1] < 0:
        reason = "its weight times 1/32 is no integer, so that products are rounded down"
    if norm_shift(layer):
        reason = (
            "its norm divides by a power of two, which is moved into the threshold or the weights: "
            "SLAYER rounds after it (netx ignores it)"
        )
    support: Support = "approximate" if reason else "exact"
    return replace(diagnostic, support=support, conversion="; ".join(notes), reason=reason)


def _add_sigma_delta_notes(
    layer: Layer, diagnostic: LayerDiagnostic, timing: Timing
) -> LayerDiagnostic:
    conversion = f"{diagnostic.conversion}; sigma-delta neurons with Lava's messages of 1/4096"
    if layer.kind == "input":
        conversion = "a delta encoder, whose input is integers of 16 bits, 64 for 1"
        if layer.has("weight") or layer.has("bias"):
            conversion += ", after the layer's weight and bias"
    elif layer.has("neuron/sigma_output"):
        conversion = f"{diagnostic.conversion}; a read-out that adds up sigma-delta messages"
    elif layer.has("bias") and np.any(layer.entries["bias"]):
        conversion += "; " + SIGMA_DELTA_BIAS_NOTES[timing]
    return replace(diagnostic, conversion=conversion)


def _never_fires(layer: Layer) -> bool:
    return bool(np.min(layer.neuron_parameter("vThMant", 0)) >= LIMITS["threshold"][1])


def norm_shift(layer: Layer) -> int:
    """Power of two that SLAYER's `WgtScaleBatchNorm` divides the current by."""
    if not layer.has("neuron/weight_exp"):
        return 0
    return min(max(layer.integer("neuron/weight_exp"), -MAX_NORM_SHIFT), MAX_NORM_SHIFT)


def _describe_chip_input(layer: Layer, signed: bool) -> str:
    weight = layer.integer("weight") if layer.has("weight") else UNIT_WEIGHT
    bias = layer.integer("bias") if layer.has("bias") else 0
    return (
        f"its input is the integers from {'-4096 to 4095' if signed else '0 to 255'} that netx "
        "writes into the neurons, "
        f"{weight} * x {'-' if bias < 0 else '+'} {abs(bias)} for values x in SLAYER's unit, "
        "rounded towards zero (SLAYER rounds x to 1/32)"
    )


def input_weight(layer: Layer) -> tuple[int, int]:
    """Weight and exponent of the values of 1/32 of an input layer."""
    weight = layer.integer("weight") if layer.has("weight") else UNIT_WEIGHT
    exponent = INPUT_EXPONENT
    while exponent < 0 and weight % 2 == 0:
        weight, exponent = weight // 2, exponent + 1
    return weight, exponent
