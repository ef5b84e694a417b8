"""Import of SpikingJelly modules: the spikes of the original, or its parameter in an error.

Without the library, classes of the same names and attributes replace it.
"""

import importlib
import importlib.util
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from float_reference import simulate
from numpy.typing import NDArray
from torch import Tensor, nn

from pumice.convert.importers.spikingjelly import from_spikingjelly
from pumice.convert.quantize.quantize import quantize_network
from pumice.runtime.engines import reference
from pumice.runtime.errors import NetworkError

IMAGE = (2, 8, 8)
EVENTS = (np.random.default_rng(1).random((12, 3, *IMAGE)) < 0.4).astype(np.uint8)


class BaseNode(nn.Module):
    """The library's equations, one step at a time."""

    def __init__(self, v_threshold: float = 1.0, v_reset: float | None = 0.0, **others: Any):
        super().__init__()
        self.v_threshold, self.v_reset = v_threshold, v_reset
        self.v: Any = v_reset or 0.0
        self.__dict__.update(others)

    def charge(self, x: Tensor) -> Any:
        return self.v + x

    def forward(self, x: Tensor) -> Tensor:
        v = self.charge(x)
        spikes: Tensor = (v >= self.v_threshold).to(x)
        soft = v - self.v_threshold
        reset = soft if self.v_reset is None else torch.full_like(v, self.v_reset)
        self.v = torch.where(spikes > 0, reset, v)
        return spikes


class IFNode(BaseNode):
    pass


class LIFNode(BaseNode):
    tau: float

    def __init__(self, tau: float = 2.0, decay_input: bool = True, **others: Any) -> None:
        super().__init__(tau=tau, decay_input=decay_input, **others)

    def charge(self, x: Tensor) -> Any:
        leak = self.v - (self.v_reset or 0.0)
        if self.decay_input:
            return self.v + (x - leak) / self.tau
        return self.v - leak / self.tau + x


class ParametricLIFNode(LIFNode):
    def __init__(self, init_tau: float = 2.0, **others: Any) -> None:
        super().__init__(init_tau, **others)
        self.w = nn.Parameter(-torch.tensor(init_tau - 1.0).log())


class VotingLayer(nn.Module):
    def __init__(self, voting_size: int) -> None:
        super().__init__()
        self.voting_size = voting_size

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1, self.voting_size).mean(dim=2)


class QIFNode(BaseNode):
    pass


STAND_INS = SimpleNamespace(
    **{kind.__name__: kind for kind in (IFNode, LIFNode, ParametricLIFNode, VotingLayer, QIFNode)},
    **{kind: getattr(nn, kind) for kind in (
        "Conv2d", "Linear", "BatchNorm2d", "AvgPool2d", "MaxPool2d", "Flatten", "Dropout",
        "AdaptiveAvgPool2d",
    )},
)  # fmt: skip


@pytest.fixture(params=["stand-ins", "spikingjelly"])
def sj(request: pytest.FixtureRequest) -> Any:
    """Layers and neurons of the library, or stand-ins."""
    if request.param == "stand-ins":
        return STAND_INS
    if importlib.util.find_spec("spikingjelly") is None:
        pytest.skip("spikingjelly is not installed (make peers)")
    neuron, layer = (
        importlib.import_module(f"spikingjelly.activation_based.{part}")
        for part in ("neuron", "layer")
    )
    return SimpleNamespace(**{**vars(neuron), **vars(layer)})


def randomize_norms(module: nn.Module) -> nn.Module:
    """Randomize the randomize_norms of batch norm, and switch to evaluation."""
    torch.manual_seed(4)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.uniform_(-0.2, 0.2)
            norm.running_var.uniform_(0.1, 0.3)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, 0.1, 0.4)
    return module.double().eval()


def run_module(module: nn.Module, events: NDArray[np.uint8]) -> NDArray[np.float64]:
    with torch.no_grad():
        return np.stack([module(torch.from_numpy(e.astype(np.float64))).numpy() for e in events])


def make_module(sj: Any, *make_nodes: Any) -> nn.Sequential:
    torch.manual_seed(3)
    first, second, third = make_nodes
    last = sj.Linear(8, 6)
    nn.init.uniform_(last.weight, -1.0, 2.0)
    return nn.Sequential(
        sj.Conv2d(2, 8, 3, padding=1, bias=False),
        sj.BatchNorm2d(8),
        first,
        sj.AvgPool2d(2),
        sj.Conv2d(8, 8, 3, padding=1, groups=2),
        sj.BatchNorm2d(8),
        second,
        sj.MaxPool2d(2),
        sj.AdaptiveAvgPool2d(1),
        sj.Flatten(),
        sj.Dropout(0.5),
        last,
        third,
    )


def make_nodes(sj: Any, name: str) -> tuple[Any, ...]:
    makers = {
        "if": lambda: sj.IFNode(v_threshold=0.8),
        "lif": lambda: sj.LIFNode(tau=3.0, v_threshold=0.3),
        "undecayed": lambda: sj.LIFNode(tau=1.5, decay_input=False, v_threshold=0.7),
        "reset": lambda: sj.LIFNode(tau=1.5, v_threshold=0.3, v_reset=-0.2),
        "parametric": lambda: sj.ParametricLIFNode(init_tau=2.5, v_threshold=0.3),
        "soft if": lambda: sj.IFNode(v_threshold=0.8, v_reset=None),
        "soft lif": lambda: sj.LIFNode(tau=3.0, v_threshold=0.3, v_reset=None),
    }
    return makers[name](), makers[name](), makers[name]()


@pytest.mark.parametrize(
    "name", ["if", "lif", "undecayed", "reset", "parametric", "soft if", "soft lif"]
)
def test_imported_network_spikes_as_the_original(sj: Any, name: str) -> None:
    module = randomize_norms(make_module(sj, *make_nodes(sj, name)))
    network, diagnostics = from_spikingjelly(module, IMAGE)
    spikes = run_module(module, EVENTS)
    np.testing.assert_array_equal(simulate(network, EVENTS)[network.output], spikes)
    assert 0.02 < spikes.mean() < 0.98
    assert {each.support for each in diagnostics} == {"exact"}


@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize("parts", [2, 4, 8])
def test_sums_equal_to_the_threshold_fire_in_integers_too(
    sj: Any, parts: int, v_reset: float | None
) -> None:
    first, second = sj.IFNode(v_reset=v_reset), sj.IFNode(v_reset=v_reset)
    module = nn.Sequential(sj.Linear(16, 9, bias=False), first, sj.Linear(9, 4), second)
    rng = np.random.default_rng(0)
    layers: list[Any] = [module[0], module[2]]
    for layer in layers:
        layer.weight.data = torch.from_numpy(rng.integers(-2, 4, layer.weight.shape) / parts)
    layers[1].bias.data = torch.full_like(layers[1].bias, 1 / parts)
    events = EVENTS.reshape(12, 24, -1)[..., :16]
    float_network, _ = from_spikingjelly(module, (16,))
    network, _ = quantize_network(float_network)
    spikes = run_module(module.double(), events)
    np.testing.assert_array_equal(simulate(float_network, events)[network.output], spikes)
    np.testing.assert_array_equal(reference.run(network, events).spikes[network.output], spikes)


def test_layers_after_the_last_neurons_are_integrated(sj: Any) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(sj.Linear(16, 20), sj.IFNode(v_threshold=0.4), sj.VotingLayer(5))
    events = EVENTS.reshape(12, 24, -1)[..., :16]
    network, _ = from_spikingjelly(module, (16,))
    votes = run_module(module.double(), events).cumsum(axis=0)
    np.testing.assert_allclose(simulate(network, events)["output"], votes, atol=1e-5)


def test_quantized_network_runs(sj: Any) -> None:
    module = randomize_norms(make_module(sj, *make_nodes(sj, "undecayed")))
    network, _ = quantize_network(from_spikingjelly(module, IMAGE)[0])
    spikes = reference.run(network, EVENTS).spikes[network.output]
    assert np.mean(spikes == run_module(module, EVENTS)) > 0.9


def test_unsupported_layers_are_errors_that_name_the_parameter(sj: Any) -> None:
    linear = sj.Linear(4, 3)
    for layers, text in (
        ([linear, sj.QIFNode()], "qifnode1: QIFNode is not a supported layer"),
        ([linear, sj.IFNode(v_threshold=-1.0)], "v_threshold is not above v_reset"),
        ([sj.AvgPool2d(2, ceil_mode=True), linear], "ceil_mode is on; use ceil_mode=False"),
        ([sj.Conv2d(2, 3, 3, padding="same"), sj.IFNode()], "padding is 'same'"),
        ([sj.Conv2d(2, 3, 3, padding_mode="circular")], "padding_mode is 'circular'"),
        ([sj.BatchNorm2d(3, track_running_stats=False)], "track_running_stats is off"),
        ([nn.TransformerEncoderLayer(4, 2)], "has a forward method of its own"),
    ):
        with pytest.raises(NetworkError, match=text):
            from_spikingjelly(nn.Sequential(*layers), (4,))


def test_invalid_orders_are_errors_that_name_the_layer(sj: Any) -> None:
    for layers, text in (
        (
            [sj.Conv2d(2, 3, 3), sj.MaxPool2d(2), sj.IFNode()],
            "takes the maximum of the output of conv2d0",
        ),
        ([sj.Conv2d(2, 3, 3), sj.Linear(3, 2), sj.IFNode()], "linear1: follows conv2d0 with no"),
        ([sj.Flatten()], "has no neurons"),
        ([sj.Linear(5, 2), sj.IFNode()], r"linear0: takes 5 neurons, but gets \(2, 8, 8\), 128"),
        ([sj.AdaptiveAvgPool2d(3), sj.IFNode()], r"\(8, 8\) does not divide into 3 by 3 windows"),
        ([sj.VotingLayer(7)], "128 neurons do not divide into groups of 7"),
    ):
        with pytest.raises(NetworkError, match=text):
            from_spikingjelly(layers, IMAGE)
    shapes: tuple[tuple[Any, str], ...] = (
        (5, "input_shape is 5, needs"),
        ((2, 3), r"shape \(2, 3\) is not"),
    )
    for shape, text in shapes:
        with pytest.raises(NetworkError, match=text):
            from_spikingjelly([sj.Linear(5, 2), sj.IFNode()], shape)
    with pytest.raises(NetworkError, match="takes the maximum of graded values"):
        from_spikingjelly([sj.MaxPool2d(2), sj.IFNode()], IMAGE, value_bits=8)
