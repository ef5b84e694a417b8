"""From a pretrained network to one that answers: a read-out from few labels."""

import numpy as np
import torch

from ..runtime.errors import NetworkError
from .architectures import network_of
from .checkpoint import Trained
from .data import Data, FrameSet
from .data.split import held_out
from .evaluate import batches
from .fit import described
from .layers import Layer
from .networks import SpikingNetwork
from .pretrain import Pretrained
from .protocols.probe import linear_probe
from .recipe import Recipe


def probed(pretrained: Pretrained, data: Data, per_class: int, seed: int = 0) -> Trained:
    """Return `pretrained` with a read-out that a linear probe gives, ready to be converted.

    The probe sees `per_class` labelled training samples of each class, drawn by `seed`, as spike
    counts of the network in integers, so that it knows the network that is deployed. Raises
    `NetworkError` where the data has another shape than the videos, and `DataError` where a class
    has too few samples.
    """
    shape = data.train.frames.shape[2:]
    if shape != pretrained.network.input_shape:
        raise NetworkError(
            f"{data.name}: frames are {shape}, but the network was pretrained on "
            f"{pretrained.network.input_shape}"
        )
    options = {**data.provenance.get("options", {}), "name": data.name}
    recipe = Recipe.model_validate(
        {"data": options, "network": pretrained.recipe.network, "fit": {"seed": seed}}
    )
    provenance = described(recipe, data)
    provenance["pretrained"] = {**pretrained.provenance, "labels_per_class": per_class}
    network = network_of(
        recipe.network,
        pretrained.network.input_shape,
        data.classes,
        provenance["data"]["value_bits"],
    )
    weights = {
        name: each
        for name, each in pretrained.network.state_dict().items()
        if not name.startswith(f"layers.{len(network.layers) - 1}.")
    }
    network.load_state_dict(weights, strict=False)
    _read_out(network, few_labelled(data, per_class, seed), data.classes)
    return Trained(network.eval(), recipe, provenance)


def few_labelled(data: Data, per_class: int, seed: int = 0) -> FrameSet:
    """Return `per_class` training samples of each class, drawn by `seed`; raises `DataError`."""
    _, chosen = held_out(data.train.labels, per_class, seed)
    return FrameSet(data.train.frames[chosen], data.train.labels[chosen])


@torch.no_grad()
def _read_out(network: SpikingNetwork, few: FrameSet, classes: int) -> None:
    """Set the weights of the read-out: each step adds the probe of that step's spikes.

    What it adds up to by then is noted, so that its integers hold it.
    """
    network.eval().quantise()
    seen = []
    for events, _ in batches(few, 128):
        seen.append(network.features(torch.from_numpy(events.astype(np.float32))).flatten(2))
    network.quantise(False)
    steps = torch.cat(seen, dim=1)
    probe = linear_probe(steps.mean(dim=0).numpy(), few.labels, classes)
    readout = network.nodes[-1]
    assert isinstance(readout, Layer) and readout.linear.bias is not None
    readout.linear.weight.copy_(torch.from_numpy(probe.weights))
    readout.linear.bias.copy_(torch.from_numpy(probe.bias))
    readout.reach.copy_(network.answer(steps).cumsum(dim=0).abs().max())
