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

from .float_network import FloatNetwork, FloatProjection
from .float_simulator import apply_projection, simulate_float_network
from .layer_trial import (
    Array,
    LayerTrial,
    Outputs,
    PerChannel,
    channel_errors,
    run_quantized,
)
from .scales import MIN_NORMAL

CLIP_FRACTIONS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
ChannelErrorFunction = Callable[[LayerTrial], PerChannel]


@dataclass(frozen=True)
class LayerCalibration:
    """What rounding does to one population on the data it was calibrated with.

    Its weights have `bits` bits, reach from `least` to `most`, and are cut at `cut` of the largest
    (the mean, where channels differ); `weight_error` is the root mean square error of what is kept
    of them over their root mean square. Of neurons that spike, `spikes` were sent in real numbers,
    and `changed` are too many or missing in integers; `error` is their share. Of a read-out, it is
    the root mean square error of its voltages over their root mean square. `rounded_error` is the
    same error without any search.
    """

    name: str
    weight_bits: int
    min_weight: float
    max_weight: float
    clip_fraction: float
    weight_error: float
    spikes: int
    spike_errors: int
    error: float
    uncalibrated_error: float


def calibrate(
    graph: FloatNetwork, events: NDArray[np.uint8], search: bool = True
) -> tuple[FloatNetwork, tuple[LayerCalibration, ...]]:
    """Return `graph` so that rounding it changes few spikes, and what rounding does to each layer.

    `events` uint8 (timesteps, samples, *input shape) are the data to calibrate with: some hundred
    samples like those to come. Weights keep their bits. Without `search` the graph stays as it is
    and is reported on. Raises `NetworkError` as `quantised` does.
    """
    exact = simulate_float_network(graph, events)
    sent: dict[str, Array] = {graph.input_name: events}
    stages: list[LayerTrial] = []
    report: list[LayerCalibration] = []
    for neurons in graph.populations:
        incoming = tuple(s for s in graph.projections if s.target == neurons.name)
        plain = best = LayerTrial(neurons, incoming, np.ones(neurons.shape[0]))
        expected = exact[neurons.name]
        # What a later layer sends back is not known in integers yet.
        given = {s.source: _to_uint8(sent.get(s.source, exact[s.source])) for s in incoming}

        def score(stage: LayerTrial) -> PerChannel:
            return channel_errors(stage, run_quantized(stage, given), expected)  # noqa: B023

        first = score(plain)
        if search and first.any():
            best = _correct_bias(_search_clipping(plain, score), score, given, exact)
        sent[neurons.name] = run_quantized(best, given)
        stages.append(best)
        last = channel_errors(best, sent[neurons.name], expected)
        report.append(_summarize(plain, best, expected, first.sum(), last.sum()))
    changed = {s.name: s for stage in stages for s in stage.incoming}
    synapses = tuple(changed[s.name] for s in graph.projections)
    return replace(graph, populations=tuple(s.population for s in stages), projections=synapses), (
        *report,
    )


def _to_uint8(values: Array) -> Array:
    return values.astype(np.uint8, copy=False)


def _search_clipping(stage: LayerTrial, score: ChannelErrorFunction) -> LayerTrial:
    """Return `stage` with its weights cut where that changes the fewest spikes.

    Projections with the same weights are cut alike, others one after the other.
    """
    for which in _group_by_weights(stage.incoming):
        tried = [
            stage.clip_weights(np.full(stage.channels, share), which) for share in CLIP_FRACTIONS
        ]
        scores = np.stack([score(candidate) for candidate in tried])
        totals = scores.sum(axis=1)
        best = tried[int(totals.argmin())]
        if stage.population.per_channel:
            each = stage.clip_weights(np.array(CLIP_FRACTIONS)[scores.argmin(axis=0)], which)
            best = each if score(each).sum() <= totals.min() else best
        stage = best
    return stage


def _group_by_weights(incoming: Sequence[FloatProjection]) -> list[list[str]]:
    """Return the names of `incoming`, those of the same weights together; pools are left out."""
    groups: dict[bytes, list[str]] = {}
    for synapses in incoming:
        if synapses.kind != "sum_pool":
            groups.setdefault(synapses.weights.tobytes(), []).append(synapses.name)
    return list(groups.values())


def _correct_bias(
    stage: LayerTrial, score: ChannelErrorFunction, given: Outputs, exact: Outputs
) -> LayerTrial:
    """Return `stage` with the mean error of what arrives taken back, where that helps."""
    neurons = stage.population
    shape = neurons.shape[:1]
    decay = np.broadcast_to(neurons.current_decay, shape)
    if not np.all(decay > 0):
        return stage
    error = np.zeros(shape)
    for synapses, held in zip(stage.incoming, stage.dequantize_weights(), strict=True):
        lost = _mean_input(synapses, synapses.weights, exact[synapses.source])
        lost -= _mean_input(synapses, held, given[synapses.source])
        error += lost.reshape(stage.channels, -1).mean(axis=1)
    bias = (np.broadcast_to(neurons.bias, shape) + error / decay).astype(np.float32)
    other = replace(stage, population=replace(neurons, bias=bias))
    return other if score(other).sum() < score(stage).sum() else stage


def _mean_input(synapses: FloatProjection, weights: Array, values: Array) -> NDArray[np.float32]:
    """Return what arrives a step in the mean."""
    mean = torch.from_numpy(values.mean(axis=(0, 1), dtype=np.float32)[None])
    arriving: NDArray[np.float32] = apply_projection(synapses, torch.tensor(weights), mean)[
        0
    ].numpy()
    return arriving


def _summarize(
    plain: LayerTrial, best: LayerTrial, exact: Array, first: float, last: float
) -> LayerCalibration:
    spiking = plain.population.spiking
    spikes = int(exact.sum()) if spiking else 0
    size = max(float(spikes if spiking else (exact**2).sum()), MIN_NORMAL)
    power = 1.0 if spiking else 0.5
    weights = np.concatenate([s.weights.reshape(-1) for s in plain.incoming])
    held = np.concatenate([each.reshape(-1) for each in best.dequantize_weights()])
    length = max(float(np.sqrt(np.mean(weights**2))), MIN_NORMAL)
    return LayerCalibration(
        name=plain.population.name,
        weight_bits=min(s.weight_bits for s in plain.incoming),
        min_weight=float(weights.min()),
        max_weight=float(weights.max()),
        clip_fraction=float(best.clip_fraction.mean()),
        weight_error=float(np.sqrt(np.mean((held - weights) ** 2))) / length,
        spikes=spikes,
        spike_errors=int(last) if spiking else 0,
        error=float(last / size) ** power,
        uncalibrated_error=float(first / size) ** power,
    )
