"""Own modules of `pumice.nn`: traced, trained, converted, and named errors."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pumice as pm
from pumice.runtime.errors import NetworkError
from pumice.train.models.modules import trace_network


class Residual(nn.Module):
    """A residual recurrent network with a sum that is read by the layer that follows."""

    def __init__(self, input_shape: Any, classes: int, width: int = 4):
        super().__init__()
        self.stem = pm.nn.Conv(input_shape[0], width, stride=2, learn=["threshold"])
        self.blocks = nn.ModuleList(
            [pm.nn.Conv(width, width, recurrent=True, shortcuts=1, delays=[0, 1]) for _ in range(2)]
        )
        self.pool = pm.nn.MaxPool(2)
        self.either = pm.nn.Or()
        self.hidden = pm.nn.Dense(width * 4, 12, pool=2, recurrent=True, dropout=0.1)
        self.readout = pm.nn.Readout(12, classes, voltage_decay=0.05)

    def forward(self, events: Any) -> Any:
        x = first = self.stem(events)
        for block in self.blocks:
            x = block(x, x)
        y = self.pool(self.either(x, first))
        return self.readout(self.hidden(y))


class Plain(nn.Module):
    def __init__(self, forward: Any, *layers: nn.Module):
        super().__init__()
        self.layers, self.rule = nn.ModuleList(layers), forward

    def forward(self, events: Any) -> Any:
        return self.rule(self.layers, events)


def data() -> Any:
    return pm.datasets.load("digits-events", timesteps=3)


class Sum(nn.Module):
    def __init__(self, input_shape: Any, classes: int):
        super().__init__()
        self.a: Any = pm.nn.Conv(input_shape[0], 4, stride=2)
        self.b = pm.nn.Conv(input_shape[0], 4, kernel=5, stride=2)
        self.c = pm.nn.Conv(4, 4, shortcuts=1)
        self.readout = pm.nn.Readout(4, classes, pool=0)

    def forward(self, events: Any) -> Any:
        a, b = self.a(events), self.b(events)
        return self.readout(self.c(a + b, a))


def test_a_traced_module_computes_what_its_forward_computes() -> None:
    torch.manual_seed(0)
    module = Sum((2, 16, 16), 3).eval()
    network = trace_network(module, (2, 16, 16)).eval()
    assert [layer.name for layer in network.layer_list] == ["a", "b", "c", "readout"]
    events = (torch.rand(5, 2, 2, 16, 16) < 0.3).float()
    logits = module(events).detach()
    assert torch.equal(network(events), logits) and float(logits.abs().sum()) > 0
    network.quantize()
    assert torch.equal(network(events), module(events))


def test_a_module_is_trained_in_place_converted_and_verified(tmp_path: Path) -> None:
    samples = data()
    torch.manual_seed(0)
    module = Sum(samples.input_shape, samples.classes)
    before = module.a.layer.linear.weight.detach().clone()
    pm.train(module, samples, epochs=2, out=tmp_path / "run", progress=False, qat_epochs=1)
    assert not torch.equal(before, module.a.layer.linear.weight)
    network = pm.convert(module)
    assert network.provenance["data"]["name"] == "digits-events"
    assert pm.convert(tmp_path / "run") == network  # of the files of the run alone
    assert pm.verify(network, samples.test[:3], engines="cpu").passed
    accuracy = pm.evaluate(module, samples.test, quantized=True)
    assert accuracy.tolist() == pm.evaluate(network, samples.test).tolist()


def test_a_residual_recurrent_module_is_bit_exact_in_every_engine() -> None:
    samples = data()
    torch.manual_seed(0)
    module = Residual(samples.input_shape, samples.classes)
    pm.train(module, samples, epochs=1, progress=False, qat_epochs=1)
    network = pm.convert(module)
    assert {p.delay for p in network.projections} == {0, 1}
    assert pm.verify(network, samples.test[:4], engines="cpu,onnx").passed
    accuracy = pm.evaluate(module, samples.test, quantized=True)
    assert accuracy.tolist() == pm.evaluate(network, samples.test).tolist()


def test_an_untrained_module_needs_its_input_shape() -> None:
    module = Sum((2, 16, 16), 3)
    with pytest.raises(NetworkError, match="Sum: was not trained here; give input_shape"):
        pm.convert(module)
    assert pm.convert(module, input_shape=(2, 16, 16)).population("readout").neurons == 3


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            Plain(lambda ls, x: ls[0](ls[0](x)), pm.nn.Conv(2, 2)),
            "layers.0: is called twice",
        ),
        (
            Plain(lambda ls, x: ls[0](x), pm.nn.Conv(2, 2)),
            "does not end with the output of a pumice.nn.Readout",
        ),
        (
            Plain(lambda ls, x: ls[0](x * 2), pm.nn.Conv(2, 2)),
            "forward may call layers of pumice.nn and add their outputs, nothing else",
        ),
        (
            Plain(lambda ls, x: ls[1](ls[0](x)), pm.nn.Conv(2, 2), pm.nn.Readout(7, 3)),
            "layers.1: was created for 7 inputs, but gets 512",
        ),
        (
            Plain(lambda ls, x: ls[0](x, x), pm.nn.Conv(2, 2)),
            "layers.0: takes 1 inputs",
        ),
        (
            Plain(lambda ls, x: pm.nn.Conv(2, 2)(ls[0](x)), pm.nn.Conv(2, 2)),
            "Conv: is no submodule; assign it to self",
        ),
        (
            Plain(lambda ls, x: ls[1](x + ls[0](x)), pm.nn.Conv(2, 3), pm.nn.Conv(3, 2)),
            "adds outputs of shape",
        ),
        (
            Plain(lambda ls, x: ls[0](x + x), pm.nn.Conv(2, 2)),
            "adds the output of input twice",
        ),
        (
            Plain(lambda ls, x: ls[1](x, ls[0](x) + x), pm.nn.Conv(2, 2), pm.nn.Or()),
            "reads the spikes of 2 layers, but gets those of 3",
        ),
    ],
)
def test_a_module_that_cannot_be_traced_is_an_error(module: nn.Module, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        trace_network(module, (2, 16, 16))


def test_unknown_options_of_a_layer_are_an_error() -> None:
    with pytest.raises(pm.PumiceError, match="pumice.nn: kernels: unknown key; .*'kernel'"):
        pm.nn.Conv(2, 4, kernels=3)
