"""Networks of lists of layers: shapes, delays, dropout, plain nets on features, bit-exactness."""

from typing import Any

import numpy as np
import pytest
import torch
from traces import assert_same
from trained import randomize, run_layers, to_integers, to_uint8

from pumice.runtime.engines import cpu, reference
from pumice.runtime.errors import NetworkError
from pumice.train.models import LayerNet
from pumice.train.models.layer_shapes import layer_shapes
from pumice.train.nn.projections import delay_steps

CONV1D: list[dict[str, Any]] = [
    {"kind": "conv1d", "channels": 6, "kernel": 5, "stride": 2, "delays": [0, 1, 3]},
    {"kind": "conv1d", "channels": 6, "shortcuts": ["conv1d1"], "recurrent": True},
    {"kind": "dense", "neurons": 10, "delays": [0, 2], "norm": False},
]
DENSE: list[dict[str, Any]] = [
    {"kind": "dense", "name": "a", "neurons": 12, "recurrent": True},
    {"kind": "dense", "name": "b", "neurons": 12, "shortcuts": ["a"], "delays": [1]},
    {"kind": "dense", "neurons": 8, "sources": ["a", "b"]},
]
LOGIC: list[dict[str, Any]] = [
    {"kind": "conv", "name": "a", "channels": 4},
    {"kind": "conv", "name": "b", "channels": 4, "kernel": [5, 1]},
    {"kind": "or", "name": "either", "sources": ["a", "b"]},
    {"kind": "iand", "sources": ["a", "either"]},
    {"kind": "max_pool", "kernel": [3, 2], "stride": [2, 2], "padding": [1, 0]},
    {"kind": "readout", "pool": 0},
]
CASES: dict[str, tuple[list[dict[str, Any]], tuple[int, ...]]] = {
    "conv1d on rows": (CONV1D, (3, 1, 16)),
    "conv1d on columns": (CONV1D, (3, 16, 1)),
    "dense on features": (DENSE, (9,)),
    "logic": (LOGIC, (2, 8, 8)),
}


def make(layers: list[dict[str, Any]], shape: tuple[int, ...]) -> LayerNet:
    torch.manual_seed(0)
    network = LayerNet(shape, 3, layers)
    randomize(network)
    return network


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("value_bits", [1, 4, 8])
def test_integers_are_those_of_the_engines(case: str, value_bits: int) -> None:
    layers, shape = CASES[case]
    network = make(layers, shape)
    network.value_bits = value_bits
    random = np.random.default_rng(1)
    events = torch.from_numpy(
        (random.random((6, 3, *shape)) < 0.4) * random.integers(1, 1 << value_bits, (6, 3, *shape))
    ).float()
    for _ in range(40 if value_bits == 8 else 0):
        network.train()(events)  # batch norm makes weights small
    network.eval()
    outputs = run_layers(network, events)
    integers = to_integers(network)
    assert integers.inputs[0].value_bits == value_bits
    of_input = [p.weight_exponent for p in integers.projections if p.source == "input"]
    assert min(of_input) < 0 if value_bits == 8 else min(of_input) >= 0
    trace = reference.run(integers, to_uint8(events))
    for name, spikes in outputs.items():
        if name != "output":
            assert np.array_equal(spikes, trace.spikes[name]), name
    assert_same(trace, cpu.run(integers, to_uint8(events)))


@pytest.mark.parametrize("case", CASES)
def test_shapes_without_torch_are_those_of_the_network(case: str) -> None:
    layers, shape = CASES[case]
    network = LayerNet(shape, 3, layers)
    assert network.options is not None
    expected: Any = layer_shapes(network.options, shape, 3)  # type: ignore[arg-type]
    assert list(expected.values()) == [shape, *network.layer_shapes()]


def test_delays_by_hand() -> None:
    """Weights 1, 10 and 100 for delays 0, 1 and 3: the read-out adds up what arrives."""
    network = LayerNet((1,), 1, [{"kind": "readout", "delays": [0, 1, 3]}])
    with torch.no_grad():
        network.readout_layer.linear.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
        network.readout_layer.linear.bias.zero_()  # type: ignore[union-attr]
    events = torch.tensor([1.0, 0, 1, 0, 0]).view(5, 1, 1)
    assert network(events).flatten().tolist() == [1, 10, 1, 110, 0]
    assert delay_steps(events, 9).sum() == 0 and delay_steps(events, 9).shape == events.shape


def test_a_leaky_readout_loses_the_fraction_of_its_voltage() -> None:
    network = LayerNet((1,), 1, [{"kind": "readout", "voltage_decay": 0.25}])
    with torch.no_grad():
        network.readout_layer.linear.weight.fill_(1.0)
        network.readout_layer.linear.bias.zero_()  # type: ignore[union-attr]
    voltages = network(torch.tensor([1.0, 0, 0]).view(3, 1, 1)).cumsum(dim=0)
    assert voltages.flatten().tolist() == [1, 0.75, 0.5625]
    assert to_integers(network).population("output").voltage_decay == 1024


def test_dropout_silences_neurons_for_all_steps_in_training_in_floats_alone() -> None:
    layers = [{"kind": "dense", "neurons": 400, "dropout": 0.25, "norm": False, "threshold": 0.01}]
    torch.manual_seed(1)
    network = LayerNet((5,), 2, layers)
    layer = network.layer_list[0]
    values = torch.ones(4, 2, 5)
    plain = network.eval().features(values)
    dropped = network.train().features(values)
    silent = (dropped.sum(dim=0) == 0) & (plain.sum(dim=0) > 0)
    fraction = float(silent.sum() / (plain.sum(dim=0) > 0).sum())
    assert 0.15 < fraction < 0.35
    kept = ~silent.expand_as(plain)
    assert torch.allclose(dropped[kept], plain[kept] / 0.75)
    layer.quantized = True
    assert set(network.features(values).flatten().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (CONV1D, (3, 4, 16), r"conv1d1: takes \(channels, 1, width\)"),
        (LOGIC, (8,), "a: takes .channels, height, width., but gets"),
        ([{"kind": "dense", "neurons": 4, "pool": 2}], (8,), "pools images, but gets"),
        (
            [{"kind": "conv", "channels": 2}, {"kind": "dense", "neurons": 4,
              "sources": ["conv1", "input"]}],
            (1, 4, 4),
            "adds conv1 .* and input .*, which differ",
        ),
    ],
)  # fmt: skip
def test_layers_that_do_not_fit_are_an_error(
    layers: list[dict[str, Any]], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        LayerNet(shape, 3, layers)
