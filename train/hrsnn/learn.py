"""Unsupervised STDP training of a recurrent network, and simulation with frozen weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, EngineError
from .homeostasis import adapt_thresholds, warn_of_floor
from .kernels import run_batch
from .network import RecurrentNetwork

Events = NDArray[np.uint8]
NO_LIMIT = 2.0  # above any fraction of neurons
RATE_SAMPLES = 256  # training samples that the rates of the untrained network are measured on
MIN_TARGET = 1e-3  # target rate of a population that is silent before training


@dataclass(frozen=True)
class Response:
    """Spikes and synaptic operations of a simulated network.

    `spikes`: uint8 (timesteps, samples, neurons). `synops`: int64 (samples,), the number of weights
    added, for input events and for spikes.
    """

    spikes: Events
    synops: NDArray[np.int64]

    @property
    def spikes_per_sample(self) -> float:
        """Mean number of spikes per sample."""
        return float(self.spikes.sum(dtype=np.int64) / self.spikes.shape[1])


def train_stdp(
    network: RecurrentNetwork,
    events: Events,
    plastic: bool = True,
    seed: int = 0,
    device: str = "cpu",
) -> RecurrentNetwork:
    """Train a recurrent network by STDP and homeostasis, without labels.

    After each batch, thresholds move towards the target rate of their population. Where many
    neurons cannot reach it, since they are at the lowest threshold, there is a warning.

    Args:
        network: The network; it stays as it is.
        events: uint8 (timesteps, samples, channels, height, width).
        plastic: Apply STDP; if false, only thresholds adapt.
        seed: Seed of the order of samples, drawn anew for each epoch.
        device: "cpu" for compiled loops, or a torch device such as "cuda", which takes a batch at
            a time.

    Returns:
        The trained network.

    Raises:
        DataError: The network takes events of another shape.
        EngineError: The activity of a population exceeds `max_activity`; the message names the
            step and the population.
    """
    inputs = _flatten_inputs(network, events)
    options, weights = network.options, np.array(network.weights)
    threshold = np.array(network.threshold)
    generator = np.random.default_rng([options.seed, seed])
    targets = target_rates(network, events[:, :RATE_SAMPLES], device)
    for epoch in range(options.epochs):
        order = generator.permutation(inputs.shape[1])
        for number, start in enumerate(range(0, len(order), options.batch_size)):
            batch = inputs[:, order[start : start + options.batch_size]]
            spikes, _, runaway = _run_batch(
                network, weights, threshold, batch, plastic, options.max_activity, device
            )
            if runaway is not None:
                step, population = runaway
                raise EngineError(
                    f"{population}: over {100 * options.max_activity:.0f} % of its neurons fire at "
                    f"step {step} of batch {number}, epoch {epoch}; strengthen inhibition or lower "
                    "the learning rate"
                )
            rates = spikes.mean(axis=(0, 1))
            threshold = adapt_thresholds(threshold, rates, targets, options.homeostasis_rate)
    warn_of_floor(threshold, targets)
    return network.replace(weights=weights, threshold=threshold)


def target_rates(
    network: RecurrentNetwork, events: Events, device: str = "cpu"
) -> NDArray[np.float64]:
    """Target rates of homeostasis, spikes per timestep, float64 (neurons,).

    Excitatory and inhibitory neurons have one each: that of the options, or else the mean rate of
    the population in `network` for `events`, uint8 (timesteps, samples, channels, height, width).
    One rate for both would weaken the inhibition, which fires more in a balanced network.
    """
    options, populations = network.options, network.wiring.sizes.populations
    chosen = {name: getattr(options, f"target_{name}") for name in populations}
    targets = np.empty(network.wiring.sizes.neurons)
    rates = None
    for name, part in populations.items():
        target = chosen[name]
        if target is None:
            if rates is None:
                rates = simulate(network, events, device).spikes.mean(axis=(0, 1))
            target = max(float(rates[part].mean()), MIN_TARGET)
        targets[part] = target
    return targets


def simulate(network: RecurrentNetwork, events: Events, device: str = "cpu") -> Response:
    """Simulate a network with frozen weights.

    `events`: uint8 (timesteps, samples, channels, height, width). Raises `DataError` where the
    network takes events of another shape.
    """
    weights, threshold = np.array(network.weights), np.array(network.threshold)
    inputs, size = _flatten_inputs(network, events), network.options.batch_size
    batches = [inputs[:, start : start + size] for start in range(0, inputs.shape[1], size)]
    parts = [
        _run_batch(network, weights, threshold, batch, False, NO_LIMIT, device)[:2]
        for batch in batches
    ]
    return Response(
        np.concatenate([spikes for spikes, _ in parts], axis=1),
        np.concatenate([synops for _, synops in parts]),
    )


def _flatten_inputs(network: RecurrentNetwork, events: Events) -> Events:
    """Binary events as uint8 (timesteps, samples, inputs)."""
    if events.dtype != np.uint8 or events.ndim != 5 or events.shape[2:] != network.shape:
        raise DataError(
            f"events: {events.dtype} {events.shape}, but the network takes uint8 "
            f"(timesteps, samples, {', '.join(map(str, network.shape))})"
        )
    return (events > 0).astype(np.uint8).reshape(*events.shape[:2], -1)


def _run_batch(
    network: RecurrentNetwork,
    weights: NDArray[np.floating],
    threshold: NDArray[np.floating],
    events: Events,
    plastic: bool,
    max_activity: float,
    device: str,
) -> tuple[Events, NDArray[np.int64], tuple[int, str] | None]:
    """Run one batch, (timesteps, batch, inputs); with `plastic`, `weights` change in place.

    Returns spikes, synaptic operations, and step and population of a runaway, if any.
    """
    timesteps, batch, _ = events.shape
    populations = network.wiring.sizes.populations
    names = list(populations)
    if device != "cpu":
        from .torch_backend import first_runaway, run_torch

        spikes, synops, activity = run_torch(device, network, weights, threshold, events, plastic)
        runaway = first_runaway(activity, max_activity)
        return spikes, synops, runaway and (runaway[0], names[runaway[1]])
    spikes = np.zeros((timesteps, batch, len(threshold)), np.uint8)
    synops = np.zeros(batch, np.int64)
    step, population = run_batch(
        network.wiring.indptr,
        network.wiring.targets,
        weights,
        network.stdp,
        network.decay_factor,
        threshold,
        np.ascontiguousarray(events),
        plastic,
        np.full(len(populations), max_activity),
        np.array([part.stop for part in populations.values()], np.int32),
        spikes,
        synops,
    )
    return spikes, synops, None if step < 0 else (step, names[population])
