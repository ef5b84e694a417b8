"""From a pretrained network to one that answers: a read-out from few labels."""

import numpy as np
import torch

from ...runtime.errors import NetworkError
from ..data import Dataset, FrameSet
from ..data.split import stratified_split
from ..engine.checkpoint import TrainedModel
from ..engine.fit import make_provenance
from ..models import build_model
from ..nn.layers import SpikingLayer
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe
from ..ssl.pretrain import PretrainedModel
from .evaluate import iter_batches
from .probe import fit_linear_probe


def attach_linear_readout(
    pretrained: PretrainedModel, data: Dataset, per_class: int, seed: int = 0
) -> TrainedModel:
    """Return `pretrained` with a read-out that a linear probe gives, ready to be converted.

    The probe sees `per_class` labelled training samples of each class, drawn by `seed`, as spike
    counts of the network in integers, so that it knows the network that is deployed. Raises
    `NetworkError` where the data has another shape than the videos, and `DataError` where a class
    has too few samples.
    """
    shape = data.input_shape
    if shape != pretrained.network.input_shape:
        raise NetworkError(
            f"{data.name}: frames are {shape}, but the network was pretrained on "
            f"{pretrained.network.input_shape}"
        )
    options = {**data.provenance.get("options", {}), "name": data.name}
    recipe = Recipe.model_validate(
        {"data": options, "network": pretrained.recipe.network, "training": {"seed": seed}}
    )
    provenance = make_provenance(recipe, data)
    provenance["pretrained"] = {**pretrained.provenance, "labels_per_class": per_class}
    network = build_model(
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
    _fit_readout(network, sample_per_class(data, per_class, seed), data.classes)
    return TrainedModel(network.eval(), recipe, provenance)


def sample_per_class(data: Dataset, per_class: int, seed: int = 0) -> FrameSet:
    """Return `per_class` training samples of each class, drawn by `seed`; raises `DataError`."""
    _, chosen = stratified_split(data.train.labels, per_class, seed)
    return data.train[chosen]


@torch.no_grad()
def _fit_readout(network: SpikingNetwork, few: FrameSet, classes: int) -> None:
    """Set the weights of the read-out: each step adds the probe of that step's spikes.

    What it adds up to by then is noted, so that its integers hold it.
    """
    network.eval().quantize()
    seen = []
    for events, _ in iter_batches(few, 128):
        seen.append(network.features(torch.from_numpy(events.astype(np.float32))).flatten(2))
    network.quantize(False)
    steps = torch.cat(seen, dim=1)
    probe = fit_linear_probe(steps.mean(dim=0).numpy(), few.labels, classes)
    readout = network.layer_list[-1]
    assert isinstance(readout, SpikingLayer) and readout.linear.bias is not None
    readout.linear.weight.copy_(torch.from_numpy(probe.weights))
    readout.linear.bias.copy_(torch.from_numpy(probe.bias))
    readout.max_abs_voltage.copy_(network.compute_logits(steps).cumsum(dim=0).abs().max())
