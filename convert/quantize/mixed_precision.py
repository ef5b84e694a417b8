"""Mixed precision: how few bits the weights into each population need, found on data.

Each population is calibrated at every number of bits. What lowering it alone does to the answers is
its sensitivity; then bits are taken away one at a time where that harms least for the memory it
frees, and each step is kept only if the answers as a whole stay within a budget.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...runtime.engines.cpu.engine import run
from ...runtime.trace import logits_over_time
from .calibration import calibrate
from .float_network import FloatNetwork, set_weight_bits
from .float_simulator import simulate_float_network
from .quantize import quantize_network
from .scales import MIN_NORMAL, WEIGHT_BITS

MIN_WEIGHT_BITS = 4
BitWidths = Mapping[str, int]


@dataclass(frozen=True)
class Sensitivity:
    """What it does to the answers that the `weights` into population `name` have `bits` bits.

    All others have 8. `error` is the root mean square distance between the answers in integers and
    in real numbers, each brought to length 1; `harm` is the share of samples with another answer,
    or, where labels are known, the accuracy that is lost.
    """

    name: str
    bits: int
    weights: int
    error: float
    accuracy_drop: float


@dataclass(frozen=True)
class BitAllocation:
    """How many `bits` the weights into each population should have, and what that does.

    `harm` is that of all together, `memory` the bits of all weights, `full` those at 8 each.
    `graph` is calibrated accordingly.
    """

    network: FloatNetwork
    bits: BitWidths
    accuracy_drop: float
    memory_bits: int
    full_memory_bits: int
    sensitivities: tuple[Sensitivity, ...]


@dataclass(frozen=True)
class _BitWidthTrial:
    """Calibrated graphs by bits, and the data that combinations of them are judged on."""

    networks: Mapping[int, FloatNetwork]
    events: NDArray[np.uint8]
    float_logits: NDArray[np.float64]
    labels: NDArray[np.int64] | None

    def combine(self, bits: BitWidths) -> FloatNetwork:
        """Return the graph in which each population is calibrated for its `bits`."""
        full = self.networks[WEIGHT_BITS]
        neurons = (
            self.networks[bits.get(n.name, WEIGHT_BITS)].populations[number]
            for number, n in enumerate(full.populations)
        )
        synapses = (
            self.networks[bits.get(s.target, WEIGHT_BITS)].projections[number]
            for number, s in enumerate(full.projections)
        )
        return replace(full, populations=tuple(neurons), projections=tuple(synapses))

    def evaluate(self, bits: BitWidths) -> tuple[float, float]:
        """Return the error and the harm of `bits`."""
        network, _ = quantize_network(self.combine(bits))
        found = logits_over_time(network, run(network, self.events))[-1].astype(np.float64)
        error = float(
            np.sqrt(((_normalize(found) - _normalize(self.float_logits)) ** 2).sum(axis=1).mean())
        )
        said, meant = found.argmax(axis=1), self.float_logits.argmax(axis=1)
        if self.labels is None:
            return error, float((said != meant).mean())
        right = float((meant == self.labels).mean()) - float((said == self.labels).mean())
        return error, max(right, 0.0)


def search_bit_widths(
    graph: FloatNetwork,
    events: NDArray[np.uint8],
    budget: float,
    labels: NDArray[np.int64] | None = None,
) -> BitAllocation:
    """Return the fewest bits found that keep the harm to the answers on `events` within `budget`.

    `events` uint8 (timesteps, samples, *input shape). `budget` is a share of samples: those that
    answer otherwise than in real numbers, or, with `labels` int64 (samples,), the accuracy lost.
    Where 8 bits already harm more than that, they stay.
    """
    levels = range(MIN_WEIGHT_BITS, WEIGHT_BITS + 1)
    graphs = {bits: calibrate(set_weight_bits(graph, bits), events)[0] for bits in levels}
    trial = _BitWidthTrial(graphs, events, _run_float_logits(graph, events), labels)
    weights = _count_weights(graph)
    bits = dict.fromkeys(weights, WEIGHT_BITS)
    told = tuple(_measure_sensitivities(trial, bits, weights))
    _, harm = trial.evaluate(bits)
    for name, fewer in _order_reductions(told, trial.evaluate(bits)[0], weights):
        if bits[name] != fewer + 1:
            continue  # a step before it was too much
        _, after = trial.evaluate({**bits, name: fewer})
        if after <= budget:
            bits[name], harm = fewer, after
    memory = sum(count * bits[name] for name, count in weights.items())
    full = WEIGHT_BITS * sum(weights.values())
    return BitAllocation(trial.combine(bits), bits, harm, memory, full, told)


def _measure_sensitivities(
    trial: _BitWidthTrial, bits: BitWidths, weights: BitWidths
) -> Iterator[Sensitivity]:
    for name, count in weights.items():
        for fewer in range(WEIGHT_BITS - 1, MIN_WEIGHT_BITS - 1, -1):
            error, harm = trial.evaluate({**bits, name: fewer})
            yield Sensitivity(name, fewer, count, error, harm)


def _order_reductions(
    told: tuple[Sensitivity, ...], start: float, weights: BitWidths
) -> Iterator[tuple[str, int]]:
    """Give population and bits of each step, least harm for the memory it frees first."""
    last = dict.fromkeys(weights, start)
    cost: dict[tuple[str, int], float] = {}
    for each in told:  # of a population, most bits first
        least = cost.get((each.name, each.bits + 1), 0.0)  # a step waits for the one before it
        cost[each.name, each.bits] = max((each.error - last[each.name]) / each.weights, least)
        last[each.name] = each.error
    yield from sorted(cost, key=lambda step: (cost[step], -step[1]))


def _run_float_logits(graph: FloatNetwork, events: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return what the output says in the end in real numbers, float64 (samples, neurons)."""
    out = simulate_float_network(graph, events)[graph.output]
    spikes = next(n.spiking for n in graph.populations if n.name == graph.output)
    said = out.sum(axis=0) if spikes else out[-1]
    answer: NDArray[np.float64] = said.reshape(len(said), -1).astype(np.float64)
    return answer


def _count_weights(graph: FloatNetwork) -> dict[str, int]:
    """Return how many weights lead to each population; those that pools alone lead to have none."""
    found: dict[str, int] = {}
    for synapses in graph.projections:
        if synapses.kind != "sum_pool":
            found[synapses.target] = found.get(synapses.target, 0) + synapses.weights.size
    return found


def _normalize(values: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.sqrt((values**2).sum(axis=1, keepdims=True))
    result: NDArray[np.float64] = values / np.maximum(length, MIN_NORMAL)
    return result
