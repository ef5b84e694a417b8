"""Post-training quantisation: what rounding should keep of each layer, found on data, not guessed.

Few bits hold small weights finely or large ones at all. So, population by population from the input
on, weights are cut at a share of the largest before they are rounded: scale, exponents, threshold
and bias follow from that (`quantise.scale_of`). Each share is tried in the chip's integers, fed by
what the layers before it send in integers, and the one that changes the fewest spikes is kept. Then
the bias takes back the mean error of what arrives, where that changes fewer still.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from .graph import Graph, Synapses
from .reals import mapped, simulated
from .rounding import SMALLEST
from .stage import Sent, Shares, Stage, Values, errors, sent_by

SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
Score = Callable[[Stage], Shares]


@dataclass(frozen=True)
class Calibrated:
    """What rounding does to one population on the data it was calibrated with.

    Its weights have `bits` bits, reach from `least` to `most`, and are cut at `cut` of the largest
    (the mean, where channels differ); `weight_error` is the root mean square error of what is kept
    of them over their root mean square. Of neurons that spike, `spikes` were sent in real numbers,
    and `changed` are too many or missing in integers; `error` is their share. Of a read-out, it is
    the root mean square error of its voltages over their root mean square. `rounded_error` is the
    same error without any search.
    """

    name: str
    bits: int
    least: float
    most: float
    cut: float
    weight_error: float
    spikes: int
    changed: int
    error: float
    rounded_error: float


def calibrated(
    graph: Graph, events: NDArray[np.uint8], search: bool = True
) -> tuple[Graph, tuple[Calibrated, ...]]:
    """Return `graph` so that rounding it changes few spikes, and what rounding does to each layer.

    `events` uint8 (timesteps, samples, *input shape) are the data to calibrate with: some hundred
    samples like those to come. Weights keep their bits. Without `search` the graph stays as it is
    and is reported on. Raises `NetworkError` as `quantised` does.
    """
    exact = simulated(graph, events)
    sent: dict[str, Values] = {graph.input_name: events}
    stages: list[Stage] = []
    report: list[Calibrated] = []
    for neurons in graph.neurons:
        incoming = tuple(s for s in graph.synapses if s.target == neurons.name)
        plain = best = Stage(neurons, incoming, np.ones(neurons.shape[0]))
        expected = exact[neurons.name]
        # What a later layer sends back is not known in integers yet.
        given = {s.source: _events(sent.get(s.source, exact[s.source])) for s in incoming}

        def score(stage: Stage) -> Shares:
            return errors(stage, sent_by(stage, given), expected)  # noqa: B023

        first = score(plain)
        if search and first.any():
            best = _unbiased(_searched(plain, score), score, given, exact)
        sent[neurons.name] = sent_by(best, given)
        stages.append(best)
        last = errors(best, sent[neurons.name], expected)
        report.append(_told(plain, best, expected, first.sum(), last.sum()))
    changed = {s.name: s for stage in stages for s in stage.incoming}
    synapses = tuple(changed[s.name] for s in graph.synapses)
    return replace(graph, neurons=tuple(s.neurons for s in stages), synapses=synapses), (*report,)


def _events(values: Values) -> Values:
    return values.astype(np.uint8, copy=False)


def _searched(stage: Stage, score: Score) -> Stage:
    """Return `stage` with its weights cut where that changes the fewest spikes.

    Projections with the same weights are cut alike, others one after the other.
    """
    for which in _alike(stage.incoming):
        tried = [stage.cut_at(np.full(stage.channels, share), which) for share in SHARES]
        scores = np.stack([score(candidate) for candidate in tried])
        totals = scores.sum(axis=1)
        best = tried[int(totals.argmin())]
        if stage.neurons.by_channel:
            each = stage.cut_at(np.array(SHARES)[scores.argmin(axis=0)], which)
            best = each if score(each).sum() <= totals.min() else best
        stage = best
    return stage


def _alike(incoming: Sequence[Synapses]) -> list[list[str]]:
    """Return the names of `incoming`, those of the same weights together; pools are left out."""
    groups: dict[bytes, list[str]] = {}
    for synapses in incoming:
        if synapses.kind != "sum_pool":
            groups.setdefault(synapses.weights.tobytes(), []).append(synapses.name)
    return list(groups.values())


def _unbiased(stage: Stage, score: Score, given: Sent, exact: Sent) -> Stage:
    """Return `stage` with the mean error of what arrives taken back, where that helps."""
    neurons = stage.neurons
    shape = neurons.shape[:1]
    decay = np.broadcast_to(neurons.current_decay, shape)
    if not np.all(decay > 0):
        return stage
    error = np.zeros(shape)
    for synapses, held in zip(stage.incoming, stage.held(), strict=True):
        lost = _mean(synapses, synapses.weights, exact[synapses.source])
        lost -= _mean(synapses, held, given[synapses.source])
        error += lost.reshape(stage.channels, -1).mean(axis=1)
    bias = (np.broadcast_to(neurons.bias, shape) + error / decay).astype(np.float32)
    other = replace(stage, neurons=replace(neurons, bias=bias))
    return other if score(other).sum() < score(stage).sum() else stage


def _mean(synapses: Synapses, weights: Values, values: Values) -> NDArray[np.float32]:
    """Return what arrives a step in the mean."""
    mean = torch.from_numpy(values.mean(axis=(0, 1), dtype=np.float32)[None])
    arriving: NDArray[np.float32] = mapped(synapses, torch.tensor(weights), mean)[0].numpy()
    return arriving


def _told(plain: Stage, best: Stage, exact: Values, first: float, last: float) -> Calibrated:
    spiking = plain.neurons.spikes
    spikes = int(exact.sum()) if spiking else 0
    size = max(float(spikes if spiking else (exact**2).sum()), SMALLEST)
    power = 1.0 if spiking else 0.5
    weights = np.concatenate([s.weights.reshape(-1) for s in plain.incoming])
    held = np.concatenate([each.reshape(-1) for each in best.held()])
    length = max(float(np.sqrt(np.mean(weights**2))), SMALLEST)
    return Calibrated(
        name=plain.neurons.name,
        bits=min(s.bits for s in plain.incoming),
        least=float(weights.min()),
        most=float(weights.max()),
        cut=float(best.cut.mean()),
        weight_error=float(np.sqrt(np.mean((held - weights) ** 2))) / length,
        spikes=spikes,
        changed=int(last) if spiking else 0,
        error=float(last / size) ** power,
        rounded_error=float(first / size) ** power,
    )
