"""Small networks of every architecture, with random parameters and recalibrated batch norm."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor

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
    "pooled": {"channels": (6, 8), "hidden": (), "input_pool": 2, "global_pool": True},
    "pooled dense": {"channels": (6, 8), "hidden": (12,), "global_pool": True},
    "soft reset": {
        "hidden": (24,),
        "channels": (4, 6),
        "recurrent": True,
        "neuron": {"reset": "subtract", "current_decay": 0.8, "learn": ["threshold"]},
    },
    "sew soft reset": {"name": "sew_resnet18", "width": 4, "neuron": {"reset": "subtract"}},
    "resnet19": {"name": "resnet19", "width": 4, "hidden": 12},
    "layers": {
        "neuron": {"voltage_decay": 0.3, "learn": ["threshold"]},
        "layers": [
            {"kind": "conv", "channels": 4, "kernel": [3, 5], "stride": [2, 1], "delays": [0, 2]},
            {
                "kind": "conv",
                "name": "b",
                "channels": 4,
                "recurrent": True,
                "groups": 2,
                "delays": [1, 3],
                "shortcuts": ["conv1"],
                "learn": ["current_decay", "voltage_decay"],
            },
            {"kind": "max_pool"},
            {
                "kind": "conv",
                "channels": 4,
                "pool": [1, 2],
                "padding": 1,
                "norm": False,
                "current_decay": 0.7,
                "reset": "subtract",
                "weight_bits": 6,
            },
            {
                "kind": "dense",
                "neurons": 12,
                "recurrent": True,
                "delays": [0, 1],
                "dropout": 0.2,
                "learn": ["voltage_decay", "threshold"],
            },
            {"kind": "readout", "voltage_decay": 0.1, "delays": [0, 1]},
        ],
    },
}


def random_spikes(shape: tuple[int, ...], timesteps: int = 5, batch: int = 2) -> Tensor:
    """Spikes, float32 (timesteps, batch, *shape), with probability 0.35."""
    random = torch.Generator().manual_seed(7)
    return (torch.rand((timesteps, batch, *shape), generator=random) < 0.35).float()


def randomize(network: SpikingNetwork) -> SpikingNetwork:
    """Perturb every parameter and recalibrate batch norm; returns the network, to be evaluated."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    recalibrate_batch_norm(network, [random_spikes(network.input_shape)])
    return network.eval()


def make_network(table: dict[str, Any], shape: tuple[int, ...] = (2, 16, 16)) -> SpikingNetwork:
    """The network of a recipe's table `[network]`, randomized."""
    torch.manual_seed(0)
    options: Any = TypeAdapter(NetworkOptions).validate_python(table)
    return randomize(build_model(options, shape, CLASSES, 1))


def run_layers(network: SpikingNetwork, events: Tensor) -> dict[str, NDArray[Any]]:
    """Output of every layer of the quantized `network`, by its name."""
    network.quantize()
    outputs = {InputSpec(("input",)): events}
    with torch.no_grad():
        for layer in network.layer_list:
            inputs = (gather_input(outputs, spec) for spec in layer.inputs)
            outputs[InputSpec((layer.name,))] = layer(*inputs)
    names = [layer.name for layer in network.layer_list]
    return {name: outputs[InputSpec((name,))].numpy() for name in names}


def to_integers(network: SpikingNetwork) -> Network:
    """The integer network that `network` is converted to."""
    return quantize_network(to_float_network(network))[0]


def to_uint8(events: Tensor) -> NDArray[np.uint8]:
    """Events as the engines take them."""
    return events.numpy().astype(np.uint8)
