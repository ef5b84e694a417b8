"""Mixed precision: how few bits the weights into each population need, found on data.

Each population is calibrated at every number of bits. What lowering it alone does to the answers is
its sensitivity; then bits are taken away one at a time where that harms least for the memory it
frees, and each step is kept only if the answers as a whole stay within a budget.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..runtime.engines.fast import run
from ..runtime.trace import answers
from .calibrate import calibrated
from .graph import Graph, with_bits
from .quantise import quantised
from .reals import simulated
from .rounding import SMALLEST, WEIGHT_BITS

FEWEST_BITS = 4
Bits = Mapping[str, int]


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
    harm: float


@dataclass(frozen=True)
class Suggestion:
    """How many `bits` the weights into each population should have, and what that does.

    `harm` is that of all together, `memory` the bits of all weights, `full` those at 8 each.
    `graph` is calibrated accordingly.
    """

    graph: Graph
    bits: Bits
    harm: float
    memory: int
    full: int
    sensitivities: tuple[Sensitivity, ...]


@dataclass(frozen=True)
class _Trial:
    """Calibrated graphs by bits, and the data that combinations of them are judged on."""

    graphs: Mapping[int, Graph]
    events: NDArray[np.uint8]
    exact: NDArray[np.float64]
    labels: NDArray[np.int64] | None

    def mixed(self, bits: Bits) -> Graph:
        """Return the graph in which each population is calibrated for its `bits`."""
        full = self.graphs[WEIGHT_BITS]
        neurons = (
            self.graphs[bits.get(n.name, WEIGHT_BITS)].neurons[number]
            for number, n in enumerate(full.neurons)
        )
        synapses = (
            self.graphs[bits.get(s.target, WEIGHT_BITS)].synapses[number]
            for number, s in enumerate(full.synapses)
        )
        return replace(full, neurons=tuple(neurons), synapses=tuple(synapses))

    def judged(self, bits: Bits) -> tuple[float, float]:
        """Return the error and the harm of `bits`."""
        network, _ = quantised(self.mixed(bits))
        found = answers(network, run(network, self.events))[-1].astype(np.float64)
        error = float(np.sqrt(((_unit(found) - _unit(self.exact)) ** 2).sum(axis=1).mean()))
        said, meant = found.argmax(axis=1), self.exact.argmax(axis=1)
        if self.labels is None:
            return error, float((said != meant).mean())
        right = float((meant == self.labels).mean()) - float((said == self.labels).mean())
        return error, max(right, 0.0)


def suggested(
    graph: Graph,
    events: NDArray[np.uint8],
    budget: float,
    labels: NDArray[np.int64] | None = None,
) -> Suggestion:
    """Return the fewest bits found that keep the harm to the answers on `events` within `budget`.

    `events` uint8 (timesteps, samples, *input shape). `budget` is a share of samples: those that
    answer otherwise than in real numbers, or, with `labels` int64 (samples,), the accuracy lost.
    Where 8 bits already harm more than that, they stay.
    """
    levels = range(FEWEST_BITS, WEIGHT_BITS + 1)
    graphs = {bits: calibrated(with_bits(graph, bits), events)[0] for bits in levels}
    trial = _Trial(graphs, events, _answers(graph, events), labels)
    weights = _weights(graph)
    bits = dict.fromkeys(weights, WEIGHT_BITS)
    told = tuple(_sensitivities(trial, bits, weights))
    _, harm = trial.judged(bits)
    for name, fewer in _steps(told, trial.judged(bits)[0], weights):
        if bits[name] != fewer + 1:
            continue  # a step before it was too much
        _, after = trial.judged({**bits, name: fewer})
        if after <= budget:
            bits[name], harm = fewer, after
    memory = sum(count * bits[name] for name, count in weights.items())
    full = WEIGHT_BITS * sum(weights.values())
    return Suggestion(trial.mixed(bits), bits, harm, memory, full, told)


def _sensitivities(trial: _Trial, bits: Bits, weights: Bits) -> Iterator[Sensitivity]:
    for name, count in weights.items():
        for fewer in range(WEIGHT_BITS - 1, FEWEST_BITS - 1, -1):
            error, harm = trial.judged({**bits, name: fewer})
            yield Sensitivity(name, fewer, count, error, harm)


def _steps(told: tuple[Sensitivity, ...], start: float, weights: Bits) -> Iterator[tuple[str, int]]:
    """Give population and bits of each step, least harm for the memory it frees first."""
    last = dict.fromkeys(weights, start)
    cost: dict[tuple[str, int], float] = {}
    for each in told:  # of a population, most bits first
        least = cost.get((each.name, each.bits + 1), 0.0)  # a step waits for the one before it
        cost[each.name, each.bits] = max((each.error - last[each.name]) / each.weights, least)
        last[each.name] = each.error
    yield from sorted(cost, key=lambda step: (cost[step], -step[1]))


def _answers(graph: Graph, events: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return what the output says in the end in real numbers, float64 (samples, neurons)."""
    out = simulated(graph, events)[graph.output]
    spikes = next(n.spikes for n in graph.neurons if n.name == graph.output)
    said = out.sum(axis=0) if spikes else out[-1]
    answer: NDArray[np.float64] = said.reshape(len(said), -1).astype(np.float64)
    return answer


def _weights(graph: Graph) -> dict[str, int]:
    """Return how many weights lead to each population; those that pools alone lead to have none."""
    found: dict[str, int] = {}
    for synapses in graph.synapses:
        if synapses.kind != "sum_pool":
            found[synapses.target] = found.get(synapses.target, 0) + synapses.weights.size
    return found


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.sqrt((values**2).sum(axis=1, keepdims=True))
    result: NDArray[np.float64] = values / np.maximum(length, SMALLEST)
    return result
