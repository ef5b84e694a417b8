"""Heads: what stands on a network while it learns without labels, and is then taken off."""

from itertools import pairwise

from torch import nn


def mlp(*sizes: int, last_norm: bool = False) -> nn.Sequential:
    """Return linear maps from size to size, each but the last with batch norm and ReLU after it.

    Takes (samples, first size), gives (samples, last size). With `last_norm` the last has a batch
    norm without weights after it, as SimSiam's projector.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    layers.append(nn.Linear(sizes[-2], sizes[-1], bias=not last_norm))
    if last_norm:
        layers.append(nn.BatchNorm1d(sizes[-1], affine=False))
    return nn.Sequential(*layers)
