"""Unsupervised passes over samples, and what a network with frozen weights answers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, EngineError
from .homeostasis import adapt_thresholds
from .kernels import run_batch
from .network import RecurrentNetwork

Frames = NDArray[np.uint8]
NO_LIMIT = 2.0  # no share of neurons is larger


@dataclass(frozen=True)
class Response:
    """What a network did: `spikes` uint8 (samples, timesteps, neurons), synaptic events a sample.

    `synops` int64 (samples,): weights added, of input events and of spikes.
    """

    spikes: Frames
    synops: NDArray[np.int64]

    @property
    def spikes_per_sample(self) -> float:
        """Spikes a sample, on average."""
        return float(self.spikes.sum(dtype=np.int64) / len(self.spikes))


def train_stdp(
    network: RecurrentNetwork,
    frames: Frames,
    plastic: bool = True,
    seed: int = 0,
    device: str = "cpu",
) -> RecurrentNetwork:
    """Return `network` after its passes over `frames`, uint8 (samples, timesteps, *input shape).

    No labels take part. After each batch, thresholds move towards the target rate; with `plastic`
    false they do so alone. The order of samples is drawn from `seed` for each pass. On the "cpu"
    the loops are compiled; any other `device` of torch, such as "cuda", takes a batch at a time.
    Raises `EngineError`, with the step and the population, where rates run away.
    """
    given = _flatten_inputs(network, frames)
    options, weights = network.options, np.array(network.weights)
    threshold = np.array(network.threshold)
    generator = np.random.default_rng([options.seed, seed])
    for turn in range(options.epochs):
        order = generator.permutation(len(given))
        for number, first in enumerate(range(0, len(order), options.batch_size)):
            events = given[order[first : first + options.batch_size]]
            spikes, _, at = _run_batch(
                network, weights, threshold, events, plastic, options.max_activity, device
            )
            if at is not None:
                raise EngineError(
                    f"{at[1]}: over {100 * options.max_activity:.0f} % of its neurons fire at step "
                    f"{at[0]} of batch {number}, pass {turn}; strengthen inhibition or lower the "
                    "rate of learning"
                )
            rates = spikes.mean(axis=(0, 1))
            threshold = adapt_thresholds(
                threshold, rates, options.target_rate, options.homeostasis_rate
            )
    return network.replace(weights=weights, threshold=threshold)


def simulate(network: RecurrentNetwork, frames: Frames, device: str = "cpu") -> Response:
    """Return what `network` does on `frames`, uint8 (samples, timesteps, *input shape)."""
    weights, threshold = np.array(network.weights), np.array(network.threshold)
    parts = [
        _run_batch(network, weights, threshold, events, False, NO_LIMIT, device)[:2]
        for events in _iter_batches(_flatten_inputs(network, frames), network.options.batch_size)
    ]
    return Response(
        np.concatenate([spikes.swapaxes(0, 1) for spikes, _ in parts]),
        np.concatenate([synops for _, synops in parts]),
    )


def _iter_batches(given: Frames, size: int) -> Iterator[Frames]:
    for first in range(0, len(given), size):
        yield given[first : first + size]


def _flatten_inputs(network: RecurrentNetwork, frames: Frames) -> Frames:
    """Return `frames` as (samples, timesteps, inputs)."""
    if frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[2:] != network.shape:
        raise DataError(
            f"frames: {frames.dtype} {frames.shape}, but the network takes uint8 "
            f"(samples, timesteps, {', '.join(map(str, network.shape))})"
        )
    return (frames > 0).astype(np.uint8).reshape(*frames.shape[:2], -1)


def _run_batch(
    network: RecurrentNetwork,
    weights: NDArray[np.floating],
    threshold: NDArray[np.floating],
    events: Frames,
    plastic: bool,
    limit: float,
    device: str,
) -> tuple[Frames, NDArray[np.int64], tuple[int, str] | None]:
    """Run one batch, events (batch, timesteps, inputs); `weights` change where it is `plastic`."""
    batch, timesteps, _ = events.shape
    populations = network.wiring.sizes.populations
    if device != "cpu":
        from .torch_backend import first_runaway, run_torch

        spikes, synops, shares = run_torch(device, network, weights, threshold, events, plastic)
        found = first_runaway(shares, limit)
        return spikes, synops, found and (found[0], list(populations)[found[1]])
    spikes = np.zeros((timesteps, batch, len(threshold)), np.uint8)
    synops = np.zeros(batch, np.int64)
    step, part = run_batch(
        network.wiring.indptr,
        network.wiring.targets,
        weights,
        network.stdp,
        network.decay_factor,
        threshold,
        np.ascontiguousarray(events.swapaxes(0, 1)),
        plastic,
        np.full(len(populations), limit),
        np.array([part.stop for part in populations.values()], np.int32),
        spikes,
        synops,
    )
    return spikes, synops, None if step < 0 else (step, list(populations)[part])
