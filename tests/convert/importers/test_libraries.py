"""Networks as the tutorials of other libraries write them: imported as they stand, spikes equal.

Skipped where a library is not installed (make peers).
"""

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
from pumice.runtime.errors import NetworkError

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, on this version of torch
SAMPLES = 1000
RNG = np.random.default_rng(7)


def load(name: str) -> Any:
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name.partition('.')[0]} is not installed (make peers)")
    return importlib.import_module(name)


def imported(module: nn.Module, shape: tuple[int, ...]) -> FloatNetwork:
    network = import_model(module.eval(), ImportOptions(input_shape=shape))
    assert isinstance(network, FloatNetwork)
    return network


def check_spikes(
    network: FloatNetwork, events: NDArray[np.uint8], expected: NDArray[np.float64]
) -> None:
    """Compare the spikes of all samples; float32 may decide at a threshold in a few."""
    spikes = simulate(network, events)[network.output]
    assert expected.mean() > 0.005 and np.ptp(expected) > 0
    changed = (spikes != expected.reshape(spikes.shape)).any(axis=(0, *range(2, spikes.ndim)))
    assert changed.mean() <= 0.002


def draw(timesteps: int, *shape: int) -> NDArray[np.uint8]:
    return (RNG.random((timesteps, SAMPLES, *shape)) < 0.4).astype(np.uint8)


def as_input(events: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(events.astype(np.float32))


def to_numpy(values: Tensor) -> NDArray[np.float64]:
    return np.array(values.detach().double().numpy())


@pytest.mark.parametrize("reset", [{}, {"reset_mechanism": "zero"}])
def test_fully_connected_network_of_snntorch(reset: Any) -> None:
    snn = load("snntorch")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(28 * 28, 100)
            self.lif1 = snn.Leaky(beta=0.95, **reset)
            self.fc2 = nn.Linear(100, 10)
            self.lif2 = snn.Leaky(beta=0.95, **reset)

        def forward(self, x: Tensor) -> Any:
            mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
            spk2_rec, mem2_rec = [], []
            for _ in range(25):
                cur1 = self.fc1(x)
                spk1, mem1 = self.lif1(cur1, mem1)
                cur2 = self.fc2(spk1)
                spk2, mem2 = self.lif2(cur2, mem2)
                spk2_rec.append(spk2)
                mem2_rec.append(mem2)
            return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)

    torch.manual_seed(0)
    net = Net()
    events = np.broadcast_to(draw(1, 784), (25, SAMPLES, 784))
    network = imported(net, (784,))
    with torch.no_grad():
        check_spikes(network, events, to_numpy(net(as_input(events[0]))[0]))


@pytest.mark.parametrize("reset", [{}, {"reset_mechanism": "zero"}])
def test_convolutional_sequence_of_snntorch(reset: Any) -> None:
    snn = load("snntorch")
    torch.manual_seed(0)
    hidden: Any = {"beta": 0.5, "init_hidden": True, **reset}
    net = nn.Sequential(
        nn.Conv2d(2, 12, 5), snn.Leaky(**hidden), nn.MaxPool2d(2),
        nn.Conv2d(12, 8, 5), snn.Leaky(**hidden), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 2 * 2, 10), snn.Leaky(**hidden, output=True),
    ).eval()  # fmt: skip
    for index, bias in ((1, 0.9), (4, 0.7), (8, 0.6)):
        layer: Any = net[index - 1]
        layer.bias.data += bias
    network = imported(net, (2, 20, 20))
    events = draw(6, 2, 20, 20)
    load("snntorch.utils").reset(net)
    with torch.no_grad():
        spikes = [to_numpy(net(step)[0]) for step in as_input(events)]
    check_spikes(network, events, np.stack(spikes))


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_synaptic_neurons_of_snntorch(reset: str) -> None:
    """With reset_delay, those that are reset to zero are held there for a timestep."""
    snn = load("snntorch")
    torch.manual_seed(3)
    hidden: Any = {"alpha": 0.7, "beta": 0.8, "init_hidden": True, "reset_mechanism": reset}
    net = nn.Sequential(
        nn.Linear(16, 20, bias=False), snn.Synaptic(**hidden),
        nn.Linear(20, 5, bias=False), snn.Synaptic(**hidden),
    ).eval()  # fmt: skip
    network = imported(net, (16,))
    events = draw(12, 16)
    load("snntorch.utils").reset(net)
    with torch.no_grad():
        spikes = [to_numpy(net(step)) for step in as_input(events)]
    check_spikes(network, events, np.stack(spikes))
    assert network.populations[0].refractory == int(reset == "zero")


def test_reset_that_was_renamed_afterwards_is_refused() -> None:
    snn = load("snntorch")
    lif = snn.Leaky(beta=0.5)
    lif.reset_mechanism = "zero"  # the module still subtracts
    with pytest.raises(NetworkError, match="leaky1: does something else than its attributes say"):
        imported(nn.Sequential(nn.Linear(1, 1, bias=False), lif), (1,))


def spikingjelly_csnn(sj: Any, layer: Any, channels: int, reset: float | None) -> nn.Module:
    class CSNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_fc = nn.Sequential(
                layer.Conv2d(1, channels, kernel_size=3, padding=1, bias=False),
                layer.BatchNorm2d(channels), sj.IFNode(v_reset=reset), layer.MaxPool2d(2, 2),
                layer.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
                layer.BatchNorm2d(channels), sj.IFNode(v_reset=reset), layer.MaxPool2d(2, 2),
                layer.Flatten(), layer.Linear(channels * 4, 16, bias=False),
                sj.IFNode(v_reset=reset),
                layer.Linear(16, 10, bias=False), sj.IFNode(v_reset=reset),
            )  # fmt: skip
            modules: list[Any] = list(self.modules())
            for module in modules:
                if hasattr(module, "step_mode"):
                    module.step_mode = "m"

        def forward(self, x: Tensor) -> Tensor:
            x_seq = x.unsqueeze(0).repeat(6, 1, 1, 1, 1)
            return self.conv_fc(x_seq).mean(0)  # type: ignore[no-any-return]

    return CSNN()


@pytest.mark.parametrize("v_reset", [0.0, None, -0.1])
def test_multi_step_network_of_spikingjelly(v_reset: float | None) -> None:
    neuron = load("spikingjelly.activation_based.neuron")
    layer = load("spikingjelly.activation_based.layer")
    reset = load("spikingjelly.activation_based.functional").reset_net
    torch.manual_seed(0)
    net = spikingjelly_csnn(neuron, layer, 8, v_reset)
    for module in net.modules():
        if isinstance(module, nn.Linear):
            module.weight.data = module.weight.data.abs() * 2
    network = imported(net, (1, 8, 8))
    events = np.broadcast_to(draw(1, 1, 8, 8), (6, SAMPLES, 1, 8, 8))
    reset(net)
    with torch.no_grad():
        rates = to_numpy(net(as_input(events[0])))
    spikes = simulate(network, events)[network.output]
    assert 0.02 < rates.mean() < 0.98
    changed = (np.abs(spikes.mean(axis=0) - rates) > 1e-6).any(axis=-1)
    assert changed.mean() <= 0.002


@pytest.mark.parametrize("v_reset", [0.0, None])
def test_sew_block_of_spikingjelly(v_reset: float | None) -> None:
    neuron = load("spikingjelly.activation_based.neuron")
    layer = load("spikingjelly.activation_based.layer")
    reset = load("spikingjelly.activation_based.functional").reset_net

    def block() -> Any:
        conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        return layer.SeqToANNContainer(conv, nn.BatchNorm2d(4))

    class Sew(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = layer.SeqToANNContainer(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4))
            self.sn = neuron.LIFNode(1.5, v_threshold=0.3, step_mode="m", v_reset=v_reset)
            self.conv1, self.conv2 = block(), block()
            self.sn1 = neuron.LIFNode(decay_input=False, v_threshold=0.4, step_mode="m")
            rest: Any = {"step_mode": "m", "v_reset": v_reset}
            self.sn2 = neuron.ParametricLIFNode(v_threshold=0.3, **rest)
            self.head = layer.SeqToANNContainer(nn.Flatten(), nn.Linear(4 * 36, 5))
            self.out = neuron.IFNode(v_threshold=0.2, step_mode="m")

        def forward(self, x: Tensor) -> Tensor:
            reset(self)
            x = self.sn(self.stem(x))
            x = self.sn2(self.conv2(self.sn1(self.conv1(x)))) + x
            return self.out(self.head(x))  # type: ignore[no-any-return]

    torch.manual_seed(2)
    net = Sew()
    network = imported(net, (2, 6, 6))
    events = draw(8, 2, 6, 6)
    with torch.no_grad():
        check_spikes(network, events, to_numpy(net(as_input(events))))


@pytest.mark.parametrize("spikes", ["default", "at most 3", "single soft", "single"])
@pytest.mark.parametrize("squeezed", [False, True])
def test_sequence_of_sinabs(squeezed: bool, spikes: str) -> None:
    layers = load("sinabs.layers")
    activation = load("sinabs.activation")
    options: Any = {
        "default": {},
        "at most 3": {"spike_fn": activation.MaxSpike(3)},
        "single soft": {"spike_fn": activation.SingleSpike},
        "single": {"spike_fn": activation.SingleSpike, "reset_fn": activation.MembraneReset()},
    }[spikes]
    torch.manual_seed(1)
    if squeezed:
        options["min_v_mem"] = -1.0  # as `from_torch.from_model` makes them
        make: Any = lambda: layers.IAFSqueeze(num_timesteps=8, **options)  # noqa: E731
    else:
        threshold = torch.tensor(0.1)
        make = lambda: layers.LIF(tau_mem=5.0, spike_threshold=threshold, **options)  # noqa: E731
    net = nn.Sequential(nn.Linear(16, 20, bias=False), make(), nn.Linear(20, 5), make())
    first: Any = net[0]
    first.weight.data *= 4
    network = imported(net, (16,))
    events = draw(8, 16)
    modules: list[Any] = list(net.modules())
    for module in modules:
        if hasattr(module, "reset_states"):
            module.reset_states()
    x = as_input(events).transpose(0, 1)
    with torch.no_grad():
        out = net(x.flatten(0, 1)).view(SAMPLES, 8, 5) if squeezed else net(x)
    check_spikes(network, events, to_numpy(out.transpose(0, 1)))
    if spikes in ("default", "at most 3"):
        hidden = simulate(network, events)[network.populations[0].name]
        assert hidden.max() > 1 and (spikes == "default" or hidden.max() == 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reset_fn": "MembraneReset", "value": 0.0}, "MultiSpike with reset_fn=MembraneReset res"),
        ({"reset_fn": "MembraneSubtract", "value": 0.5}, "subtract_value 0.5 is not the threshold"),
        (
            {"reset_fn": "MembraneReset", "value": -0.2, "single": True, "min_v_mem": -0.1},
            "min_v_mem is -0.1; use reset_value -0.2 or less",
        ),
        ({"min_v_mem": 0.5}, "min_v_mem is 0.5; use zero or less"),
    ],
)
def test_sinabs_neurons_that_no_population_holds_are_refused(values: Any, message: str) -> None:
    layers, activation = load("sinabs.layers"), load("sinabs.activation")
    options: Any = {"min_v_mem": values.get("min_v_mem")}
    if "reset_fn" in values:
        options["reset_fn"] = getattr(activation, values["reset_fn"])(values["value"])
    if values.get("single"):
        options["spike_fn"] = activation.SingleSpike
    net = nn.Sequential(nn.Linear(4, 3), layers.IAFSqueeze(batch_size=1, **options))
    with pytest.raises(NetworkError, match=message):
        imported(net, (4,))


def test_maximum_of_several_spikes_is_refused() -> None:
    layers = load("sinabs.layers")
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), layers.IAFSqueeze(batch_size=1), nn.MaxPool2d(2), nn.Flatten()
    )
    with pytest.raises(NetworkError, match="takes the maximum of graded values"):
        imported(net, (1, 8, 8))


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize("kind", ["LIFBoxCell", "LIFCell", "LIF", "LIFRefracCell"])
def test_sequential_state_of_norse(kind: str, rest: bool) -> None:
    norse = load("norse.torch")
    torch.manual_seed(1)
    scale = 20.0 if kind == "LIFBoxCell" else 8.0
    box: Any = norse.LIFBoxParameters if kind == "LIFBoxCell" else norse.LIFParameters
    values = {"v_leak": -0.5, "v_reset": -0.7, "v_th": 0.4} if rest else {}
    p = box(**{key: torch.tensor(value) for key, value in values.items()})
    if kind == "LIFRefracCell":
        p = norse.LIFRefracParameters(p, torch.tensor(2.0))
    layers = [nn.Linear(16, 20, bias=False), getattr(norse, kind)(p)]
    layers += [nn.Linear(20, 5, bias=False), getattr(norse, kind)(p)]
    for layer in (layers[0], layers[2]):
        layer.weight.data *= scale
    net = norse.SequentialState(*layers)
    network = imported(net, (16,))
    events = draw(12, 16)
    x = as_input(events)
    with torch.no_grad():
        if kind == "LIF":
            spikes = net(x)[0]
        else:
            outputs, state = [], None
            for step in x:
                out, state = net(step, state)
                outputs.append(out)
            spikes = torch.stack(outputs)
    check_spikes(network, events, to_numpy(spikes))
