"""Batch norm's statistics, taken anew: those of training belong to other weights or time steps."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .network import SpikingNetwork


@torch.no_grad()
def recalibrate_batch_norm(network: SpikingNetwork, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of batch norm to the mean over `batches` of their statistics.

    `batches` are events (timesteps, batch, *input_shape), with as many time steps as the network
    is to run for. Weights stay as they are, and so does the mode of the network and of its layers.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    training, quantised = network.training, [layer.quantized for layer in network.layer_list]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    network.train().quantize(False)
    for events in batches:
        network(events)
    network.train(training)
    for layer, mode in zip(network.layer_list, quantised, strict=True):
        layer.quantized = mode
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
