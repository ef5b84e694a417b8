"""What `kernels.advance` does, in torch, for samples that stand on a GPU."""

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
    learns: bool,
) -> tuple[ByteArray, NDArray[np.int64], FloatArray]:
    """Run a batch from silence on the torch `device`; `weights` (synapses,) learn if `learns`.

    `events` (timesteps, batch, inputs). Returns spikes uint8 (timesteps, batch, neurons), synaptic
    operations int64 (batch,), and the share of each population that fired (timesteps, parts). The
    order in which weights add up is the device's own, so sums may differ in their last bit. Raises
    `EngineError` where torch has no such device.
    """
    _check_device(device)

    def there(array: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(device)

    wiring, rule = network.wiring, network.stdp
    sources, targets = there(wiring.sources).long(), there(wiring.targets).long()
    out_degree = there(np.diff(wiring.indptr)).long()
    w, kept, limit = there(weights), there(network.decay_factor), there(threshold)
    seen = there(events)
    batch, first = events.shape[1], int(wiring.indptr[wiring.sizes.inputs])
    learning = slice(rule.first_synapse, rule.first_synapse + len(rule.a_plus))
    constants = [there(getattr(rule, name)) for name in ("decay_plus", "decay_minus", "a_plus",
                                                         "a_minus", "w_max")]  # fmt: skip
    voltage, arriving = w.new_zeros(batch, len(kept)), w.new_zeros(batch, len(kept))
    x, y = w.new_zeros(batch, len(rule.a_plus)), w.new_zeros(batch, len(rule.a_plus))
    spikes = []
    synops = torch.zeros(batch, dtype=torch.int64, device=device)
    for t in range(len(events)):
        # Inputs arrive at once, spikes of neurons a step after they were sent.
        given = seen[t].to(w.dtype)
        arriving.index_add_(1, targets[:first], given[:, sources[:first]] * w[:first])
        voltage = kept * voltage + arriving
        fired = voltage > limit
        voltage = voltage.masked_fill(fired, 0)
        last = fired.to(w.dtype)
        spikes.append(fired)
        pre = torch.cat([given, last], dim=1)
        sent = pre[:, sources[first:]] * w[first:]  # by what the weights are before they learn
        arriving = torch.zeros_like(voltage).index_add_(1, targets[first:], sent)
        synops += ((pre > 0) * out_degree).sum(dim=1)
        if learns:
            before, after = pre[:, sources[learning]], last[:, targets[learning]]
            w[learning] = _stdp_step(w[learning], x, y, before, after, constants)
    np.copyto(weights, w.cpu().numpy())
    every = torch.stack(spikes)
    shares = [
        every[:, :, part].double().mean(dim=(1, 2)) for part in wiring.sizes.populations.values()
    ]
    return (
        every.to(torch.uint8).cpu().numpy(),
        synops.cpu().numpy(),
        torch.stack(shares, dim=1).cpu().numpy(),
    )


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        told = str(error).splitlines()[0]
        raise EngineError(f'device "{device}": {told}; "cpu" is always there') from error


def _stdp_step(
    w: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    before: torch.Tensor,
    after: torch.Tensor,
    constants: list[torch.Tensor],
) -> torch.Tensor:
    """Return weights (plastic,) after a step of STDP, as `stdp` has it; traces advance in place."""
    kept_plus, kept_minus, plus, minus, most = constants
    x.mul_(kept_plus).add_(before)
    y.mul_(kept_minus).add_(after)
    change = after * plus * x * (most - w) - before * minus * y * w
    return torch.minimum((w + change.mean(dim=0)).clamp(min=0), most)


def first_runaway(shares: FloatArray, limit: float) -> tuple[int, int] | None:
    """Return the step and the population at which activity, averaged over steps, passed `limit`.

    `shares` (timesteps, populations) fired; the average is that of `kernels.advance`.
    """
    activity = np.zeros(shares.shape[1])
    for step, share in enumerate(shares):
        activity += ACTIVITY_SMOOTHING * (share - activity)
        if (activity > limit).any():
            return step, int(np.argmax(activity > limit))
    return None
