"""Import of modules with a forward method of their own: equal to the module, or refused by place.

Neurons are stand-ins with the equations of their libraries; `test_libraries.py` has the libraries.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from float_reference import simulate
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pumice.convert.importers.custom_forward import (
    import_module,
    record_runs,
    trace_module,
)
from pumice.convert.importers.import_check import check_import
from pumice.convert.importers.open import NEURON_PARSERS, ImportOptions, import_model, inspect_model
from pumice.convert.importers.traced_network import import_traced
from pumice.convert.quantize.float_network import FloatNetwork
from pumice.runtime.errors import NetworkError

IMAGE = (2, 8, 8)
RNG = np.random.default_rng(5)


class Leaky(nn.Module):
    """snnTorch's Leaky with reset to zero: hands on its membrane, or keeps it."""

    inhibition = state_quant = False
    reset_mechanism, graded_spikes_factor = "zero", 1.0

    def __init__(self, beta: float = 0.9, threshold: float = 0.3, hidden: bool = False) -> None:
        super().__init__()
        self.beta, self.threshold, self.hidden = torch.tensor(beta), threshold, hidden
        self.mem = torch.zeros(0)

    def init_leaky(self) -> Tensor:
        self.mem = torch.zeros(0)
        return self.mem

    def forward(self, x: Tensor, mem: Tensor | None = None) -> Any:
        mem = self.mem if mem is None else mem
        mem = torch.zeros_like(x) if mem.shape != x.shape else mem
        mem = self.beta * torch.where(mem > self.threshold, 0.0, mem) + x
        self.mem = mem
        spikes = (mem > self.threshold).to(x)
        return spikes if self.hidden else (spikes, mem)


class MemoryModule(nn.Module):
    pass


class IFNode(MemoryModule):
    """SpikingJelly's IFNode in multi-step mode."""

    step_mode, v_reset = "m", 0.0

    def __init__(self, v_threshold: float = 0.4) -> None:
        super().__init__()
        self.v_threshold = v_threshold

    def forward(self, x_seq: Tensor) -> Tensor:
        v, spikes = torch.zeros_like(x_seq[0]), []
        for x in x_seq:
            v = v + x
            spikes.append((v >= self.v_threshold).to(x))
            v = v * (1 - spikes[-1])
        return torch.stack(spikes)


class SoftNode(IFNode):
    v_reset: Any = None


class LoopOverTime(nn.Module):
    """A static input, presented at every timestep, as in snnTorch's tutorials."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(20, 30), nn.Linear(30, 5)
        self.lif1, self.lif2 = Leaky(), Leaky()

    def forward(self, x: Tensor) -> Any:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, voltages = [], []
        for _ in range(10):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            voltages.append(mem2)
        return torch.stack(spikes), torch.stack(voltages)


class Sequence(nn.Module):
    """A sequence with the time first: convolution, pooling, concatenation and residual."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.norm, self.fc = nn.BatchNorm2d(4), nn.Linear(64 + 256, 5)
        self.lif1, self.lif2, self.lif3 = Leaky(), Leaky(0.7), Leaky()

    def forward(self, x: Tensor) -> Any:
        mem1, mem2, mem3 = (lif.init_leaky() for lif in (self.lif1, self.lif2, self.lif3))
        out = torch.zeros(len(x), x.shape[1], 5)
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.norm(self.conv1(x[step])), mem1)
            joined = torch.cat([spk1, x[step]], dim=1)
            spk2, mem2 = self.lif2(self.conv2(joined) * 0.5 + spk1, mem2)
            pooled = functional.max_pool2d(spk2, 2)
            flat = torch.cat([pooled.flatten(1), spk1.reshape(spk1.size(0), -1)], dim=-1)
            out[step], mem3 = self.lif3(self.fc(flat), mem3)
        return out


class Recurrent(nn.Module):
    """A recurrent connection written by hand, and a linear read-out averaged over time."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.loop, self.out = nn.Linear(20, 30), nn.Linear(30, 30), nn.Linear(30, 5)
        self.lif = Leaky()

    def forward(self, x: Tensor) -> Any:
        spikes, mem, outputs = torch.zeros(x.shape[1], 30), self.lif.init_leaky(), []
        for values in x:
            spikes, mem = self.lif(self.fc(values) + self.loop(spikes), mem)
            outputs.append(self.out(spikes))
        return torch.stack(outputs).mean(0)


class Residual(nn.Module):
    """A SEW block in multi-step mode, its convolutions on time and batch merged."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.sn1, self.sn2, self.sn3 = IFNode(), IFNode(), IFNode()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(2, 5)

    def merged(self, layer: nn.Module, x: Tensor) -> Any:
        y = layer(x.flatten(0, 1))
        return y.view(x.shape[0], x.shape[1], *y.shape[1:])

    def forward(self, x: Tensor) -> Any:
        x = self.sn1(self.merged(self.conv1, x))
        x = self.sn2(self.merged(self.conv2, x)) + x
        x = self.merged(self.pool, x).flatten(2)
        return self.sn3(self.fc(x))


class Steps(nn.Module):
    """One timestep per call, states kept inside; a stateless layer is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.again = nn.Linear(20, 20), nn.Linear(20, 5)
        self.lif1, self.lif2, self.lif3 = (Leaky(hidden=True) for _ in range(3))

    def forward(self, x: Tensor) -> Any:
        return self.lif3(self.again(self.lif2(self.fc(self.lif1(self.fc(x))))))


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "loop": (LoopOverTime, (20,), "static"),
    "sequence": (Sequence, IMAGE, "sequence"),
    "recurrent": (Recurrent, (20,), "sequence"),
    "residual": (Residual, IMAGE, "sequence"),
    "steps": (Steps, (20,), "steps"),
}


def make(name: str) -> tuple[Any, tuple[int, ...]]:
    torch.manual_seed(1)
    build, shape, _ = MODULES[name]
    module = build().eval()
    norms: list[Any] = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.running_var, 0.2, 0.5)
        nn.init.normal_(norm.running_mean, 0.0, 0.1)
    return module, shape


def run_module(name: str, module: nn.Module, events: NDArray[np.uint8]) -> NDArray[np.float64]:
    x = torch.from_numpy(events.astype(np.float32))
    with torch.no_grad():
        if MODULES[name][2] == "static":
            result: Tensor = module(x[0])[0].double()
            return np.array(result.numpy())
        if MODULES[name][2] == "steps":
            return np.stack([module(step).double().numpy() for step in x])
        return np.array(module(x).double().numpy())


@pytest.mark.parametrize("name", MODULES)
def test_imported_network_computes_as_the_module(name: str) -> None:
    module, shape = make(name)
    network = import_model(module, ImportOptions(input_shape=shape))
    assert isinstance(network, FloatNetwork)
    assert network.provenance["layout"] == MODULES[name][2]
    events = RNG.integers(0, 2, (10, 200, *shape)).astype(np.uint8)
    if name == "loop":
        events = np.broadcast_to(events[:1], events.shape).copy()
    expected = run_module(name, module, events)
    outputs = simulate(network, events)[network.output]
    if name == "recurrent":
        changed = np.abs(outputs[-1] / len(events) - expected).max(axis=-1) > 1e-5
    else:
        assert 0.02 < expected.mean() < 0.98
        changed = outputs != expected
    assert changed.mean() < 1e-3  # where float32 decides at a threshold


def test_layers_are_named_by_their_paths_in_the_module() -> None:
    module, shape = make("sequence")
    imported = inspect_model(module, ImportOptions(input_shape=shape))
    kinds = {each.node: each.kind for each in imported.diagnostics}
    assert kinds == {
        "conv1": "Conv2d", "norm": "BatchNorm2d", "lif1": "Leaky", "conv2": "Conv2d",
        "lif2": "Leaky", "maxpool2d": "MaxPool2d", "fc": "Linear", "lif3": "Leaky",
    }  # fmt: skip


def test_parametrized_weights_are_those_of_the_forward() -> None:
    module, shape = make("steps")
    nn.utils.parametrizations.weight_norm(module.fc)
    network = import_model(module, ImportOptions(input_shape=shape))
    assert isinstance(network, FloatNetwork)
    expected = module.fc.weight.detach().numpy()
    np.testing.assert_allclose(network.projections[0].weights, expected, rtol=1e-6)
    assert isinstance(
        import_model(module.bfloat16(), ImportOptions(input_shape=shape)), FloatNetwork
    )


class Branch(Steps):
    def forward(self, x: Tensor) -> Any:
        if x.sum() > 10:
            x = x * 2
        return super().forward(x)


class Item(Steps):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x * x.max().item())


class Product(Steps):
    def forward(self, x: Tensor) -> Any:
        return self.lif2(self.fc(x) * self.fc(x))


class ReluFirst(Steps):
    def forward(self, x: Tensor) -> Any:
        return self.lif2(functional.relu(self.fc(x)))


class MaxOfCurrents(Sequence):
    def forward(self, x: Tensor) -> Any:
        spikes, _ = self.lif1(functional.max_pool2d(self.conv1(x), 2))
        return spikes


class ForeignState(LoopOverTime):
    def forward(self, x: Tensor) -> Any:
        mem = self.lif1.init_leaky()
        for _ in range(4):
            spikes, mem = self.lif1(self.fc1(x), mem * 0.5)
        return spikes


class NewState(LoopOverTime):
    def forward(self, x: Tensor) -> Any:
        for _ in range(4):
            spikes, _ = self.lif1(self.fc1(x), torch.zeros(len(x), 30))
        return spikes


class Changing(LoopOverTime):
    def forward(self, x: Tensor) -> Any:
        mem = self.lif1.init_leaky()
        for step in range(4):
            spikes, mem = self.lif1(self.fc1(x) * (step + 1), mem)
        return spikes


class PartOfLayer(Steps):
    def forward(self, x: Tensor) -> Any:
        return self.lif1(self.fc(x))[:, :3]


class QIFNode(MemoryModule):
    forward = IFNode.forward


class UnknownNeurons(Residual):
    def __init__(self) -> None:
        super().__init__()
        self.sn2 = QIFNode()  # type: ignore[assignment]


UNSUPPORTED: dict[str, tuple[type[nn.Module], str]] = {
    "branch": (Branch, r"reads values that depend on the input \(bool\) \(.*forward.py:\d+\)"),
    "item": (Item, r"reads values that depend on the input \(item\) \(.*forward.py:\d+\)"),
    "product": (Product, r"of two values that depend on the input \(.*forward.py:\d+\)"),
    "relu": (ReluFirst, r"relu is no linear operation, .* \(.*forward.py:\d+\)"),
    "maximum": (MaxOfCurrents, r"takes the maximum of values that are no spikes \(.*py:\d+\)"),
    "foreign state": (ForeignState, "lif1: gets a state that is not its own of the timestep bef"),
    "new state": (NewState, "lif1: gets new states at timestep 1; hand on its own states"),
    "changing": (Changing, "lif1: gets another input at timestep 0 than at timestep 3"),
    "part": (PartOfLayer, "returns a part of a layer; return all of the last layer"),
    "unknown": (UnknownNeurons, "sn2: QIFNode is not a supported layer"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_no_network_holds_is_refused_with_its_place(name: str) -> None:
    build, text = UNSUPPORTED[name]
    shape = IMAGE if issubclass(build, Sequence | Residual) else (20,)
    with pytest.raises(NetworkError, match=text) as caught:
        import_model(build(), ImportOptions(input_shape=shape))
    assert "\n" not in str(caught.value)


def test_hooks_are_refused_with_their_place() -> None:
    module, shape = make("steps")
    module.fc.register_forward_hook(lambda layer, inputs, output: output * 2)
    with pytest.raises(NetworkError, match=r"fc: has a forward hook \(.*forward.py:\d+\)"):
        import_model(module, ImportOptions(input_shape=shape))


def test_errors_of_the_module_are_errors_of_one_line() -> None:
    module, _ = make("steps")
    with pytest.raises(NetworkError, match=r"does not run on a drawn input .*forward.py:\d+\)"):
        import_model(module, ImportOptions(input_shape=(7,)))


class Patched(Leaky):
    """Fires below its threshold, whatever its attributes say."""

    def forward(self, x: Tensor, mem: Tensor | None = None) -> Any:
        return super().forward(x * 1.5, mem)


class Subtracting(Leaky):
    def forward(self, x: Tensor, mem: Tensor | None = None) -> Any:
        before = self.mem if self.mem.shape == x.shape else torch.zeros_like(x)
        self.mem = self.beta * before + x - self.threshold * (before > self.threshold)
        return (self.mem > self.threshold).to(x)


@pytest.mark.parametrize("kind", [Patched, Subtracting])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_neurons_that_do_not_as_their_attributes_say_are_refused(kind: Any, scale: float) -> None:
    kind.__name__ = "Leaky"
    layer = nn.Linear(20, 5)
    layer.weight.data *= scale  # so small that they never fire in the network
    with pytest.raises(NetworkError, match="leaky1: does something else than its attributes say"):
        import_model(nn.Sequential(layer, kind(hidden=True)), ImportOptions(input_shape=(20,)))


def drop_layer(network: FloatNetwork) -> FloatNetwork:
    return replace(network, projections=network.projections[1:])


def drop_population(network: FloatNetwork) -> FloatNetwork:
    return replace(network, populations=network.populations[1:])


def swap_weights(network: FloatNetwork) -> FloatNetwork:
    first, *others = network.projections
    swapped = replace(first, weights=first.weights[::-1].copy())
    return replace(network, projections=(swapped, *others))


def change_last_weight(network: FloatNetwork) -> FloatNetwork:
    *others, last = network.projections
    weights = last.weights.copy()
    weights.flat[0] += 0.2
    return replace(network, projections=(*others, replace(last, weights=weights)))


def change_population(network: FloatNetwork, **values: Any) -> FloatNetwork:
    first, *others = network.populations
    return replace(network, populations=(replace(first, **values), *others))


def change_reset(network: FloatNetwork) -> FloatNetwork:
    return change_population(network, spiking=False)


def soften_reset(network: FloatNetwork) -> FloatNetwork:
    threshold = network.populations[0].threshold
    return change_population(network, reset="subtract", reset_value=threshold)


def soften_late(network: FloatNetwork) -> FloatNetwork:
    threshold = network.populations[0].threshold
    return change_population(network, reset="delayed_subtract", reset_value=threshold)


def reset_to_value(network: FloatNetwork) -> FloatNetwork:
    return change_population(network, reset="value", reset_value=0.2)


def add_refractory_period(network: FloatNetwork) -> FloatNetwork:
    return change_population(network, refractory=1)


def bound_voltage(network: FloatNetwork) -> FloatNetwork:
    return change_population(network, min_voltage=0.0)


def change_leak(network: FloatNetwork) -> FloatNetwork:
    return change_population(network, voltage_decay=0.6)


def change_threshold(network: FloatNetwork) -> FloatNetwork:
    return change_population(network, threshold=network.populations[0].threshold * 1.3)


def change_bias(network: FloatNetwork) -> FloatNetwork:
    return change_population(network, bias=network.populations[0].bias + np.float32(0.1))


def rename(network: FloatNetwork) -> FloatNetwork:
    old, new = network.populations[0].name, "other"
    projections = (
        replace(
            p,
            source=new if p.source == old else p.source,
            target=new if p.target == old else p.target,
        )
        for p in network.projections
    )
    return replace(change_population(network, name=new), projections=tuple(projections))


def change_output(network: FloatNetwork) -> FloatNetwork:
    return replace(network, output=network.populations[0].name)


def delay(network: FloatNetwork) -> FloatNetwork:
    first, *others = network.projections
    return replace(network, projections=(replace(first, delay=1), *others))


MUTATIONS = (
    drop_layer, drop_population, swap_weights, change_last_weight, change_reset, change_leak,
    change_threshold, change_bias, rename, change_output, delay, soften_reset, soften_late,
    reset_to_value, add_refractory_period, bound_voltage,
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_every_mutation_of_the_network_is_caught(name: str) -> None:
    module, shape = make(name)
    trace = trace_module(module, shape, 1, NEURON_PARSERS)
    network = import_traced(trace, shape, 1, name)
    recordings = list(record_runs(module, shape, 1, NEURON_PARSERS, trace))
    check_import(network, recordings)
    for mutate in MUTATIONS:
        if name == "loop" and mutate in (delay, bound_voltage):  # changes nothing there
            continue
        message = ""
        try:
            check_import(mutate(network), recordings)
        except NetworkError as error:
            message = str(error)
        assert message and "\n" not in message, mutate.__name__


def test_diagnostics_without_an_input_shape_name_the_remedy() -> None:
    module, _ = make("steps")
    with pytest.raises(NetworkError, match="give"):
        import_model(module)


def test_import_leaves_the_module_as_it_was() -> None:
    module, shape = make("sequence")
    module.train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    build, _ = import_module(module, shape, 1, NEURON_PARSERS)
    build()
    assert module.training and isinstance(nn.Module.__call__, Callable)  # type: ignore[arg-type]
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
