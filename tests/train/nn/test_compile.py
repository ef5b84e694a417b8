"""The step without graph breaks."""

from typing import Any

import pytest
import torch

from pumice.train.losses.cross_entropy import cross_entropy
from pumice.train.models import ConvOptions, build_model
from pumice.train.models.options import SEWResNetOptions, VGGOptions

SHAPE = (2, 16, 16)
NETWORKS: list[Any] = [
    ConvOptions(channels=(6,), hidden=(20,)),
    VGGOptions(name="vgg9", width=4, hidden=8),
    SEWResNetOptions(name="sew_resnet18", width=4, stages=2),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("quantized", "bits"), [(False, 1), (True, 1), (True, 8)])
@pytest.mark.parametrize("options", NETWORKS, ids=lambda options: options.name)
def test_the_step_is_one_graph(options: Any, quantized: bool, bits: int, backend: str) -> None:
    torch.manual_seed(0)
    network = build_model(options, SHAPE, 5, bits)
    events = (torch.rand(3, 4, *SHAPE) < 0.4).float() * (2**bits - 1)
    labels = torch.tensor([0, 1, 2, 3])
    for _ in range(40 if bits > 1 else 1):
        network(events)  # statistics of batch norm, and the largest voltage
    network.quantize(quantized)
    logits = network(events)
    gradients = torch.autograd.grad(cross_entropy(logits, labels), list(network.parameters()))
    torch._dynamo.reset()
    step = torch.compile(network.forward, fullgraph=True, backend=backend)
    found = step(events)
    if quantized:
        assert torch.equal(found, logits)
    torch.testing.assert_close(found, logits)
    compiled = torch.autograd.grad(cross_entropy(found, labels), list(network.parameters()))
    for one, other in zip(compiled, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
