"""Post-training quantization: search clipping ranges and correct biases on calibration data.

With few bits, either small weights get a fine scale or large ones are represented at all. So,
population by population from the input on, weights are clipped at a fraction of the largest before
they are quantized: scale, exponents, threshold and bias follow (`quantize.weight_scale`). Each
fraction is tried in integers, on the integer outputs of the layers before, and the one that changes
the fewest spikes is kept. Then the bias compensates the mean error of the input, where that changes
fewer still.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from .float_network import FloatNetwork, FloatProjection
from .float_simulator import apply_projection, simulate_float_network
from .layer_trial import Array, LayerTrial, Outputs, PerChannel, channel_errors, run_quantized
from .neuron_params import common_divisor
from .scales import MIN_NORMAL

CLIP_FRACTIONS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
ChannelErrorFunction = Callable[[LayerTrial], PerChannel]


@dataclass(frozen=True)
class LayerCalibration:
    """Quantization of one population, measured on the calibration data.

    Attributes:
        name: Name of the population.
        weight_bits: Bits of its incoming weights.
        min_weight: Smallest weight before clipping.
        max_weight: Largest weight before clipping.
        clip_fraction: Clipping range as a fraction of the largest weight; the mean where channels
            differ.
        weight_error: Root mean square error of the quantized weights over their root mean square.
        spikes: Number of spikes in floats, 0 for an integrator.
        spike_errors: Number of spikes added or missing in integers.
        error: `spike_errors / spikes`; of an integrator the root mean square error of its voltages
            over their root mean square.
        uncalibrated_error: The same error without calibration.
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
    network: FloatNetwork, events: NDArray[np.uint8], search: bool = True
) -> tuple[FloatNetwork, tuple[LayerCalibration, ...]]:
    """Calibrate clipping ranges and biases so that quantization changes few spikes.

    Args:
        network: The float network; its weight bits stay.
        events: Calibration data, uint8 (timesteps, samples, *input shape): some hundred samples of
            the distribution that the network will see.
        search: False to measure the network as it is.

    Returns:
        The calibrated network, and the quantization errors of each population.

    Raises:
        NetworkError: As `quantize_network`.
    """
    exact = simulate_float_network(network, events)
    outputs: dict[str, Array] = {network.input_name: events}
    trials: list[LayerTrial] = []
    report: list[LayerCalibration] = []
    for population in network.populations:
        incoming = tuple(p for p in network.projections if p.target == population.name)
        plain = best = LayerTrial(population, incoming, np.ones(population.shape[0]))
        expected = exact[population.name]
        # The integer outputs of later layers, which reach this one with a delay, are not known yet.
        inputs = {p.source: _to_uint8(outputs.get(p.source, exact[p.source])) for p in incoming}

        def score(trial: LayerTrial) -> PerChannel:
            return channel_errors(trial, run_quantized(trial, inputs), expected)  # noqa: B023

        before = score(plain)
        if search and before.any() and not _is_logic(plain):
            best = _correct_bias(_search_clipping(plain, score), score, inputs, exact)
        outputs[population.name] = run_quantized(best, inputs)
        trials.append(best)
        after = channel_errors(best, outputs[population.name], expected)
        report.append(_summarize(plain, best, expected, before.sum(), after.sum()))
    by_name = {p.name: p for trial in trials for p in trial.incoming}
    populations = tuple(trial.population for trial in trials)
    projections = tuple(by_name[p.name] for p in network.projections)
    return replace(network, populations=populations, projections=projections), tuple(report)


def _is_logic(trial: LayerTrial) -> bool:
    """Test for stateless neurons of small integers, whose only errors are those of their inputs."""
    population = trial.population
    stateless = np.all(population.current_decay == 1) and np.all(population.voltage_decay == 1)
    values = population.bias, *(each.weights for each in trial.incoming)
    arrays = [each.astype(np.float64) for each in values]
    return bool(population.spiking and stateless and common_divisor(arrays) > 0)


def _to_uint8(values: Array) -> Array:
    return values.astype(np.uint8, copy=False)


def _search_clipping(trial: LayerTrial, score: ChannelErrorFunction) -> LayerTrial:
    """Clip the weights at the fraction that changes the fewest spikes.

    Projections of equal weights are clipped together, others one after the other.
    """
    for names in _group_by_weights(trial.incoming):
        candidates = [
            trial.clip_weights(np.full(trial.channels, fraction), names)
            for fraction in CLIP_FRACTIONS
        ]
        scores = np.stack([score(candidate) for candidate in candidates])
        totals = scores.sum(axis=1)
        best = candidates[int(totals.argmin())]
        if trial.population.per_channel:
            fractions = np.array(CLIP_FRACTIONS)[scores.argmin(axis=0)]
            per_channel = trial.clip_weights(fractions, names)
            best = per_channel if score(per_channel).sum() <= totals.min() else best
        trial = best
    return trial


def _group_by_weights(incoming: Sequence[FloatProjection]) -> list[list[str]]:
    """Names of `incoming` without pools, grouped by equal weights."""
    groups: dict[bytes, list[str]] = {}
    for projection in incoming:
        if projection.kind != "sum_pool":
            groups.setdefault(projection.weights.tobytes(), []).append(projection.name)
    return list(groups.values())


def _correct_bias(
    trial: LayerTrial, score: ChannelErrorFunction, inputs: Outputs, exact: Outputs
) -> LayerTrial:
    """Compensate the mean error of the input by the bias, where that changes fewer spikes."""
    population = trial.population
    shape = population.shape[:1]
    decay = np.broadcast_to(population.current_decay, shape)
    if not np.all(decay > 0):
        return trial
    error = np.zeros(shape)
    for projection, weights in zip(trial.incoming, trial.dequantize_weights(), strict=True):
        missing = _mean_input(projection, projection.weights, exact[projection.source])
        missing -= _mean_input(projection, weights, inputs[projection.source])
        error += missing.reshape(trial.channels, -1).mean(axis=1)
    bias = (np.broadcast_to(population.bias, shape) + error / decay).astype(np.float32)
    corrected = replace(trial, population=replace(population, bias=bias))
    return corrected if score(corrected).sum() < score(trial).sum() else trial


def _mean_input(projection: FloatProjection, weights: Array, values: Array) -> NDArray[np.float32]:
    """Mean input per timestep through one projection."""
    mean = torch.from_numpy(values.mean(axis=(0, 1), dtype=np.float32)[None])
    summed: NDArray[np.float32] = apply_projection(projection, torch.tensor(weights), mean)[
        0
    ].numpy()
    return summed


def _summarize(
    plain: LayerTrial, best: LayerTrial, exact: Array, before: float, after: float
) -> LayerCalibration:
    spiking = plain.population.spiking
    spikes = int(exact.sum()) if spiking else 0
    size = max(float(spikes if spiking else (exact**2).sum()), MIN_NORMAL)
    power = 1.0 if spiking else 0.5
    weights = np.concatenate([p.weights.reshape(-1) for p in plain.incoming])
    quantized = np.concatenate([each.reshape(-1) for each in best.dequantize_weights()])
    weight_rms = max(float(np.sqrt(np.mean(weights**2))), MIN_NORMAL)
    return LayerCalibration(
        name=plain.population.name,
        weight_bits=min(p.weight_bits for p in plain.incoming),
        min_weight=float(weights.min()),
        max_weight=float(weights.max()),
        clip_fraction=float(best.clip_fraction.mean()),
        weight_error=float(np.sqrt(np.mean((quantized - weights) ** 2))) / weight_rms,
        spikes=spikes,
        spike_errors=int(after) if spiking else 0,
        error=float(after / size) ** power,
        uncalibrated_error=float(before / size) ** power,
    )
