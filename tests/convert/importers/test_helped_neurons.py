"""Neurons that need helping populations: spikes equal to the original, integers to each other."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from float_reference import simulate
from numpy.typing import NDArray
from torch import Tensor, nn

from pumice.convert.importers.open import ImportOptions, import_model
from pumice.convert.quantize.float_network import FloatNetwork, use_per_channel_scales
from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime.engines import reference
from pumice.runtime.errors import NetworkError
from pumice.runtime.verify import verify

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, on this version of torch
SAMPLES, TIMESTEPS = 1000, 12
EVENTS = (np.random.default_rng(7).random((TIMESTEPS, SAMPLES, 16)) < 0.4).astype(np.uint8)
Array = NDArray[np.float64]


def load(name: str) -> Any:
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name.partition('.')[0]} is not installed (make peers)")
    return importlib.import_module(name)


def imported(module: nn.Module, shape: tuple[int, ...] = (16,)) -> FloatNetwork:
    network = import_model(module.eval(), ImportOptions(input_shape=shape))
    assert isinstance(network, FloatNetwork)
    return network


def check(network: FloatNetwork, expected: Array, events: NDArray[np.uint8] = EVENTS) -> None:
    """Compare with the spikes of the original, and run the integers."""
    assert expected.mean() > 0.01 and np.ptp(expected) > 0
    spikes = simulate(network, events)[network.output]
    changed = (spikes != expected).reshape(TIMESTEPS, SAMPLES, -1).any(axis=(0, 2))
    assert changed.mean() <= 0.002  # float32 may decide at a threshold
    integers, _ = quantize_network(network)
    report = verify(integers, events, engines=("reference", "cpu", "onnx"))
    assert report.passed
    quantized = reference.run(integers, events).spikes[integers.output]
    assert (quantized != expected).mean() < 0.05
    per_channel, _ = quantize_network(use_per_channel_scales(network))
    quantized = reference.run(per_channel, events).spikes[integers.output]
    assert (quantized != expected).mean() < 0.05


class Steps(nn.Module):
    """A loop over time that hands states on, as snnTorch and norse write it."""

    def __init__(self, *layers: nn.Module, scale: float = 3.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        modules: list[Any] = list(self.layers)
        for layer in modules:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.data *= scale

    def forward(self, x: Tensor) -> Tensor:
        modules: list[Any] = list(self.layers)
        states: list[Any] = [
            layer.reset_mem() if hasattr(layer, "reset_mem") else None for layer in modules
        ]
        outputs = []
        for step in x:
            for number, layer in enumerate(modules):
                if isinstance(layer, nn.Linear | nn.Conv2d | nn.Flatten):
                    step = layer(step)
                    continue
                state = states[number]
                if hasattr(layer, "reset_mem"):
                    state = state if isinstance(state, tuple) else (state,)
                    step, *states[number] = layer(step, *state)
                    states[number] = tuple(states[number])
                    if type(layer).__name__.startswith("R"):
                        states[number] = (step, *states[number])
                else:
                    step, states[number] = layer(step, state)
            outputs.append(step)
        return torch.stack(outputs)


def run(module: nn.Module, events: NDArray[np.uint8] = EVENTS) -> Array:
    with torch.no_grad():
        out = module(torch.from_numpy(events.astype(np.float32)))
    return np.asarray(out.double().numpy())


@pytest.mark.parametrize(
    ("kind", "beta"),
    [("Leaky", 1.0), ("Leaky", 0.5), ("Synaptic", 0.9), ("RLeaky", 0.9), ("thresholds", 0.8)],
)
def test_immediate_reset_of_snntorch(kind: str, beta: float) -> None:
    snn = load("snntorch")
    torch.manual_seed(1)
    options: Any = {"beta": beta, "reset_delay": False}
    if kind == "Synaptic":
        make: Callable[[int], Any] = lambda n: snn.Synaptic(alpha=0.6, **options)  # noqa: E731
    elif kind == "RLeaky":
        make = lambda n: snn.RLeaky(linear_features=n, **options)  # noqa: E731
    elif kind == "thresholds":
        make = lambda n: snn.Leaky(threshold=torch.linspace(0.4, 1.3, n), **options)  # noqa: E731
    else:
        make = lambda n: snn.Leaky(**options)  # noqa: E731
    net = Steps(nn.Linear(16, 20), make(20), nn.Linear(20, 5), make(5), scale=6.0)
    network = imported(net)
    expected = run(net)
    check(network, expected)
    excess = simulate(network, EVENTS)[f"{network.output}.excess"]
    assert 0.005 < excess.mean() < 0.9  # thresholds are doubled now and then


def test_immediate_reset_without_effect_is_refused() -> None:
    snn = load("snntorch")
    neurons = snn.RSynaptic(alpha=0.6, beta=0.9, linear_features=5, reset_delay=False)
    with pytest.raises(NetworkError, match="layers.1: reset_delay=False of RSynaptic has no effe"):
        imported(Steps(nn.Linear(16, 5), neurons))


@pytest.mark.slow
def test_immediate_reset_of_convolutions() -> None:
    snn = load("snntorch")
    torch.manual_seed(2)
    lif = snn.Leaky(beta=0.8, reset_delay=False)
    last = snn.Leaky(beta=0.8, reset_delay=False)
    net = Steps(nn.Conv2d(1, 3, 3, padding=1), lif, nn.Flatten(), nn.Linear(48, 5), last, scale=5.0)
    network = imported(net, (1, 4, 4))
    events = EVENTS.reshape(TIMESTEPS, SAMPLES, 1, 4, 4)
    check(network, run(net, events), events)


def test_biases_that_pass_a_current() -> None:
    """RSynaptic with its recurrent bias and that of the layer before."""
    snn = load("snntorch")
    torch.manual_seed(3)
    net = Steps(
        nn.Linear(16, 20), snn.RSynaptic(alpha=0.6, beta=0.9, linear_features=20),
        nn.Linear(20, 5), snn.Synaptic(alpha=0.7, beta=0.8),
    )  # fmt: skip
    network = imported(net)
    assert [p.name for p in network.populations if p.name.endswith(".constant")] != []
    check(network, run(net))


@pytest.mark.slow
def test_biases_that_pass_a_current_of_convolutions() -> None:
    snn = load("snntorch")
    torch.manual_seed(4)
    net = Steps(
        nn.Conv2d(1, 3, 3, padding=1), snn.Synaptic(alpha=0.6, beta=0.7), nn.Flatten(),
        nn.Linear(48, 5), snn.Synaptic(alpha=0.6, beta=0.7),
    )  # fmt: skip
    network = imported(net, (1, 4, 4))
    events = EVENTS.reshape(TIMESTEPS, SAMPLES, 1, 4, 4)
    check(network, run(net, events), events)


@pytest.mark.parametrize("value", [0.2, -0.3])
@pytest.mark.parametrize("kind", ["LIF", "IAF", "bounded", "current", "recurrent"])
def test_membrane_reset_of_sinabs_to_a_value(kind: str, value: float) -> None:
    layers, activation = load("sinabs.layers"), load("sinabs.activation")
    torch.manual_seed(5)
    options: Any = {
        "spike_fn": activation.SingleSpike,
        "reset_fn": activation.MembraneReset(value),
        "min_v_mem": -0.5 if kind == "bounded" else None,
    }
    if kind != "IAF":
        options |= {"tau_mem": 8.0, "norm_input": False}
    if kind == "current":
        options["tau_syn"] = 4.0

    def make(neurons: int) -> Any:
        if kind == "recurrent":
            return layers.LIFRecurrent(rec_connect=nn.Linear(neurons, neurons), **options)
        return layers.IAF(**options) if kind == "IAF" else layers.LIF(**options)

    weighted: list[Any] = [nn.Linear(16, 20), nn.Linear(20, 5)]
    for layer in weighted:
        layer.weight.data *= 4
        layer.bias.data += 0.2
    check_sinabs(nn.Sequential(weighted[0], make(20), weighted[1], make(5)))


@pytest.mark.parametrize("kind", ["LIFRecurrent", "IAFRecurrent", "current"])
def test_recurrent_bias_of_sinabs_from_the_second_timestep(kind: str) -> None:
    layers = load("sinabs.layers")
    torch.manual_seed(6)
    own: Any = nn.Linear(20, 20)
    own.bias.data += 0.2
    options: Any = {"rec_connect": own}
    if kind != "IAFRecurrent":
        options["tau_mem"] = 8.0
    if kind == "current":
        options["tau_syn"] = 4.0
    name = "LIFRecurrent" if kind == "current" else kind
    weighted: list[Any] = [nn.Linear(16, 20), nn.Linear(20, 5)]
    for layer in weighted:
        layer.weight.data *= 2 if kind == "IAFRecurrent" else 4
    neurons = getattr(layers, name)(**options)
    check_sinabs(nn.Sequential(weighted[0], neurons, weighted[1], layers.IAF()))


def check_sinabs(net: nn.Sequential) -> None:
    network = imported(net)
    modules: list[Any] = list(net.modules())
    for module in modules:
        if hasattr(module, "reset_states"):
            module.reset_states()
    x = torch.from_numpy(EVENTS.astype(np.float32)).transpose(0, 1)
    with torch.no_grad():
        check(network, np.asarray(net(x).transpose(0, 1).double().numpy()))


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize("kind", ["LIFRecurrentCell", "LIFRecurrent", "LIFRefracRecurrentCell"])
def test_recurrent_neurons_of_norse(kind: str, rest: bool) -> None:
    norse = load("norse.torch")
    torch.manual_seed(8)
    values: Any = {"v_leak": -0.5, "v_reset": -0.7, "v_th": 0.4} if rest else {"v_th": 0.5}
    p = norse.LIFParameters(**{key: torch.tensor(value) for key, value in values.items()})
    if kind == "LIFRefracRecurrentCell":
        p = norse.LIFRefracParameters(p, torch.tensor(2.0))
    make = getattr(norse, kind)
    layers: list[Any] = [make(16, 20, p), make(20, 5, p, autapses=True)]
    for layer in layers:
        layer.input_weights.data *= 3
    net = norse.SequentialState(*layers) if kind == "LIFRecurrent" else Steps(*layers)
    network = imported(net)
    assert not [p for p in network.populations if p.node]  # none needs a helper
    x = torch.from_numpy(EVENTS.astype(np.float32))
    with torch.no_grad():
        out = net(x)[0] if kind == "LIFRecurrent" else net(x)
    check(network, np.asarray(out.double().numpy()))


def test_recurrent_cell_of_norse_after_a_layer() -> None:
    norse = load("norse.torch")
    torch.manual_seed(9)
    linear: Any = nn.Linear(16, 10)
    cells: list[Any] = [norse.LIFRecurrentCell(10, 20), norse.LIFRecurrentCell(20, 5)]
    for cell in cells:
        cell.input_weights.data *= 10
    net = Steps(linear, *cells)
    network = imported(net)
    with torch.no_grad():
        out = net(torch.from_numpy(EVENTS.astype(np.float32)))
    check(network, np.asarray(out.double().numpy()))


def test_neurons_that_start_anew_are_refused() -> None:
    norse = load("norse.torch")

    class Anew(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = norse.LIFRecurrentCell(16, 5)

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([self.cell(step)[0] for step in x])

    with pytest.raises(NetworkError, match="cell: starts anew at timestep 1; hand on its state"):
        imported(Anew())
