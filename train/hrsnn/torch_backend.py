"""Torch implementation of `kernels.run_batch`, for a GPU."""

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

    def to_device(array: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(device)

    wiring, stdp = network.wiring, network.stdp
    sources, targets = to_device(wiring.sources).long(), to_device(wiring.targets).long()
    out_degree = to_device(np.diff(wiring.indptr)).long()
    w, decay_factor = to_device(weights), to_device(network.decay_factor)
    limit, inputs = to_device(threshold), to_device(events)
    batch, first = events.shape[1], int(wiring.indptr[wiring.sizes.inputs])
    learning = slice(stdp.first_synapse, stdp.first_synapse + len(stdp.a_plus))
    constants = [
        to_device(array)
        for array in (stdp.decay_plus, stdp.decay_minus, stdp.a_plus, stdp.a_minus, stdp.w_max)
    ]
    voltage = w.new_zeros(batch, len(decay_factor))
    activation = w.new_zeros(batch, len(decay_factor))
    x, y = w.new_zeros(batch, len(stdp.a_plus)), w.new_zeros(batch, len(stdp.a_plus))
    spikes = []
    synops = torch.zeros(batch, dtype=torch.int64, device=device)
    for t in range(len(events)):
        # Inputs arrive in the same timestep, spikes of neurons in the next.
        pre_input = inputs[t].to(w.dtype)
        activation.index_add_(1, targets[:first], pre_input[:, sources[:first]] * w[:first])
        voltage = decay_factor * voltage + activation
        fires = voltage > limit
        voltage = voltage.masked_fill(fires, 0)
        post = fires.to(w.dtype)
        spikes.append(fires)
        pre = torch.cat([pre_input, post], dim=1)
        sent = pre[:, sources[first:]] * w[first:]  # by the weights before they learn
        activation = torch.zeros_like(voltage).index_add_(1, targets[first:], sent)
        synops += ((pre > 0) * out_degree).sum(dim=1)
        if plastic:
            spikes_of_synapses = pre[:, sources[learning]], post[:, targets[learning]]
            w[learning] = _stdp_step(w[learning], (x, y), spikes_of_synapses, constants)
    np.copyto(weights, w.cpu().numpy())
    stacked = torch.stack(spikes)
    activity = [
        stacked[:, :, part].double().mean(dim=(1, 2)) for part in wiring.sizes.populations.values()
    ]
    return (
        stacked.to(torch.uint8).cpu().numpy(),
        synops.cpu().numpy(),
        torch.stack(activity, dim=1).cpu().numpy(),
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
