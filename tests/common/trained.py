"""Networks of every architecture, small, with batch norm that has seen data."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime import Network
from pumice.train.models import NetworkOptions, build_model
from pumice.train.nn.batch_norm import recalibrate_batch_norm
from pumice.train.nn.network import SpikingNetwork, to_float_network
from pumice.train.nn.projections import InputSpec, gather_input

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
    recalibrate_batch_norm(network, [events(network.input_shape)])
    return network.eval()


def network(table: dict[str, Any], shape: tuple[int, ...] = (2, 16, 16)) -> SpikingNetwork:
    """The network of a recipe's `[network]`, seasoned."""
    torch.manual_seed(0)
    options: Any = TypeAdapter(NetworkOptions).validate_python(table)
    return seasoned(build_model(options, shape, CLASSES, 1))


def told(network: SpikingNetwork, given: torch.Tensor) -> dict[str, NDArray[Any]]:
    """What every layer of the quantised `network` gives, by its name."""
    network.quantize()
    known = {InputSpec(("input",)): given}
    with torch.no_grad():
        for layer in network.layer_list:
            out = layer(*(gather_input(known, reads) for reads in layer.inputs))
            known[InputSpec((layer.name,))] = out
    return {layer.name: known[InputSpec((layer.name,))].numpy() for layer in network.layer_list}


def converted(network: SpikingNetwork) -> Network:
    """The same as the chip holds it."""
    return quantize_network(to_float_network(network))[0]


def as_bytes(given: torch.Tensor) -> NDArray[np.uint8]:
    """Events as the engines take them."""
    return given.numpy().astype(np.uint8)
