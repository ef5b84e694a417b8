"""Compare with NeuroBench on the same network, in the environment of `make peers`."""

from typing import Any

import numpy as np
import pytest

from pumice.runtime import Conv, Dense, Network, Population, Projection
from pumice.runtime.engines.reference import run
from pumice.runtime.neurobench import neurobench_metrics

pytest.importorskip("neurobench", reason="NeuroBench is not installed here: make peers")
pytestmark = pytest.mark.filterwarnings("ignore")  # its warnings are not ours

import torch  # noqa: E402
from neurobench.benchmarks import Benchmark  # type: ignore[import-not-found]  # noqa: E402
from neurobench.metrics.static import ConnectionSparsity, ParameterCount  # type: ignore[import-not-found]  # noqa: E402
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations  # type: ignore[import-not-found]  # noqa: E402
from neurobench.models import TorchModel  # type: ignore[import-not-found]  # noqa: E402

random = np.random.default_rng(7)
KERNELS = 2 * random.integers(-3, 5, (3, 2, 3, 3))
WEIGHTS = 2 * random.integers(-3, 5, (5, 3 * 3 * 3))
SHAPE = (6, 4, 2, 6, 6)  # timesteps, samples, channels, height, width


def network(bits: int) -> Network:
    """A convolution with padding and stride and a dense layer, of neurons that only add."""
    return Network(
        (
            Population("in", (2, 6, 6), "input", value_bits=bits),
            Population("conv", (3, 3, 3), threshold=12),
            Population("out", (5,), threshold=20),
        ),
        (
            Projection("c", "in", "conv", Conv(KERNELS, (2, 2), (1, 1))),
            Projection("d", "conv", "out", Dense(WEIGHTS)),
        ),
    )


class Adding(torch.nn.Module):
    """A neuron that adds up its inputs, fires above its threshold, and is reset."""

    def __init__(self, threshold: int) -> None:
        super().__init__()
        self.threshold = threshold
        self.voltage: Any = 0

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """One step."""
        self.voltage = self.voltage + given
        fired: torch.Tensor = (self.voltage > self.threshold).float()
        self.voltage = self.voltage * (1 - fired)
        return fired


class Peer(torch.nn.Module):
    """The same network in torch; NeuroBench gives it (samples, timesteps, ...)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3, 2, 1, bias=False)
        self.first = Adding(12)
        self.dense = torch.nn.Linear(27, 5, bias=False)
        self.second = Adding(20)
        with torch.no_grad():
            self.conv.weight.copy_(torch.from_numpy(KERNELS))
            self.dense.weight.copy_(torch.from_numpy(WEIGHTS))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """All steps of a batch, each from a silent state."""
        self.first.voltage = self.second.voltage = 0
        steps = []
        for step in range(given.shape[1]):
            hidden = self.first(self.conv(given[:, step])).flatten(1)
            steps.append(self.second(self.dense(hidden)))
        return torch.stack(steps, dim=1)


def neurobench_results(events: np.ndarray[Any, Any]) -> dict[str, Any]:
    """NeuroBench's figures of the peer on `events`, a mean a sample."""
    model = TorchModel(Peer())
    model.add_activation_module(Adding)
    given = torch.from_numpy(events.swapaxes(0, 1).astype(np.float32))
    pairs = torch.utils.data.TensorDataset(given, torch.zeros(len(given)))
    loader = torch.utils.data.DataLoader(pairs, batch_size=len(given))
    metrics = [ConnectionSparsity, ParameterCount], [ActivationSparsity, SynapticOperations]
    bench = Benchmark(model, loader, [], [], [list(each) for each in metrics])
    actual: dict[str, Any] = bench.run(verbose=False)
    return actual


@pytest.mark.parametrize(("bits", "rate"), [(1, 0.3), (4, 0.2)])
def test_the_counts_are_neurobenchs_own(bits: int, rate: float) -> None:
    """`Footprint` is left out: it counts the bytes of each one's own format."""
    values = random.integers(1, 1 << bits, SHAPE)
    events = (values * (random.random(SHAPE) < rate)).astype(np.uint8)
    if bits > 1:
        events[0, 0, 0, 0, 0] = 3  # NeuroBench takes what is not 0 or 1 for graded
    built = network(bits)
    trace = run(built, events)
    ours, theirs = neurobench_metrics(built, trace), neurobench_results(events)
    assert ours["ParameterCount"] == theirs["ParameterCount"] == KERNELS.size + WEIGHTS.size
    assert round(ours["ConnectionSparsity"], 4) == theirs["ConnectionSparsity"]  # it rounds
    assert ours["ActivationSparsity"] == pytest.approx(theirs["ActivationSparsity"], abs=1e-6)
    assert 0.01 < 1 - ours["ActivationSparsity"] < 0.99
    for key in ("Effective_MACs", "Effective_ACs", "Dense"):
        expected = theirs["SynapticOperations"][key]
        assert ours["SynapticOperations"][key] == pytest.approx(expected), key
