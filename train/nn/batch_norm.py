"""Recalibration of batch norm's running statistics for other weights or numbers of timesteps."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .network import SpikingNetwork


@torch.no_grad()
def recalibrate_batch_norm(network: SpikingNetwork, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of batch norm to the mean of the batch statistics.

    Args:
        network: Network in floats; its weights and modes stay as they are.
        batches: Events (timesteps, batch, *input_shape), of as many timesteps as the network is to
            run for.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    training = network.training
    quantized = [layer.quantized for layer in network.layer_list]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean over all batches
    network.train().quantize(False)
    for events in batches:
        network(events)
    network.train(training)
    for layer, mode in zip(network.layer_list, quantized, strict=True):
        layer.quantized = mode
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
