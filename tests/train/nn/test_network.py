"""Networks of no registered architecture (skips, groups, dilation), and gradients of all."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from traces import assert_same
from trained import (
    CLASSES,
    TABLES,
    make_network,
    random_spikes,
    randomize,
    run_layers,
    to_integers,
    to_uint8,
)

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.convert.passes.sparsify import sparsify
from pumice.deploy.lava import run as run_lava
from pumice.runtime import Network, Sparse, Trace
from pumice.runtime.engines import cpu, reference
from pumice.train.models import NeuronOptions
from pumice.train.models.builder import Conv, NetworkBuilder
from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.network import SpikingNetwork
from pumice.train.nn.projections import InputSpec, Projection

SHAPE = (2, 8, 9)
LEAKY = NeuronOptions(current_decay=0.4, voltage_decay=0.2, threshold=0.8)


def make_skip_network() -> SpikingNetwork:
    """A skip over three layers with weights of its own, a sum over four, groups and dilation."""
    torch.manual_seed(5)
    builder = NetworkBuilder(LEAKY, SHAPE)
    a = builder.add_conv("a", ("input",), Conv(6))
    b = builder.add_conv("b", a, Conv(6))
    c = builder.add_conv("c", b, Conv(6))
    dilated = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=3, bias=True)
    shortcut = [Projection(InputSpec(a), dilated, nn.BatchNorm2d(6))]
    d = builder.add_conv("d", c, Conv(6), shortcut)
    e = builder.add_dense("e", a + c + d, 12)
    return randomize(builder.build(e, CLASSES))


@pytest.mark.parametrize(
    "engine", [reference.run, cpu.run, run_onnx, pytest.param(run_lava, marks=pytest.mark.lava)]
)
def test_skip_connections_spike_in_every_engine_as_in_torch(
    engine: Callable[[Network, np.ndarray], Trace],
) -> None:
    model, events = make_skip_network(), random_spikes(SHAPE)
    trace = engine(to_integers(model), to_uint8(events))
    for name, spikes in run_layers(model, events).items():
        if name != "output":
            assert 0 < spikes.mean() < 1, name
            assert np.array_equal(spikes, trace.spikes[name]), name
    assert_same(trace, reference.run(to_integers(model), to_uint8(events)))


def test_summed_sources_are_converted_to_projections_of_equal_weights() -> None:
    network = to_integers(make_skip_network())
    incoming = network.incoming("e")
    assert [p.source for p in incoming] == ["a", "c", "d"]
    assert incoming[0].connection == incoming[1].connection == incoming[2].connection
    assert [p.source for p in network.incoming("d")] == ["c", "a"]


def test_a_transposed_convolution_is_converted_to_its_synapses() -> None:
    torch.manual_seed(6)
    builder = NetworkBuilder(LEAKY, SHAPE)
    a = builder.add_conv("a", ("input",), Conv(6, stride=2))
    b = builder.add_conv("b", ("input",), Conv(3))
    transposed = nn.ConvTranspose2d(6, 3, (4, 3), (2, 2), (1, 1), bias=False)
    layer = builder.layers[-1]
    assert isinstance(layer, SpikingLayer)
    layer.projections.append(Projection(InputSpec(a), transposed, nn.BatchNorm2d(3)))
    model, events = randomize(builder.build(b, CLASSES)), random_spikes(SHAPE)
    network = sparsify(to_integers(model))
    connection = network.incoming("b")[1].connection
    assert isinstance(connection, Sparse) and len(connection.weights) < 6 * 4 * 5 * 3 * 4 * 3
    trace = cpu.run(network, to_uint8(events))
    assert np.array_equal(run_layers(model, events)["b"], trace.spikes["b"])
    assert_same(trace, reference.run(network, to_uint8(events)))


@pytest.mark.parametrize("name", ["sew add", "sew iand", "sew max", "resnet19", "vgg9 max"])
def test_quantization_aware_gradients_reach_every_weight(name: str) -> None:
    model = make_network(TABLES[name]).quantize()
    model(random_spikes(model.input_shape)).square().sum().backward()
    for parameter, values in model.named_parameters():
        assert values.grad is not None and bool(values.grad.abs().sum() > 0), parameter


@pytest.mark.parametrize("connect", ["add", "iand", "or"])
def test_quantization_aware_training_lowers_the_loss(connect: str) -> None:
    table = {"name": "sew_resnet18", "width": 8, "stages": 2, "connect": connect}
    model = make_network(table, SHAPE).quantize()
    labels = torch.arange(12) % CLASSES
    events = random_spikes(SHAPE, 4, 12)
    events[..., 5:] *= (labels % 2).view(-1, 1, 1, 1)
    events[..., :4, :] *= (labels // 2).view(-1, 1, 1, 1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss = functional.cross_entropy(model(events).mean(dim=0), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.85 * losses[0]
