"""Recurrent layers of other libraries: spikes equal to the original, and the integers run."""

import importlib
import importlib.util
from typing import Any

import numpy as np
import pytest
import torch
from float_reference import simulate
from numpy.typing import NDArray
from torch import Tensor, nn

from pumice.convert.importers.open import ImportOptions, import_model
from pumice.convert.quantize.float_network import FloatNetwork
from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime.engines import reference

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, on this version of torch
EVENTS = (np.random.default_rng(3).random((12, 200, 16)) < 0.4).astype(np.uint8)


def load(name: str) -> Any:
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name.partition('.')[0]} is not installed (make peers)")
    return importlib.import_module(name)


def imported(module: nn.Module) -> FloatNetwork:
    network = import_model(module.eval(), ImportOptions(input_shape=(16,)))
    assert isinstance(network, FloatNetwork)
    return network


def check(network: FloatNetwork, expected: NDArray[np.float64]) -> None:
    """Compare with the spikes of the original, and let the integers run."""
    assert any(p.source == p.target and p.delay == 1 for p in network.projections)
    assert expected.mean() > 0.01 and np.ptp(expected) > 0
    spikes = simulate(network, EVENTS)[network.output]
    changed = (spikes != expected).any(axis=(0, 2))
    assert changed.mean() <= 0.01  # float32 may decide at a threshold
    integers, _ = quantize_network(network)
    quantized = reference.run(integers, EVENTS).spikes[integers.output]
    assert (quantized != expected).mean() < 0.03


def make_snntorch(snn: Any, kind: str) -> Any:
    if kind == "one to one":
        return snn.RLeaky(beta=0.9, all_to_all=False, V=torch.linspace(-0.4, 0.5, 20))
    if kind == "one weight":
        return snn.RLeaky(beta=0.9, all_to_all=False, V=0.3)
    if kind == "to zero":
        return snn.RLeaky(beta=0.9, linear_features=20, reset_mechanism="zero")
    if kind == "synaptic":
        return snn.RSynaptic(alpha=0.6, beta=0.9, linear_features=20)
    return snn.RLeaky(beta=0.9, linear_features=20)


class Net(nn.Module):
    """As snnTorch's documentation writes it: a loop over time that hands spikes and states on."""

    def __init__(self, snn: Any, neurons: Any) -> None:
        super().__init__()
        self.fc1, self.rlif = nn.Linear(16, 20), neurons
        self.fc2, self.lif = nn.Linear(20, 5), snn.Leaky(beta=0.8)
        self.fc1.weight.data *= 3

    def forward(self, x: Tensor) -> Tensor:
        states, mem = self.rlif.reset_mem(), self.lif.reset_mem()
        outputs = []
        for step in x:
            states = self.rlif(self.fc1(step), *states)
            spikes, mem = self.lif(self.fc2(states[0]), mem)
            outputs.append(spikes)
        return torch.stack(outputs)


@pytest.mark.parametrize("kind", ["all to all", "one to one", "one weight", "to zero", "synaptic"])
def test_recurrent_neurons_of_snntorch(kind: str) -> None:
    snn = load("snntorch")
    torch.manual_seed(0)
    net = Net(snn, make_snntorch(snn, kind))
    with torch.no_grad():
        expected = net(torch.from_numpy(EVENTS.astype(np.float32))).double().numpy()
    check(imported(net), expected)


def test_convolutional_recurrent_neurons_of_snntorch() -> None:
    snn = load("snntorch")
    torch.manual_seed(0)
    recurrent = snn.RLeaky(beta=0.7, conv2d_channels=3, kernel_size=3, init_hidden=True)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), recurrent, nn.Flatten(),
        nn.Linear(48, 5), snn.Leaky(beta=0.8, init_hidden=True),
    )  # fmt: skip
    weighted: list[Any] = [net[0], net[3]]
    for layer in weighted:
        layer.weight.data *= 3
    network = import_model(net.eval(), ImportOptions(input_shape=(1, 4, 4)))
    assert isinstance(network, FloatNetwork)
    load("snntorch.utils").reset(net)
    events = EVENTS.reshape(12, 200, 1, 4, 4)
    with torch.no_grad():
        steps = [net(step) for step in torch.from_numpy(events.astype(np.float32))]
    expected = torch.stack(steps).double().numpy()
    assert expected.mean() > 0.01
    changed = simulate(network, events)[network.output] != expected
    assert changed.any(axis=(0, 2)).mean() <= 0.01


@pytest.mark.parametrize("multi_step", [False, True])
@pytest.mark.parametrize("kind", ["linear", "smaller", "element-wise"])
def test_recurrent_containers_of_spikingjelly(kind: str, multi_step: bool) -> None:
    neuron = load("spikingjelly.activation_based.neuron")
    layer = load("spikingjelly.activation_based.layer")
    reset = load("spikingjelly.activation_based.functional").reset_net
    torch.manual_seed(0)
    mode = "m" if multi_step else "s"
    container = {
        "linear": lambda: layer.LinearRecurrentContainer(
            neuron.LIFNode(v_threshold=0.5), 20, 20, step_mode=mode
        ),
        "smaller": lambda: layer.LinearRecurrentContainer(
            nn.Sequential(nn.Linear(20, 10), neuron.IFNode(v_threshold=0.3)),
            20, 10, bias=False, step_mode=mode,
        ),
        "element-wise": lambda: layer.ElementWiseRecurrentContainer(
            neuron.IFNode(v_reset=None, v_threshold=0.6), lambda x, y: 0.3 * x + y, step_mode=mode
        ),
    }[kind]()  # fmt: skip
    first = layer.Linear(16, 20, step_mode=mode)
    last = layer.Linear(10 if kind == "smaller" else 20, 5, step_mode=mode)
    net = nn.Sequential(first, container, last, neuron.IFNode(v_threshold=0.3, step_mode=mode))
    first.weight.data *= 3
    last.weight.data *= 3
    network = imported(net)
    reset(net)
    x = torch.from_numpy(EVENTS.astype(np.float32))
    with torch.no_grad():
        out = net(x) if multi_step else torch.stack([net(step) for step in x])
    check(network, out.double().numpy())


def test_recurrent_layers_of_sinabs() -> None:
    layers = load("sinabs.layers")
    torch.manual_seed(0)
    own = nn.Linear(20, 20, bias=False)
    net = nn.Sequential(
        nn.Linear(16, 20), layers.LIFRecurrent(tau_mem=8.0, rec_connect=own, norm_input=False),
        nn.Linear(20, 5), layers.IAF(),
    )  # fmt: skip
    network = imported(net)
    modules: list[Any] = [net[1], net[3]]
    for module in modules:
        module.reset_states()
    x = torch.from_numpy(EVENTS.astype(np.float32)).transpose(0, 1)
    with torch.no_grad():
        check(network, net(x).transpose(0, 1).double().numpy())
