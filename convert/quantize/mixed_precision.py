"""Mixed precision: search the fewest weight bits per population within an accuracy budget.

Each population is calibrated at every number of bits. What reducing it alone does to the logits is
its sensitivity. Bits are then removed one at a time, in the order of least error per bit of memory
freed, and each reduction is kept only if the accuracy drop of the whole network stays within the
budget.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.engines.cpu.engine import run
from ...runtime.trace import logits_over_time
from .calibration import calibrate
from .float_network import MIN_WEIGHT_BITS, FloatNetwork, set_weight_bits
from .float_simulator import simulate_float_network
from .quantize import quantize_network
from .scales import MIN_NORMAL, WEIGHT_BITS

BitWidths = Mapping[str, int]


@dataclass(frozen=True)
class Sensitivity:
    """Effect of quantizing the weights into one population to fewer bits; all others have 8.

    Attributes:
        name: Name of the population.
        bits: Bits of the weights into it.
        weights: Number of these weights.
        error: Root mean square distance between the logits in integers and in floats, each
            normalized to length 1.
        accuracy_drop: Fraction of samples whose prediction changes; with labels, the accuracy lost.
    """

    name: str
    bits: int
    weights: int
    error: float
    accuracy_drop: float


@dataclass(frozen=True)
class BitAllocation:
    """Weight bits per population, and their effect.

    Attributes:
        network: The float network, calibrated for these bits.
        bits: Bits of the weights into each population, by its name.
        accuracy_drop: Accuracy drop of the whole network; see `Sensitivity`.
        memory_bits: Bits of all weights.
        full_memory_bits: Bits of all weights at 8 each.
        sensitivities: Every population at 7 to 4 bits.
    """

    network: FloatNetwork
    bits: BitWidths
    accuracy_drop: float
    memory_bits: int
    full_memory_bits: int
    sensitivities: tuple[Sensitivity, ...]

    def to_dict(self) -> dict[str, Any]:
        """The allocation as JSON values, without the network."""
        return {
            "bits": dict(self.bits),
            "accuracy_drop": self.accuracy_drop,
            "memory_bits": self.memory_bits,
            "full_memory_bits": self.full_memory_bits,
            "sensitivities": [asdict(each) for each in self.sensitivities],
        }


@dataclass(frozen=True)
class _BitWidthTrial:
    """Calibrated networks by weight bits, and the data to evaluate combinations of them on."""

    networks: Mapping[int, FloatNetwork]
    events: NDArray[np.uint8]
    float_logits: NDArray[np.float64]
    labels: NDArray[np.int64] | None

    def combine(self, bits: BitWidths) -> FloatNetwork:
        """The network in which each population is calibrated for its `bits`."""
        full = self.networks[WEIGHT_BITS]
        populations = (
            self.networks[bits.get(p.name, WEIGHT_BITS)].populations[index]
            for index, p in enumerate(full.populations)
        )
        projections = (
            self.networks[bits.get(p.target, WEIGHT_BITS)].projections[index]
            for index, p in enumerate(full.projections)
        )
        return replace(full, populations=tuple(populations), projections=tuple(projections))

    def evaluate(self, bits: BitWidths) -> tuple[float, float]:
        """Logit error and accuracy drop at `bits`."""
        network, _ = quantize_network(self.combine(bits))
        logits = logits_over_time(network, run(network, self.events))[-1].astype(np.float64)
        difference = _normalize(logits) - _normalize(self.float_logits)
        error = float(np.sqrt((difference**2).sum(axis=1).mean()))
        predictions, expected = logits.argmax(axis=1), self.float_logits.argmax(axis=1)
        if self.labels is None:
            return error, float((predictions != expected).mean())
        accuracies = [float((each == self.labels).mean()) for each in (expected, predictions)]
        return error, max(accuracies[0] - accuracies[1], 0.0)


def search_bit_widths(
    network: FloatNetwork,
    events: NDArray[np.uint8],
    budget: float,
    labels: NDArray[np.int64] | None = None,
) -> BitAllocation:
    """Search the fewest weight bits per population that keep the accuracy drop within a budget.

    Args:
        network: The float network.
        events: uint8 (timesteps, samples, *input shape).
        budget: Accuracy drop allowed, a fraction of the samples: those whose prediction differs
            from the float network's, or, with `labels`, the accuracy lost. Where 8 bits already
            exceed it, they stay.
        labels: Classes of the samples, int64 (samples,).

    Returns:
        The bits of each population, with the network calibrated for them.
    """
    levels = range(MIN_WEIGHT_BITS, WEIGHT_BITS + 1)
    networks = {bits: calibrate(set_weight_bits(network, bits), events)[0] for bits in levels}
    trial = _BitWidthTrial(networks, events, _run_float_logits(network, events), labels)
    weights = _count_weights(network)
    bits = dict.fromkeys(weights, WEIGHT_BITS)
    sensitivities = tuple(_measure_sensitivities(trial, bits, weights))
    full_error, accuracy_drop = trial.evaluate(bits)
    for name, fewer in _order_reductions(sensitivities, full_error, weights):
        if bits[name] != fewer + 1:
            continue  # an earlier reduction exceeded the budget
        _, drop = trial.evaluate({**bits, name: fewer})
        if drop <= budget:
            bits[name], accuracy_drop = fewer, drop
    memory_bits = sum(count * bits[name] for name, count in weights.items())
    full_memory_bits = WEIGHT_BITS * sum(weights.values())
    chosen = trial.combine(bits)
    return BitAllocation(chosen, bits, accuracy_drop, memory_bits, full_memory_bits, sensitivities)


def _measure_sensitivities(
    trial: _BitWidthTrial, bits: BitWidths, weights: BitWidths
) -> Iterator[Sensitivity]:
    for name, count in weights.items():
        for fewer in range(WEIGHT_BITS - 1, MIN_WEIGHT_BITS - 1, -1):
            error, accuracy_drop = trial.evaluate({**bits, name: fewer})
            yield Sensitivity(name, fewer, count, error, accuracy_drop)


def _order_reductions(
    sensitivities: tuple[Sensitivity, ...], full_error: float, weights: BitWidths
) -> Iterator[tuple[str, int]]:
    """Population and bits of each reduction, least error per bit of memory freed first."""
    previous = dict.fromkeys(weights, full_error)
    cost: dict[tuple[str, int], float] = {}
    for each in sensitivities:  # of a population, most bits first
        floor = cost.get((each.name, each.bits + 1), 0.0)  # a reduction follows the one before it
        cost[each.name, each.bits] = max((each.error - previous[each.name]) / each.weights, floor)
        previous[each.name] = each.error
    yield from sorted(cost, key=lambda reduction: (cost[reduction], -reduction[1]))


def _run_float_logits(network: FloatNetwork, events: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits of the float network after the last timestep, float64 (samples, neurons)."""
    out = simulate_float_network(network, events)[network.output]
    spiking = next(p.spiking for p in network.populations if p.name == network.output)
    last = out.sum(axis=0) if spiking else out[-1]
    logits: NDArray[np.float64] = last.reshape(len(last), -1).astype(np.float64)
    return logits


def _count_weights(network: FloatNetwork) -> dict[str, int]:
    """Number of weights into each population, without those that only pools project to."""
    counts: dict[str, int] = {}
    for projection in network.projections:
        if projection.kind != "sum_pool":
            counts[projection.target] = counts.get(projection.target, 0) + projection.weights.size
    return counts


def _normalize(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.sqrt((logits**2).sum(axis=1, keepdims=True))
    result: NDArray[np.float64] = logits / np.maximum(length, MIN_NORMAL)
    return result
