"""Linear read-out of a pretrained network, fitted to few labeled samples."""

import numpy as np
import torch

from ...runtime.config import validate
from ...runtime.errors import NetworkError
from ..data import Dataset, FrameSet
from ..data.split import stratified_split
from ..engine.checkpoint import TrainedModel
from ..engine.fit import make_provenance
from ..models import build_model
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe
from ..ssl.pretrain import PretrainedModel
from .probe import fit_linear_probe


def attach_linear_readout(
    pretrained: PretrainedModel, data: Dataset, per_class: int, seed: int = 0
) -> TrainedModel:
    """Attach a linear probe as the read-out of a pretrained network, ready to be converted.

    The probe is fitted to spike counts of the quantized network, which is the one deployed.

    Args:
        pretrained: The pretrained network.
        data: Labeled samples in the shape of the videos.
        per_class: Labeled training samples of each class, drawn by `seed`.
        seed: Seed of the samples.

    Raises:
        NetworkError: The data has another shape than the videos.
        DataError: A class has too few samples.
    """
    shape = data.input_shape
    if shape != pretrained.network.input_shape:
        raise NetworkError(
            f"{data.name}: frames are {shape}, but the network was pretrained on "
            f"{pretrained.network.input_shape}"
        )
    options = {**data.provenance.get("options", {}), "name": data.name}
    tables = {"data": options, "network": pretrained.recipe.network, "training": {"seed": seed}}
    recipe = validate(Recipe, tables, data.name)
    provenance = make_provenance(recipe, data)
    provenance["pretrained"] = {**pretrained.provenance, "labels_per_class": per_class}
    network = build_model(
        recipe.network,
        pretrained.network.input_shape,
        data.classes,
        provenance["data"]["value_bits"],
    )
    weights = {
        name: value
        for name, value in pretrained.network.state_dict().items()
        if not name.startswith(f"layers.{len(network.layers) - 1}.")
    }
    network.load_state_dict(weights, strict=False)
    _fit_readout(network, sample_per_class(data, per_class, seed), data.classes)
    network.provenance = provenance
    return TrainedModel(network.eval(), recipe, provenance)


def sample_per_class(data: Dataset, per_class: int, seed: int = 0) -> FrameSet:
    """Draw `per_class` training samples of each class by `seed`; raises `DataError`."""
    _, chosen = stratified_split(data.train.labels, per_class, seed)
    return data.train[chosen]


@torch.no_grad()
def _fit_readout(network: SpikingNetwork, labeled: FrameSet, classes: int) -> None:
    """Set the weights of the read-out to a probe of each step's spikes, and its voltage range."""
    network.eval().quantize()
    parts = []
    for events, _ in labeled.batches(128):
        parts.append(network.features(torch.from_numpy(events.astype(np.float32))).flatten(2))
    network.quantize(False)
    steps = torch.cat(parts, dim=1)
    probe = fit_linear_probe(steps.mean(dim=0).numpy(), labeled.labels, classes)
    readout = network.readout_layer
    assert readout.linear.bias is not None
    readout.linear.weight.copy_(torch.from_numpy(probe.weights))
    readout.linear.bias.copy_(torch.from_numpy(probe.bias))
    readout.max_abs_voltage.copy_(network.compute_logits(steps).cumsum(dim=0).abs().max())
