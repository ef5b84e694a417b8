"""Networks of every architecture, small, with batch norm that has seen data."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pumice.convert.quantise import quantised
from pumice.runtime import Network
from pumice.train.architectures import NetworkOptions, network_of
from pumice.train.networks import SpikingNetwork, lowered
from pumice.train.projections import Reads, read
from pumice.train.recalibrate import recalibrate

CLASSES = 4
TABLES: dict[str, dict[str, Any]] = {
    "sew add": {"name": "sew_resnet18", "width": 4},
    "sew iand": {"name": "sew_resnet18", "width": 4, "connect": "iand"},
    "sew or": {"name": "sew_resnet18", "width": 4, "connect": "or"},
    "sew max": {"name": "sew_resnet18", "width": 4, "stem": "large", "pool": "max"},
    "sew average": {"name": "sew_resnet18", "width": 4, "stem": "large", "pool": "average"},
    "sew 34": {"name": "sew_resnet34", "width": 3},
    "vgg9": {"name": "vgg9", "width": 4, "hidden": 12},
    "vgg9 max": {"name": "vgg9", "width": 4, "hidden": 12, "pool": "max"},
    "vggsnn": {"name": "vggsnn", "width": 3},
    "recurrent": {"hidden": (24, 16), "channels": (4, 6), "recurrent": True},
    "resnet19": {"name": "resnet19", "width": 4, "hidden": 12},
}


def events(shape: tuple[int, ...], timesteps: int = 5, batch: int = 2) -> torch.Tensor:
    """Spikes, float32 (timesteps, batch, *shape), a third of all places."""
    random = torch.Generator().manual_seed(7)
    return (torch.rand((timesteps, batch, *shape), generator=random) < 0.35).float()


def seasoned(network: SpikingNetwork) -> SpikingNetwork:
    """Move every parameter off its default, let batch norm see data; returns it, to be run."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    recalibrate(network, [events(network.input_shape)])
    return network.eval()


def network(table: dict[str, Any], shape: tuple[int, ...] = (2, 16, 16)) -> SpikingNetwork:
    """The network of a recipe's `[network]`, seasoned."""
    torch.manual_seed(0)
    options: Any = TypeAdapter(NetworkOptions).validate_python(table)
    return seasoned(network_of(options, shape, CLASSES, 1))


def told(network: SpikingNetwork, given: torch.Tensor) -> dict[str, NDArray[Any]]:
    """What every layer of the quantised `network` gives, by its name."""
    network.quantise()
    known = {Reads(("input",)): given}
    with torch.no_grad():
        for layer in network.nodes:
            out = layer(*(read(known, reads) for reads in layer.reads))
            known[Reads((layer.name,))] = out
    return {layer.name: known[Reads((layer.name,))].numpy() for layer in network.nodes}


def converted(network: SpikingNetwork) -> Network:
    """The same as the chip holds it."""
    return quantised(lowered(network))[0]


def as_bytes(given: torch.Tensor) -> NDArray[np.uint8]:
    """Events as the engines take them."""
    return given.numpy().astype(np.uint8)
