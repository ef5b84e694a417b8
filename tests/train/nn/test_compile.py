"""The step without graph breaks."""

import pytest
import torch

from pumice.train.losses.cross_entropy import cross_entropy
from pumice.train.models.conv import ConvNet


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_the_float_step_is_one_graph(backend: str) -> None:
    torch.manual_seed(0)
    network = ConvNet((2, 9, 7), 5, (6,), (20,), 3, 1)
    events = (torch.rand(3, 4, 2, 9, 7) < 0.4).float()
    labels = torch.tensor([0, 1, 2, 3])
    expected = cross_entropy(network(events), labels)
    gradients = torch.autograd.grad(expected, list(network.parameters()))
    torch._dynamo.reset()
    step = torch.compile(
        lambda x: cross_entropy(network(x), labels), fullgraph=True, backend=backend
    )
    found = step(events)
    torch.testing.assert_close(found, expected)
    compiled = torch.autograd.grad(found, list(network.parameters()))
    for one, other in zip(compiled, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
