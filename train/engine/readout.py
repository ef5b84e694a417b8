"""The readout of a network in training: its rule and its leak, and the statistics of targets."""

from dataclasses import replace
from typing import Any

import numpy as np

from ...convert.quantize.scales import quantize_decay
from ...runtime.errors import RecipeError
from ...runtime.readout import Readout
from ..data import Dataset
from ..models.readout_options import ReadoutOptions
from ..nn.external import ExternalModel
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe

REGRESSION_LOSSES = ("mse", "mae", "huber")
MIN_DEVIATION = 1e-6  # of a target; a constant one is learned as it is


def make_readout(options: ReadoutOptions, data: Dataset) -> Readout:
    """Readout rule for `data`, in float units.

    Targets of a regression are standardized by the training samples: the offset is their mean, and
    the scale their standard deviation.
    """
    if data.task == "classification":
        return Readout(options.decision or "last")
    targets = data.train.labels.astype(np.float64)
    deviation = targets.std(axis=0)
    scale = np.where(deviation > MIN_DEVIATION, deviation, 1.0)
    decision = options.decision or "mean"
    return Readout(decision, "regression", tuple(scale), tuple(targets.mean(axis=0)))


def set_readout(network: SpikingNetwork, readout: Readout, leak: float | None) -> None:
    """Set the rule of `network` and, if it is given, the leak of its read-out, in place."""
    network.readout = readout
    if leak is not None and not isinstance(network, ExternalModel):
        layer = network.readout_layer
        if network.sends_messages and leak:
            raise RecipeError(
                f"readout.leak: {layer.name} adds up changes, so it cannot leak; leave out leak"
            )
        layer.neuron = replace(layer.neuron, voltage_decay=quantize_decay(leak))


def check_losses(recipe: Recipe, data: Dataset) -> None:
    """Raise `RecipeError` where a loss of classes is to learn numbers, or the reverse."""
    regression = data.task == "regression"
    chosen = [name for name in type(recipe.loss).model_fields if getattr(recipe.loss, name)]
    for name in chosen:
        if (name in REGRESSION_LOSSES) != regression and name != "custom":
            kind, needed = (
                ("numbers", 'mse = {}, or "mae" or "huber"')
                if regression
                else ("classes", "cross_entropy = {}")
            )
            raise RecipeError(
                f"loss.{name}: the labels of {data.name} are {kind}; choose [loss] {needed}"
            )
    if regression and recipe.augment.mix is not None:
        raise RecipeError(f"augment.mix: mixes classes, but the labels of {data.name} are numbers")


def readout_provenance(readout: Readout) -> dict[str, Any]:
    """Provenance of a readout rule, empty for the default."""
    return {} if readout == Readout() else {"readout": readout.to_dict()}
