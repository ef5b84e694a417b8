"""Tables of the firmware core: a network as flat constants, and the sizes of its buffers.

Neurons lie channels last (height, width, channel). The structures are those of
`source/pumice_core.h`, whose field names these are.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Network, Population, Projection
from ...runtime.arithmetic import ALIGN_BITS, DECAY_ONE, DELTA_BITS, STATE_HALF
from ...runtime.network import activation_bound, is_modular
from ...runtime.neuron_types import (
    LIF_FEATURES,
    RESONATOR_FEATURES,
    list_features,
    require_features,
)
from ...runtime.plasticity import saturate_weights, validate_rules
from ...runtime.population import ENCODERS, RESONATORS, SPIKING
from .encoder_tables import EncoderTables, compile_encoders
from .plasticity_tables import PlasticityTables, Rules, compile_plasticity
from .projections import TableBuilder, compile_projection

RESETS = {"zero": 0, "value": 1, "subtract": 2, "delayed_subtract": 3, "adaptive": 5}
SEVERAL = 4
KIND_NAMES = "input", "cuba", "integrator", "rf", "rf_iz", "delta", "sigma_delta"
KINDS = {name: number for number, name in enumerate(KIND_NAMES)}
DIRECT, MOMENTARY, LASTING, MODULAR, COMPLEX = range(5)
MESSAGE_KINDS = (KINDS["delta"], KINDS["sigma_delta"])
HELD = (
    *LIF_FEATURES,
    "delta encoder",
    "sigma-delta neuron",
    "read-out of sigma-delta messages",
    *RESONATOR_FEATURES,
)
HOLDING = ("max", "length")  # readout rules that hold logits
WORD_BITS = 32
Fields = dict[str, int]


@dataclass(frozen=True, eq=False)
class FirmwareTables:
    """A network compiled for the firmware core.

    Attributes:
        populations: Fields of each population, inputs first, then in topological order.
        projections: Fields of each projection, by target.
        resets: What spikes of each population do, where one does not merely reset to zero.
        weights: Packed weights, uint8.
        halves: Decay factors and sparse targets, uint16.
        words: Thresholds, biases, sparse starts and early-exit thresholds, int32.
        sizes: Entries of every table and buffer, as `pm_sizes` has them.
        scratch: Entries of the buffer of momentary currents.
        rounded: Entries of the buffer of sums that are shifted right.
        traced: Entries of the buffer of currents of a build that records them.
        features: Features that the core is compiled with, by macro, without the encoder's; of
            `PUMICE_HELD` the number of logits that the readout rule holds.
        encoder: Tables of the encoders, if the network has any.
        plasticity: Tables of the plasticity rules, if the firmware learns.
    """

    populations: tuple[Mapping[str, Any], ...]
    projections: tuple[Mapping[str, int], ...]
    resets: tuple[Mapping[str, Any], ...]
    weights: NDArray[np.uint8]
    halves: NDArray[np.uint16]
    words: NDArray[np.int32]
    sizes: Mapping[str, int]
    scratch: int
    rounded: int
    traced: int
    features: Mapping[str, int]
    encoder: EncoderTables | None = None
    plasticity: PlasticityTables | None = None

    @property
    def parts(self) -> tuple[EncoderTables | PlasticityTables, ...]:
        """Tables of what stands beside the core."""
        return tuple(part for part in (self.encoder, self.plasticity) if part)

    @property
    def table_bytes(self) -> int:
        """Bytes of the constants in flash."""
        arrays = (self.weights, self.halves, self.words, self.record_words)
        return sum(a.nbytes for a in arrays) + sum(part.table_bytes for part in self.parts)

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the buffers in RAM."""
        sizes = self.sizes
        words = sizes["masks"] + sizes["states"] + self.scratch + self.rounded + sizes["scores"]
        words += self.features["PUMICE_HELD"]
        parts = sum(part.buffer_bytes for part in self.parts)
        return 4 * words + sizes["sent"] + sizes["population_count"] + parts

    @property
    def record_words(self) -> NDArray[np.int32]:
        """The populations and projections as their structures lie in memory, int32."""
        words: list[int] = []
        for population in self.populations:
            for value in population.values():
                words += value if isinstance(value, tuple) else [value]
        for projection in self.projections:
            words += projection.values()
        for reset in self.resets:
            for value in reset.values():
                words += value if isinstance(value, tuple) else [value]
        return np.array(words, "<i4")

    @property
    def sizes_crc(self) -> int:
        """CRC-32 of the sizes."""
        return zlib.crc32(np.array(list(self.sizes.values()), "<i4").tobytes())

    @property
    def crc(self) -> int:
        """CRC-32 of the sizes and the tables, in the order in which the core reads them."""
        crc = self.sizes_crc ^ 0xFFFFFFFF  # the core goes on from the register, not from the result
        data = (
            self.weights.tobytes()
            + self.halves.astype("<u2").tobytes()
            + self.words.astype("<i4").tobytes()
            + self.record_words.tobytes()
        )
        return zlib.crc32(data, crc ^ 0xFFFFFFFF)


def compile_tables(network: Network, rules: Rules | None = None) -> FirmwareTables:
    """Compile `network` to the tables of the firmware core, with plasticity where `rules` has it.

    Raises:
        NetworkError: The firmware has not all features of the network, or a rule does not fit.
    """
    require_features(network, "the firmware", HELD)
    validate_rules(network, rules := rules or {})
    grown = saturate_weights(network, rules)
    builder = TableBuilder()
    populations = (*network.inputs, *network.topological_order)
    numbers = {population.name: i for i, population in enumerate(populations)}
    slots = _count_slots(network, rules)
    rows, projections = list[dict[str, Any]](), list[Fields]()
    used = dict.fromkeys(("masks", "sent", "states"), 0)
    for population in populations:
        incoming = sorted(network.incoming(population.name), key=lambda p: p.component == "imag")
        fields = [
            compile_projection(builder, each, network, numbers[each.source], each.name in rules)
            for each in incoming
        ]
        rows.append(_population(builder, grown, population, fields))
        rows[-1]["slots"] = slots[population.name]
        rows[-1] |= _projection_range(population, incoming, len(projections))
        projections += fields
        _place_buffers(rows[-1], used)
    traced = used["states"]
    _place_currents(rows, used)
    _place_messages(rows, used)
    resets = _list_resets(builder, populations, used)
    exits = _add_thresholds(builder, network)
    weights, halves, words = builder.arrays()
    sizes = {
        "population_count": len(populations),
        "projection_count": len(projections),
        "weights": weights.size,
        "halves": halves.size,
        "words": words.size,
        **used,
        "scores": _score_count(network),
        "input": sum(p.neurons for p in network.inputs),
        "output": numbers[network.output],
        **exits,
        "reset_count": len(resets),
    }
    return FirmwareTables(
        tuple(rows),
        tuple(projections),
        resets,
        weights,
        halves,
        words,
        sizes,
        max(map(_scratch_entries, rows)),
        _rounded_neurons(rows, projections),
        traced,
        _features(network, rows, projections) | {"PUMICE_PLASTIC": bool(rules)},
        compile_encoders(network),
        compile_plasticity(network, rules, projections, numbers),
    )


def _add_thresholds(builder: TableBuilder, network: Network) -> Fields:
    """Append the thresholds of the early exit; returns where they are."""
    thresholds = network.early_exit.thresholds if network.early_exit else ()
    first = builder.words.add(np.array(thresholds, np.int64))
    return {"thresholds": first, "threshold_count": len(thresholds)}


def _score_count(network: Network) -> int:
    """Count the outputs whose spikes are counted; those of an integrator are not."""
    output = network.population(network.output)
    return 0 if output.kind == "integrator" else output.neurons


def _count_slots(network: Network, rules: Rules) -> dict[str, int]:
    """Count the timesteps whose spikes are kept, by population."""
    slots = {population.name: 1 for population in network.populations}
    for projection in network.projections:
        slots[projection.source] = max(slots[projection.source], projection.delay + 1)
        if projection.name in rules:  # learns from the spikes of the timestep before
            slots[projection.target] = max(slots[projection.target], 2)
    return slots


def _population(
    builder: TableBuilder, network: Network, population: Population, incoming: list[Fields]
) -> dict[str, Any]:
    """Lay out the parameters of a population; chooses where its sums are added up.

    Takes the shift of its only projection, where its currents last one timestep, off `incoming`.
    """
    shape = population.shape
    mode, shift = DIRECT, 0
    encodes = population.kind in ENCODERS
    if encodes or is_modular(population):
        mode = LASTING if encodes else MODULAR
        if len(incoming) == 1:  # sums of a delta encoder alone are rounded
            shift, incoming[0]["shift"] = incoming[0]["shift"], 0
    elif population.kind in RESONATORS:
        mode = COMPLEX
    elif population.kind != "input" and int(population.current_decay.min()) < DECAY_ONE:
        mode = LASTING
    elif len(incoming) == 1 and incoming[0]["shift"]:
        mode, shift, incoming[0]["shift"] = MOMENTARY, incoming[0]["shift"], 0
    elif population.kind != "input":
        bound = activation_bound(network, population) << ALIGN_BITS
        mode = DIRECT if bound < STATE_HALF and not population.refractory else MOMENTARY
    counted = not encodes and population.align_bits
    for fields in incoming:  # sums are in 1/64 of a weight unit, but those that are shifted right
        fields["scale"] <<= ALIGN_BITS if counted and not (fields["shift"] or shift) else 0
    bias = population.bias.astype(np.int64) << population.bias_exponent
    bias <<= ALIGN_BITS if encodes else 0
    spiking = population.kind in SPIKING or encodes
    threshold = population.threshold.astype(np.int64) << (DELTA_BITS if encodes else ALIGN_BITS)
    lasting = np.array(DECAY_ONE) - (population.current_decay if mode == LASTING else DECAY_ONE)
    kept = np.array(DECAY_ONE) - population.voltage_decay
    if mode == COMPLEX:
        lasting, kept = population.cos_decay, population.sin_decay
    return {
        "kind": KINDS[population.kind],
        "neurons": population.neurons,
        "channels": shape[0],
        "max_value": population.max_value,
        "slots": 1,
        "row": 0 if population.kind == "integrator" else -(-population.neurons // WORD_BITS),
        "mask": 0,
        "sent": -1,
        "mode": mode,
        "voltage": 0,
        "current": 0,
        "shift": shift,
        "steady": int((kept == DECAY_ONE).all() and not bias.any()),
        "into": 0,
        "into_end": 0,
        "current_kept": builder.parameter(builder.halves, lasting, shape),
        "voltage_kept": builder.parameter(builder.halves, kept, shape),
        "threshold": builder.parameter(builder.words, threshold * spiking, shape),
        "bias": builder.parameter(builder.words, bias, shape),
    }


def _projection_range(
    population: Population, incoming: list[Projection], first: int
) -> dict[str, int]:
    """Indices at which projections into a population, and its imaginary ones, begin and end."""
    places = {"into": first, "into_end": first + len(incoming)}
    real = sum(projection.component == "real" for projection in incoming)
    return places | ({"steady": first + real} if population.kind in RESONATORS else {})


def _scratch_entries(row: dict[str, Any]) -> int:
    """Count the currents of one timestep of a population; of resonators both sums."""
    sums = {MOMENTARY: 1, MODULAR: 1, COMPLEX: 2}
    return int(sums.get(row["mode"], 0) * row["neurons"])


def _rounded_neurons(rows: list[dict[str, Any]], projections: list[Fields]) -> int:
    """Count the most neurons of a population with sums that are shifted right on their own."""
    return max(
        (
            row["neurons"]
            for row in rows
            if any(p["shift"] for p in projections[row["into"] : row["into_end"]])
        ),
        default=0,
    )


def _place_buffers(row: dict[str, Any], used: Fields) -> None:
    """Reserve the spikes and voltages of a population in the buffers; advances `used`."""
    row["mask"] = used["masks"]
    used["masks"] += row["slots"] * row["row"]
    if row["max_value"] > 1 and row["kind"] not in MESSAGE_KINDS:
        row["sent"] = used["sent"]
        used["sent"] += row["slots"] * row["neurons"]
    if row["kind"] != KINDS["input"]:
        row["voltage"] = used["states"]
        used["states"] += row["neurons"]


def _place_currents(rows: list[dict[str, Any]], used: Fields) -> None:
    """Reserve lasting currents behind the voltages; advances `used`."""
    for row in rows:
        if row["mode"] in (LASTING, COMPLEX):
            row["current"] = used["states"]
            used["states"] += row["neurons"]


def _place_messages(rows: list[dict[str, Any]], used: Fields) -> None:
    """Reserve the messages of the timesteps kept behind all other states; advances `used`."""
    for row in rows:
        if row["kind"] in MESSAGE_KINDS:
            row["sent"] = used["states"]
            used["states"] += row["slots"] * row["neurons"]


def _list_resets(
    builder: TableBuilder, populations: tuple[Population, ...], used: Fields
) -> tuple[dict[str, Any], ...]:
    """List what spikes of each population do; nothing where all merely reset to zero."""
    if not any(map(_has_reset, populations)):
        return ()
    rows = []
    for population in populations:
        kind = SEVERAL if population.max_spikes > 1 else RESETS[population.reset]
        if kind == 0 and (population.refractory or population.bounded):
            kind = RESETS["value"]
        lowest = np.maximum(population.min_voltage.astype(np.int64) << ALIGN_BITS, 1 - STATE_HALF)
        adaptive = population.reset == "adaptive"
        value = population.threshold_step if adaptive else population.reset_value
        amount = value.astype(np.int64) << ALIGN_BITS
        kept = [DECAY_ONE - d for d in (population.threshold_decay, population.refractory_decay)]
        shape = population.shape
        row = {
            "kind": kind,
            "refractory": population.refractory,
            "waiting": used["states"],
            "amount": builder.parameter(builder.words, amount, shape),
            "lowest": builder.parameter(builder.words, lowest, shape),
            "raise_kept": builder.parameter(builder.halves, kept[0], shape),
            "refractory_kept": builder.parameter(builder.halves, kept[1], shape),
        }
        used["states"] += population.neurons * (2 * adaptive + (population.refractory > 0))
        rows.append(row)
    return tuple(rows)


def _has_reset(population: Population) -> bool:
    """True where a spike does more than to reset to zero."""
    return any(name in LIF_FEATURES for name in list_features(population))


def _features(
    network: Network, rows: list[dict[str, Any]], projections: list[Fields]
) -> dict[str, int]:
    """Name what the network uses of the core, by macro."""
    kinds = {fields["kind"] for fields in projections}
    runs = [f for f in projections if f["kind"] in (0, 2)]  # dense, conv
    modes = {row["mode"] for row in rows}
    decision = network.readout.decision
    return {
        "PUMICE_DENSE": 0 in kinds,
        "PUMICE_SPARSE": 1 in kinds,
        "PUMICE_CONV": 2 in kinds,
        "PUMICE_POOL": 3 in kinds,
        "PUMICE_GRADED": any(row["sent"] >= 0 and row["kind"] not in MESSAGE_KINDS for row in rows),
        "PUMICE_BOUNDED": any(p.max_value < 255 for p in network.inputs),
        "PUMICE_SIGNED_BYTES": any(f["bits"] == 8 and f["is_signed"] for f in runs),
        "PUMICE_UNSIGNED_BYTES": any(f["bits"] == 8 and not f["is_signed"] for f in runs),
        "PUMICE_NIBBLES": any(f["bits"] == 4 for f in runs),
        "PUMICE_PACKED": any(f["bits"] < 8 and f["bits"] != 4 for f in runs),
        "PUMICE_MOMENTARY": MOMENTARY in modes,
        "PUMICE_LASTING": LASTING in modes,
        "PUMICE_SHIFTED": any(row["shift"] for row in rows),
        "PUMICE_ROUNDED": any(fields["shift"] for fields in projections),
        "PUMICE_EXIT": network.early_exit is not None,
        "PUMICE_RESETS": any(map(_has_reset, network.populations)),
        "PUMICE_MESSAGES": MODULAR in modes or any(row["kind"] in MESSAGE_KINDS for row in rows),
        "PUMICE_RESONATORS": COMPLEX in modes,
        "PUMICE_ENCODER": bool(network.encoders),
        "PUMICE_HELD": network.population(network.output).neurons if decision in HOLDING else 0,
        "PUMICE_HOLD_MAX": decision == "max",
    }
