"""Projector and predictor heads, used in self-supervised pretraining only."""

from itertools import pairwise

from torch import nn


def mlp(*sizes: int, last_norm: bool = False) -> nn.Sequential:
    """Create an MLP with batch norm and ReLU after every layer but the last.

    Maps (samples, sizes[0]) to (samples, sizes[-1]). With `last_norm`, the last layer is followed
    by a batch norm without affine parameters, as in SimSiam's projector.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    layers.append(nn.Linear(sizes[-2], sizes[-1], bias=not last_norm))
    if last_norm:
        layers.append(nn.BatchNorm1d(sizes[-1], affine=False))
    return nn.Sequential(*layers)
