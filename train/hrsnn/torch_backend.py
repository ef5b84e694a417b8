"""Torch implementation of `kernels.run_batch`, for a GPU."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...runtime.errors import EngineError
from .kernels import ACTIVITY_SMOOTHING
from .network import RecurrentNetwork

FloatArray = NDArray[np.floating[Any]]
ByteArray = NDArray[np.uint8]


@torch.no_grad()
def run_torch(
    device: str,
    network: RecurrentNetwork,
    weights: FloatArray,
    threshold: FloatArray,
    events: ByteArray,
    plastic: bool,
) -> tuple[ByteArray, NDArray[np.int64], FloatArray]:
    """Run a batch from the resting state on a torch device; with `plastic`, `weights` learn.

    The device determines the order in which weights are summed, so sums may differ from those of
    the compiled loops in the last bit.

    Args:
        device: Torch device.
        network: The network.
        weights: Float (synapses,), updated in place with `plastic`.
        threshold: Float (neurons,).
        events: uint8 (timesteps, batch, inputs).
        plastic: Apply STDP.

    Returns:
        Spikes, uint8 (timesteps, batch, neurons); synaptic operations, int64 (batch,); and the
        fraction of firing neurons, float64 (timesteps, populations).

    Raises:
        EngineError: Torch has no such device.
    """
    _check_device(device)
    tensors = _to_tensors(network, weights, threshold, device)
    w, first = tensors.weights, tensors.first_recurrent
    inputs = torch.from_numpy(np.array(events)).to(device)
    batch, neurons = events.shape[1], len(threshold)
    voltage, activation = w.new_zeros(batch, neurons), w.new_zeros(batch, neurons)
    x, y = (w.new_zeros(batch, len(network.stdp.a_plus)) for _ in range(2))
    spikes = []
    synops = torch.zeros(batch, dtype=torch.int64, device=device)
    for pre_input in inputs:
        # Inputs arrive in the same timestep, spikes of neurons in the next.
        pre = pre_input.to(w.dtype)
        sent = pre[:, tensors.sources[:first]] * w[:first]
        activation.index_add_(1, tensors.targets[:first], sent)
        voltage = tensors.decay_factor * voltage + activation
        fires = voltage > tensors.threshold
        voltage = voltage.masked_fill(fires, 0)
        post = fires.to(w.dtype)
        spikes.append(fires)
        pre = torch.cat([pre, post], dim=1)
        sent = pre[:, tensors.sources[first:]] * w[first:]  # by the weights before they learn
        activation = torch.zeros_like(voltage).index_add_(1, tensors.targets[first:], sent)
        synops += ((pre > 0) * tensors.out_degree).sum(dim=1)
        if plastic:
            k = tensors.plastic
            synapse_spikes = pre[:, tensors.sources[k]], post[:, tensors.targets[k]]
            w[k] = _stdp_step(w[k], (x, y), synapse_spikes, tensors.stdp)
    np.copyto(weights, w.cpu().numpy())
    fired = torch.stack(spikes)
    return fired.byte().cpu().numpy(), synops.cpu().numpy(), _activity(network, fired)


def _activity(network: RecurrentNetwork, fired: torch.Tensor) -> FloatArray:
    """Fraction of firing neurons, float64 (timesteps, populations)."""
    populations = network.wiring.sizes.populations.values()
    activity = [fired[:, :, part].double().mean(dim=(1, 2)) for part in populations]
    array: FloatArray = torch.stack(activity, dim=1).cpu().numpy()
    return array


@dataclass(frozen=True)
class _Tensors:
    """A network on a device; `stdp` are decay+, decay-, A+, A- and w_max of plastic synapses."""

    sources: torch.Tensor
    targets: torch.Tensor
    out_degree: torch.Tensor
    weights: torch.Tensor
    decay_factor: torch.Tensor
    threshold: torch.Tensor
    stdp: list[torch.Tensor]
    plastic: slice
    first_recurrent: int


def _to_tensors(
    network: RecurrentNetwork, weights: FloatArray, threshold: FloatArray, device: str
) -> _Tensors:
    def to_device(array: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(device)

    wiring, stdp = network.wiring, network.stdp
    constants = (stdp.decay_plus, stdp.decay_minus, stdp.a_plus, stdp.a_minus, stdp.w_max)
    return _Tensors(
        to_device(wiring.sources).long(),
        to_device(wiring.targets).long(),
        to_device(np.diff(wiring.indptr)).long(),
        to_device(weights),
        to_device(network.decay_factor),
        to_device(threshold),
        [to_device(array) for array in constants],
        slice(stdp.first_synapse, stdp.first_synapse + len(stdp.a_plus)),
        int(wiring.indptr[wiring.sizes.inputs]),
    )


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        message = str(error).splitlines()[0]
        raise EngineError(f'device "{device}": {message}; "cpu" is always available') from error


def _stdp_step(
    w: torch.Tensor,
    traces: tuple[torch.Tensor, torch.Tensor],
    spikes: tuple[torch.Tensor, torch.Tensor],
    constants: list[torch.Tensor],
) -> torch.Tensor:
    """New weights (plastic,) after a timestep of STDP; traces (batch, plastic) change in place.

    `spikes`: of the source and of the target of each synapse, (batch, plastic).
    """
    decay_plus, decay_minus, a_plus, a_minus, w_max = constants
    (x, y), (pre, post) = traces, spikes
    x.mul_(decay_plus).add_(pre)
    y.mul_(decay_minus).add_(post)
    change = post * a_plus * x * (w_max - w) - pre * a_minus * y * w
    return torch.minimum((w + change.mean(dim=0)).clamp(min=0), w_max)


def first_runaway(fractions: FloatArray, max_activity: float) -> tuple[int, int] | None:
    """First timestep and population whose moving average of activity exceeds `max_activity`.

    `fractions` (timesteps, populations) of firing neurons; the average is that of
    `kernels.run_batch`.
    """
    activity = np.zeros(fractions.shape[1])
    for step, fraction in enumerate(fractions):
        activity += ACTIVITY_SMOOTHING * (fraction - activity)
        if (activity > max_activity).any():
            return step, int(np.argmax(activity > max_activity))
    return None
