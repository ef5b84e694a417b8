"""Import of snnTorch modules: the spikes of the original, or its parameter in an error.

Without the library, classes of the same names and attributes replace it.
"""

import importlib
import importlib.util
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from float_reference import simulate
from numpy.typing import NDArray
from torch import Tensor, nn

from pumice.convert.importers.snntorch import from_snntorch
from pumice.runtime.engines.reference import run
from pumice.runtime.errors import NetworkError
from pumice.train import convert
from pumice.train.models.conv import ConvNet

EVENTS = (np.random.default_rng(1).random((15, 3, 16)) < 0.4).astype(np.uint8)


class Leaky(nn.Module):
    """The library's equations, one step at a time."""

    def __init__(self, beta: Any, threshold: Any = 1.0, **others: Any) -> None:
        super().__init__()
        self.inhibition = self.state_quant = False
        self.graded_spikes_factor: Any = 1.0
        self.reset_mechanism, self.reset_delay = "subtract", True
        others.pop("init_hidden", None)
        self.__dict__.update(others)
        self.beta, self.threshold = torch.as_tensor(beta), torch.as_tensor(threshold)
        self.mem: Any = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        before = (self.mem > self.threshold).to(x)
        if self.reset_mechanism == "zero":
            self.mem = self.mem * (1 - before)
        self.mem = self.beta.clamp(0, 1) * self.mem + x
        if self.reset_mechanism == "subtract":
            self.mem = self.mem - before * self.threshold
        spikes: Tensor = (self.mem > self.threshold).to(x)
        if not self.reset_delay:
            late = self.threshold if self.reset_mechanism == "subtract" else self.mem
            self.mem = self.mem - (spikes - before) * late
        return spikes


class Synaptic(Leaky):
    def __init__(self, alpha: Any, beta: Any, **others: Any) -> None:
        super().__init__(beta, **others)
        self.alpha = torch.as_tensor(alpha)
        self.syn: Any = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        before = (self.mem > self.threshold).to(x)
        self.syn = self.alpha.clamp(0, 1) * self.syn + x
        self.mem = self.beta.clamp(0, 1) * self.mem + self.syn
        late = self.threshold if self.reset_mechanism == "subtract" else self.mem
        self.mem = self.mem - before * late
        spikes: Tensor = (self.mem > self.threshold).to(x)
        if not self.reset_delay:
            late = self.threshold if self.reset_mechanism == "subtract" else self.mem
            self.mem = self.mem - (spikes - before) * late
        return spikes


class Lapicque(Leaky):
    pass


@pytest.fixture(params=["stand-ins", "snntorch"])
def snn(request: pytest.FixtureRequest) -> Any:
    """Neurons of the library, or stand-ins."""
    if request.param == "stand-ins":
        return SimpleNamespace(Leaky=Leaky, Synaptic=Synaptic, Lapicque=Lapicque)
    if importlib.util.find_spec("snntorch") is None:
        pytest.skip("snntorch is not installed (make peers)")
    return importlib.import_module("snntorch")


def run_module(module: nn.Sequential, events: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Output of `module` at each timestep, in double precision though spikes are float32."""
    steps = []
    with torch.no_grad():
        for values in torch.from_numpy(events):
            for layer in module:
                values = layer(values.double())
            steps.append(values.numpy())
    return np.stack(steps)


def make_neuron(snn: Any, name: str, neurons: int = 1, **changes: Any) -> Any:
    zero = {"reset_mechanism": "zero", "init_hidden": True, **changes}
    if name == "each":
        beta, threshold = torch.linspace(0.2, 0.95, neurons), torch.linspace(0.3, 0.9, neurons)
        return snn.Leaky(beta=beta.double(), threshold=threshold.double(), **zero)
    if name == "at once":
        return snn.Leaky(beta=0.8, threshold=0.6, init_hidden=True, reset_delay=False)
    if name.startswith("default"):
        late: Any = {"init_hidden": True}
        if name == "default synaptic":
            return snn.Synaptic(alpha=0.7, beta=0.8, **late)
        return snn.Leaky(beta=0.8, threshold=0.6, **late)
    if name == "late synaptic":
        return snn.Synaptic(alpha=0.7, beta=0.8, **zero)
    if name == "synaptic":
        return snn.Synaptic(alpha=0.7, beta=0.8, **{"reset_delay": False, **zero})
    return snn.Leaky(beta=0.9, threshold=0.6, **{"reset_delay": name == "late", **zero})


@pytest.mark.parametrize(
    "name",
    [
        *("leaky", "late", "synaptic", "late synaptic", "each", "default", "default synaptic"),
        "at once",
    ],
)
def test_imported_network_spikes_as_the_original(snn: Any, name: str) -> None:
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Linear(16, 30),
        make_neuron(snn, name, 30),
        nn.Linear(30, 20),
        make_neuron(snn, name, 20),
    ).double()
    network, diagnostics = from_snntorch(module, (16,))
    spikes = run_module(module, EVENTS)
    np.testing.assert_array_equal(simulate(network, EVENTS)[network.output], spikes)
    assert 0.02 < spikes.mean() < 0.98
    assert {each.support for each in diagnostics} == {"exact"}


def test_neurons_without_reset_become_a_read_out(snn: Any) -> None:
    torch.manual_seed(2)
    last = make_neuron(snn, "leaky", reset_mechanism="none", output=True)
    module = nn.Sequential(nn.Linear(16, 10), last).double()
    if isinstance(last, Leaky):  # the stand-in always resets
        with pytest.raises(NetworkError, match="does something else than its attributes say"):
            from_snntorch(module, (16,))
        return
    network, _ = from_snntorch(module, (16,))
    with torch.no_grad():
        expected = [module(torch.from_numpy(e.astype(np.float64)))[1].numpy() for e in EVENTS]
    np.testing.assert_allclose(simulate(network, EVENTS)[network.output], expected, atol=1e-5)


UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "inhibition": ({"inhibition": True}, "inhibition=True lets one neuron fire"),
    "state_quant": ({"state_quant": torch.round}, "state_quant rounds its states"),
    "graded": ({"graded_spikes_factor": 2.0}, "graded_spikes_factor is not 1"),
    "beta": ({"beta": torch.rand(3)}, r"voltage_decay has 3 values, needs one or one per channel"),
    "negative": ({"threshold": -0.5}, "threshold is -0.5; use one above zero"),
}


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_layers_are_errors_that_name_the_parameter(snn: Any, name: str) -> None:
    changes, text = UNSUPPORTED[name]
    node = snn.Leaky(**{"beta": 0.9, "reset_mechanism": "zero", **changes})
    with pytest.raises(NetworkError, match=text):
        from_snntorch([nn.Linear(16, 2), node], (16,))


def test_unsupported_neurons(snn: Any) -> None:
    with pytest.raises(NetworkError, match="Lapicque is not a supported layer"):
        from_snntorch([nn.Linear(16, 2), snn.Lapicque(beta=0.5)], (16,))


def test_pixels_from_0_to_1_are_read_as_integers_of_8_bits() -> None:
    """The integers compute what the model does with its weights rounded to 8 bits."""
    torch.manual_seed(0)
    layers: Any = [nn.Linear(64, 32, bias=False), Leaky(0.9)]
    layers += [nn.Linear(32, 10, bias=False), Leaky(0.9)]
    for index in (0, 2):
        weights = layers[index].weight.data.normal_(std=0.3 + 0.15 * index)
        unit = weights.abs().max() / 127
        layers[index].weight.data = (weights / unit).round() * unit
    pixels = np.random.default_rng(0).integers(0, 256, (20, 4, 64)).astype(np.uint8)
    network = convert(layers, input_shape=(64,), value_bits=8, input_scale=1 / 255)
    spikes = run(network, pixels).spikes
    with torch.no_grad():
        frames = torch.from_numpy(pixels).float() / 255
        hidden = torch.stack([layers[1](layers[0](frame)) for frame in frames])
        out = torch.stack([layers[3](layers[2](frame)) for frame in hidden])
    first, last = (spikes[population.name] for population in network.populations[1:])
    assert 0.1 < first.mean() < 0.5 and 0.1 < last.mean() < 0.5
    assert np.mean(first != hidden.numpy()) < 0.002 and np.mean(last != out.numpy()) < 0.005


def test_input_scale_is_refused_where_it_means_nothing() -> None:
    layers = [nn.Linear(64, 3), Leaky(0.9)]
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(NetworkError, match="input_scale is .*, needs a number above 0"):
            convert(layers, input_shape=(64,), input_scale=wrong)
    network = convert(layers, input_shape=(64,))
    with pytest.raises(NetworkError, match="input_scale: the weights are integers already"):
        convert(network, input_scale=0.5)
    with pytest.raises(NetworkError, match="input_scale: the model was trained on the integers"):
        convert(ConvNet((2, 8, 8), 3), input_scale=0.5)
