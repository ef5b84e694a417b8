"""NIR files: exact round trips of own_network files, and equations of foreign ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch
from damage import corrupt_entries, damage_file, read_or_error
from float_reference import simulate
from hypothesis import assume, given
from numpy.typing import NDArray
from strategies import networks
from torch.nn import functional

from pumice.convert import FloatNetwork, quantize_model
from pumice.convert.formats.hdf5.reader import SandboxedReader, read_hdf5
from pumice.convert.formats.nir.files import build_network, read_nir, write_nir
from pumice.convert.formats.nir.graph import build_float_network
from pumice.convert.formats.nir.reader import parse_nir
from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse, SumPool
from pumice.runtime.engines import reference
from pumice.runtime.errors import FileError, NetworkError

IMAGE = (2, 6, 8)
DT = 0.002
EVENTS = (np.random.default_rng(3).random((20, 2, *IMAGE)) < 0.4).astype(np.uint8)


def own_network(decay: int = 0) -> Network:
    """A network with every kind of projection, a loop, a skip and a read-out."""
    rng = np.random.default_rng(3)

    def even_weights(*shape: int) -> Any:
        return rng.integers(-60, 64, shape) * 2

    weights, rows, columns = np.array([[3, 0, 9], [0, 1, 4], [0, 7, 23]])
    sparse = Sparse(weights, rows, columns, (5, 24))
    populations = (
        Population("in", IMAGE, "input"),
        Population("conv", (4, 6, 4), threshold=[150, 250, 200, 300], bias=[5, 0, -3, 9]),
        Population("pool", (4, 3, 2), current_decay=4096 - decay, threshold=40),
        Population("loop", (9,), voltage_decay=decay, threshold=np.arange(200, 209), bias=4),
        Population("out", (5,), "integrator", bias=2, bias_exponent=1),
    )
    projections = (
        Projection("a", "in", "conv", Conv(even_weights(4, 1, 3, 3), (1, 2), (1, 1), (1, 1), 2)),
        Projection("b", "conv", "pool", SumPool((2, 2), (2, 2), weight=33), -1),
        Projection("c", "pool", "loop", Dense(even_weights(9, 24)), 1),
        Projection("d", "loop", "loop", Dense(even_weights(9, 9)), delay=1),
        Projection("e", "loop", "out", Dense(even_weights(5, 9)), delay=3),
        Projection("f", "pool", "out", sparse),
    )
    return Network(populations, projections, provenance={"seed": 3})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nir") / "a.nir"


@pytest.fixture(scope="module")
def reader() -> Iterator[SandboxedReader]:
    with SandboxedReader(timeout=20) as reader:
        yield reader


def read_own(path: Path, reader: SandboxedReader) -> Network:
    """Read a file that pumice wrote."""
    network, _ = build_network(reader.read(path), None, None, 1, {})
    assert isinstance(network, Network)
    return network


def write_and_read(path: Path, reader: SandboxedReader, network: Network) -> Network:
    write_nir(path, network)
    return read_own(path, reader)


def quantize(network: Network | FloatNetwork) -> Network:
    """Quantize another program's network; raises `FileError` where that fails."""
    try:
        return quantize_model(network)[0]
    except NetworkError as error:
        raise FileError(str(error)) from None


@given(networks(resonators=False))
def test_round_trip_is_exact(path: Path, reader: SandboxedReader, network: Network) -> None:
    assume(len(network.inputs) == 1)
    try:
        assert write_and_read(path, reader, network) == network
    except NetworkError as error:
        assert "is dense into an image" in str(error)


@pytest.mark.parametrize("decay", [0, 300])
def test_round_trip_of_every_kind_of_projection(
    path: Path, reader: SandboxedReader, decay: int
) -> None:
    again = write_and_read(path, reader, own_network(decay))
    assert again == own_network(decay)
    assert dict(again.provenance) == {"seed": 3}


def without_metadata(path: Path) -> Path:
    with h5py.File(path, "a") as file:
        del file["node/metadata"]
    return path


def test_float_graph_spikes_as_the_integers(path: Path) -> None:
    network = own_network()
    write_nir(path, network, DT)
    read = build_float_network(parse_nir(read_hdf5(without_metadata(path))), DT, None, 1)
    outputs, expected = simulate(read, EVENTS), reference.run(network, EVENTS)
    for name in ("conv", "pool", "loop"):
        np.testing.assert_array_equal(outputs[name], expected.spikes[name])
        assert 0.01 < expected.spikes[name].mean() < 0.99
    np.testing.assert_allclose(outputs["out"], expected.voltages["out"] / 64, atol=1e-4)


def test_nir_package_reads_the_file(path: Path) -> None:
    weights = Dense(np.arange(9 * 96).reshape(9, 96) % 200)
    chosen = own_network().populations[0], own_network().population("loop")
    plain = Network(chosen, (Projection("a", "in", "loop", weights),))
    write_nir(path, plain)
    nodes = nir.read(path).nodes
    assert {name: type(node).__name__ for name, node in nodes.items()} == {
        "in": "Input", "loop": "IF", "a_flatten": "Flatten", "a": "Affine", "output": "Output"
    }  # fmt: skip
    np.testing.assert_array_equal(nodes["a"].bias, np.full(9, 4.0))


def test_edited_files_are_detected(path: Path) -> None:
    write_nir(path, own_network())
    with h5py.File(path, "a") as file:
        file["node/nodes/loop/v_threshold"][3] = 1.0
    with pytest.raises(FileError, match="loop/v_threshold: was altered since pumice wrote it"):
        read_nir(path)
    with h5py.File(path, "a") as file:
        del file["node/metadata/pumice"]
        file["node/metadata/pumice"] = "{}"
    with pytest.raises(FileError, match="was altered: its metadata makes no network"):
        read_nir(path)


def full(value: float, *shape: int) -> NDArray[np.float64]:
    return np.full(shape, float(value))


def cuba(*shape: int, **values: Any) -> nir.CubaLIF:
    names = {"tau_syn": 0.004, "tau_mem": 0.01, "r": 1.5, "v_leak": 0.02, "w_in": 2.0}
    arrays = {name: full(value, *shape) for name, value in names.items()}
    return nir.CubaLIF(**{**arrays, "v_threshold": full(0.3, *shape), **values})


BIASES = np.array([0.05, -0.1, 0.02])  # filtered by the current of the neurons that get them


def foreign_graph() -> nir.NIRGraph:
    """A network as another program might write it: pools, a skip that adds up, a cycle, a delay."""
    rng = np.random.default_rng(3)
    pair = np.array([2, 2])
    nodes = {
        "input": nir.Input(np.array(IMAGE)),
        "1": nir.Conv2d((6, 8), rng.normal(size=(4, 1, 3, 3)), 1, "same", 1, 2, rng.normal(size=4)),
        "lif.1": nir.LIF(full(0.006, 4, 6, 8), full(1.5, 4, 6, 8), full(0.1, 4, 6, 8),
                         full(0.7, 4, 6, 8)),
        "avg": nir.AvgPool2d(pair, pair, np.array([0, 0])),
        "2": nir.Conv2d((3, 4), rng.normal(size=(3, 4, 3, 3)), 1, 1, 1, 1, BIASES),
        "cuba": cuba(3, 3, 4, v_threshold=np.repeat([0.1, 0.2, 0.3], 12).reshape(3, 3, 4)),
        "late": nir.Delay(full(3 * DT, 4, 6, 8)),
        "sum": nir.SumPool2d(pair, pair, np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([3, 3, 4])}, 0, -1),
        "flat2": nir.Flatten({"input": np.array([4, 3, 4])}, 0, -1),
        "fc": nir.Affine(rng.normal(size=(7, 36)), rng.normal(size=7)),
        "skip": nir.Linear(rng.normal(size=(7, 48)) / 3),
        "if": nir.IF(full(200.0, 7), full(0.9, 7)),
        "again": nir.Linear(rng.normal(size=(7, 7))),
        "read": nir.Affine(rng.normal(size=(3, 7)), rng.normal(size=3)),
        "li": nir.LI(np.array([0.02, 0.03, 0.01]), full(1.0, 3), full(0.0, 3)),
        "output": nir.Output(np.array([3])),
    }  # fmt: skip
    chain = ["input", "1", "lif.1", "avg", "2", "cuba", "flat", "fc", "if", "read", "li", "output"]
    skip = ["lif.1", "late", "sum", "flat2", "skip", "if", "again", "if"]
    edges = list(zip(chain[:-1], chain[1:], strict=True)) + list(
        zip(skip[:-1], skip[1:], strict=True)
    )
    return nir.NIRGraph(nodes, edges, {}, type_check=False)


def euler(graph: nir.NIRGraph, events: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Simulate each node in steps of DT by its equation; a cycle costs a step."""
    values = {name: [np.zeros(1)] for name in graph.nodes}
    states = {name: (np.zeros(1), np.zeros(1)) for name in graph.nodes}
    for now in range(len(events)):
        for name, node in graph.nodes.items():
            arrived: Any = 0.0
            for source, target in graph.edges:
                if target == name:
                    arrived = arrived + values[source][-1]
            out, states[name] = step_node(node, arrived, states[name], events[now])
            values[name].append(out)
    return {name: np.stack(steps[1:]) for name, steps in values.items()}


def step_node(node: Any, x: Any, state: Any, events: Any) -> Any:
    current, voltage = state
    if isinstance(node, nir.Input):
        return events.astype(float), state
    if isinstance(node, nir.Linear | nir.Affine):
        return x @ node.weight.T + getattr(node, "bias", 0.0), state
    if isinstance(node, nir.Flatten):
        return x.reshape(len(x), -1), state
    if isinstance(node, nir.Conv2d):
        x, weight, bias = (torch.from_numpy(np.asarray(a)) for a in (x, node.weight, node.bias))
        padding = node.padding if isinstance(node.padding, str) else tuple(node.padding)
        geometry: Any = tuple(node.stride), padding, tuple(node.dilation), node.groups
        return functional.conv2d(x, weight, bias, *geometry).numpy(), state
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        mean = functional.avg_pool2d(torch.from_numpy(x), 2, 2).numpy()
        return mean * (4 if isinstance(node, nir.SumPool2d) else 1), state
    if isinstance(node, nir.Delay):
        queue = [*([np.zeros_like(x)] * 3 if isinstance(current, np.ndarray) else current), x]
        return queue[0], (queue[1:], voltage)
    if isinstance(node, nir.Output):
        return x, state
    if isinstance(node, nir.IF):
        voltage = voltage + DT * node.r * x
    else:
        if isinstance(node, nir.CubaLIF):
            current = current + DT / node.tau_syn * (-current + node.w_in * x)
        tau = node.tau_mem if isinstance(node, nir.CubaLIF) else node.tau
        drive = node.r * (current if isinstance(node, nir.CubaLIF) else x)
        voltage = voltage + DT / tau * (node.v_leak - voltage + drive)
    if isinstance(node, nir.LI):
        return voltage, (current, voltage)
    spikes = (voltage > node.v_threshold).astype(float)
    return spikes, (current, np.where(spikes > 0, 0.0, voltage))


def test_foreign_graph_follows_its_equations(path: Path) -> None:
    nir.write(path, foreign_graph())
    read = build_float_network(parse_nir(read_hdf5(path)), DT, None, 1)
    outputs, expected = simulate(read, EVENTS), euler(foreign_graph(), EVENTS)
    for ours, theirs in (("lif.1", "lif.1"), ("cuba", "cuba"), ("if", "if")):
        np.testing.assert_array_equal(outputs[ours], expected[theirs])
        assert 0.02 < expected[theirs].mean() < 0.98
    np.testing.assert_allclose(outputs["li"], expected["li"], atol=1e-5)


def test_foreign_graph_is_quantized_and_diagnosed(path: Path) -> None:
    nir.write(path, foreign_graph())
    imported, diagnostics = read_nir(path, dt=DT)
    network, _ = quantize_model(imported)
    assert network.output == "li" and network.population("if").kind == "cuba"
    assert {f.node: f.support for f in diagnostics} == dict.fromkeys(foreign_graph().nodes, "exact")
    assert [p.delay for p in network.projections if p.source == p.target == "if"] == [1]
    assert [p.delay for p in network.incoming("if") if p.source == "lif.1"] == [3]


def small_graph(**nodes: Any) -> nir.NIRGraph:
    """An input, a matrix and neurons, some of them replaced or added at the end."""
    made = {
        "input": nir.Input(np.array([4])),
        "fc": nir.Linear(np.ones((3, 4))),
        "lif": nir.LIF(full(0.02, 3), full(1, 3), full(0, 3), full(1, 3)),
        **nodes,
        "output": nir.Output(np.array([3])),
    }
    names = list(made)
    return nir.NIRGraph(made, list(zip(names[:-1], names[1:], strict=True)), {}, type_check=False)


def nested_graph(*inputs: str) -> nir.NIRGraph:
    """Neurons with a loop as one node, as norse writes its recurrent layers."""
    nodes = {
        **{name: nir.Input(np.array([3])) for name in ("input", *inputs)},
        "lif": nir.LIF(full(0.02, 3), full(3, 3), full(0, 3), full(1, 3)),
        "w_rec": nir.Linear(np.eye(3)[::-1] * 2),
        "output": nir.Output(np.array([3])),
    }
    edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    return nir.NIRGraph(nodes, edges, {}, type_check=False)


UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "reset": (
        {"lif": nir.LIF(*[full(1, 3)] * 4, v_reset=full(0.5, 3), metadata={"reset": "subtract"})},
        "v_reset is 0.5, but its reset subtracts; use a v_reset of 0",
    ),
    "unknown reset": (
        {"lif": nir.LIF(*[full(1, 3)] * 4, v_reset=full(0, 3), metadata={"reset": "decay"})},
        "its reset is 'decay'; use one of",
    ),
    "short": ({"lif": nir.LIF(full(0.001, 3), *[full(1, 3)] * 3)}, "tau is 0.001 s, below"),
    "threshold": ({"lif": nir.LIF(*[full(1, 3)] * 3, full(0, 3))}, "v_threshold is 0"),
    "conv1d": ({"fc": nir.Conv1d(4, np.ones((3, 1, 1)), 1, 0, 1, 1, np.zeros(3))}, "a Conv1d node"),
    "nested": ({"lif": nested_graph("input2")}, "lif: is a graph without one input and one"),
    "delays": ({"late": nir.Delay(np.array([0.1, 0.2, 0.3]))}, "delay differs from neuron"),
    "nan": ({"fc": nir.Linear(np.full((3, 4), np.nan))}, "fc: weight holds NaN"),
    "size": ({"fc": nir.Linear(np.ones((3, 5)))}, r"fc: takes 5 neurons, but gets \(4,\), 4"),
    "input": ({"fc": nir.Input(np.array([4]))}, "has 2 inputs and 1 outputs, needs one of each"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_nodes_are_errors_in_one_line(name: str, path: Path) -> None:
    nodes, text = UNSUPPORTED[name]
    nir.write(path, small_graph(**nodes))
    with pytest.raises(FileError, match=text) as caught:
        read_nir(path, dt=DT)
    assert "\n" not in str(caught.value)


SOFT = {"current_decay": 4096, "voltage_decay": 1024, "threshold": 150, "reset": "subtract"}
RESETS: dict[str, dict[str, Any]] = {
    "value": SOFT | {"reset": "value", "reset_value": [-40, 60, 0]},
    "soft": SOFT | {"reset_value": 150},
    "delayed": SOFT | {"reset": "delayed_subtract", "reset_value": 150},
    "several": SOFT | {"reset_value": 150, "max_spikes": 7},
    "refractory": SOFT | {"reset": "zero", "refractory": 2},
    "bounded": SOFT | {"reset": "zero", "min_voltage": [-10, -20, 0]},
}


@pytest.mark.parametrize("name", RESETS)
def test_resets_round_trip_exactly_and_as_floats(name: str, path: Path) -> None:
    """The nodes alone, as another program would hand them on, give the same spikes."""
    weights = Dense(np.random.default_rng(2).integers(-50, 90, (3, 4)) * 2)
    populations = Population("in", (4,), "input"), Population("lif", (3,), **RESETS[name])
    network = Network(populations, (Projection("w", "in", "lif", weights),))
    write_nir(path, network, DT)
    assert read_nir(path)[0] == network
    with h5py.File(path, "a") as file:
        del file["node/metadata"]
    read, _ = read_nir(path, dt=DT)
    assert isinstance(read, FloatNetwork)
    events = (np.random.default_rng(1).random((30, 5, 4)) < 0.5).astype(np.uint8)
    spikes = reference.run(network, events).spikes["lif"]
    assert spikes.any()
    differ = simulate(read, events)["lif"] != spikes  # integer decays round
    assert differ.mean() < 0.02


def test_soft_reset_of_a_file_that_writes_zero_is_given_by_the_reader(path: Path) -> None:
    nir.write(path, small_graph())
    for reset in ("subtract", "delayed_subtract"):
        read, _ = read_nir(path, dt=DT, reset=reset)
        assert isinstance(read, FloatNetwork)
        assert (read.populations[0].reset, read.populations[0].reset_value) == (reset, 1.0)


def test_missing_options_are_errors(path: Path) -> None:
    nir.write(path, small_graph())
    with pytest.raises(FileError, match="does not specify its timestep; give dt"):
        read_nir(path)
    with pytest.raises(FileError, match="dt is -1, needs seconds above zero"):
        read_nir(path, dt=-1)
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif/v_reset"]
    with pytest.raises(FileError, match='lif: does not specify its reset; give reset="zero"'):
        read_nir(path, dt=DT)
    assert read_nir(path, dt=DT, reset="zero")[0].output == "lif"


def import_graph(path: Path, graph: nir.NIRGraph, dt: float = DT) -> FloatNetwork:
    nir.write(path, graph)
    network, _ = read_nir(path, dt=dt)
    assert isinstance(network, FloatNetwork)
    return network


@pytest.mark.parametrize("dt", [1e-4, 1e-3, 2e-3, 1e-2, 0.02, 1.0, 1 / 3])
def test_time_constant_of_one_timestep_forgets_everything(dt: float, path: Path) -> None:
    ones = np.ones(3, np.float32)
    lif = nir.LIF(ones * np.float32(dt), ones, 0 * ones, ones)
    network = quantize(import_graph(path, small_graph(lif=lif), dt))
    assert network.population("lif").voltage_decay == 4096
    tau = ones * np.float32(dt)
    synaptic = nir.CubaLIF(tau, tau, ones, 0 * ones, ones, w_in=ones)
    population = quantize(import_graph(path, small_graph(lif=synaptic), dt)).population("lif")
    assert (population.current_decay, population.voltage_decay) == (4096, 4096)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 4)])
def test_scale_before_the_weights_is_a_gain(shape: tuple[int, ...], path: Path) -> None:
    scale = np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape) * 2.0
    nodes = {"sc": nir.Scale(scale), "fc": nir.Linear(np.ones((3, 4)))}
    graph = small_graph(**nodes)
    graph.edges[:3] = [("input", "sc"), ("sc", "fc"), ("fc", "lif")]
    graph.edges[3:] = [("lif", "output")]
    plain = import_graph(path, small_graph()).projections[0].weights
    weights = import_graph(path, graph).projections[0].weights
    np.testing.assert_allclose(weights, plain * np.broadcast_to(scale, (1, 4)), rtol=1e-6)


def test_scalar_parameters_are_those_of_all_neurons(path: Path) -> None:
    expected = import_graph(path, small_graph(fc=nir.Affine(np.ones((3, 4)), full(1, 3))))
    for shape in ((1,), (1, 3)):
        lif = nir.LIF(*(full(value, *shape) for value in (0.02, 1, 0, 1, 0)))
        nodes = {"fc": nir.Affine(np.ones((3, 4)), full(1, *shape)), "lif": lif}
        nir.write(path, small_graph(**nodes))
        for scalar in (False, len(shape) == 1):
            if scalar:
                replace_by_scalars(path, ["lif/tau", "lif/r", "lif/v_threshold", "fc/bias"])
            network, _ = read_nir(path, dt=DT)
            assert isinstance(network, FloatNetwork)
            assert_equal_parameters(network, expected)


def replace_by_scalars(path: Path, keys: list[str]) -> None:
    with h5py.File(path, "a") as file:
        for key in keys:
            value = file[f"node/nodes/{key}"][0]
            del file[f"node/nodes/{key}"]
            file[f"node/nodes/{key}"] = np.float32(value)


def assert_equal_parameters(network: FloatNetwork, expected: FloatNetwork) -> None:
    np.testing.assert_allclose(
        network.projections[0].weights, expected.projections[0].weights, rtol=1e-6
    )
    population, other = network.populations[0], expected.populations[0]
    np.testing.assert_allclose(population.bias, other.bias, rtol=1e-6)
    np.testing.assert_allclose(population.voltage_decay, other.voltage_decay, rtol=1e-6)
    assert population.threshold == other.threshold


def test_threshold_is_a_population_that_forgets(path: Path) -> None:
    network = import_graph(path, small_graph(lif=nir.Threshold(full(1.5, 3))))
    events = np.array([1, 1, 0, 0, 0, 1, 0, 0], np.uint8).reshape(2, 1, 4)
    assert simulate(network, events)["lif"][:, 0].tolist() == [[1] * 3, [0] * 3]


def test_graph_within_the_graph_is_flattened(path: Path) -> None:
    flat = small_graph(lif=nested_graph().nodes["lif"])
    flat.nodes["w_rec"] = nested_graph().nodes["w_rec"]
    flat.edges += [("lif", "w_rec"), ("w_rec", "lif")]
    expected = simulate(import_graph(path, flat), EVENTS[..., 0, 0, :4])["lif"]
    nir.write(path, small_graph(lif=nested_graph()))
    network, diagnostics = read_nir(path, dt=DT)
    assert [each.node for each in diagnostics] == [
        "fc", "input", "output", "lif.lif", "lif.w_rec"
    ]  # fmt: skip
    assert isinstance(network, FloatNetwork)
    outputs = simulate(network, EVENTS[..., 0, 0, :4])
    np.testing.assert_array_equal(outputs["lif.lif"], expected)
    assert 0.02 < expected.mean() < 0.98


@pytest.mark.parametrize(
    "names",
    [
        ("1", "3"),
        ("1.fc", "3.lif"),
        ("a b", "a_b"),
        ("input.1", "output.1"),
        ("nodes", "edges"),
        ("type", "weight"),
        ("a/b", "a/c"),  # HDF5 divides them into groups
        ("layer", "layer/0"),
        ("\u795e\u7d4c", "\U0001f642"),
        (" ", "a\nb"),
        ("..", "..."),
        ("x" * 300, "X" * 300),
    ],
    ids=ascii,
)
def test_nodes_of_any_name_are_the_same_network(names: tuple[str, str], path: Path) -> None:
    expected = import_graph(path, small_graph())
    plain = small_graph().nodes
    first, second = names
    made = {"input": plain["input"], first: plain["fc"], second: plain["lif"]}
    made["output"] = plain["output"]
    order = list(made)
    edges = list(zip(order[:-1], order[1:], strict=True))
    nir.write(path, nir.NIRGraph(made, edges, {}, type_check=False))
    network, diagnostics = read_nir(path, dt=DT)
    assert sorted(each.node for each in diagnostics) == sorted(order)
    assert {each.node: each.kind for each in diagnostics}[second] == "LIF"
    assert isinstance(network, FloatNetwork)
    assert_equal_parameters(network, expected)


@pytest.mark.parametrize("value", [0.0, -2.0, 1e-3])
@pytest.mark.parametrize("is_after", [False, True])
def test_scale_of_one_number_of_any_sign_is_a_gain(
    value: float, is_after: bool, path: Path
) -> None:
    graph = small_graph(sc=nir.Scale(np.full(1, value)))
    order = ["input", "fc", "sc", "lif", "output"] if is_after else [
        "input", "sc", "fc", "lif", "output"
    ]  # fmt: skip
    graph.edges[:] = list(zip(order[:-1], order[1:], strict=True))
    nir.write(path, graph)
    plain = import_graph(path.with_name("plain.nir"), small_graph()).projections[0].weights
    replace_by_scalars(path, ["sc/scale"])
    network, _ = read_nir(path, dt=DT)
    assert isinstance(network, FloatNetwork)
    np.testing.assert_allclose(network.projections[0].weights, plain * value, rtol=1e-6)


def test_input_may_have_a_batch_axis(path: Path) -> None:
    batched = small_graph(input=nir.Input({"input": np.array([1, 4])}))
    assert import_graph(path, batched).input_shape == (4,)


@pytest.mark.parametrize("how", ["cut", "altered"])
def test_damaged_files_end_in_one_line_or_the_network(how: str, path: Path, tmp_path: Path) -> None:
    write_nir(path, own_network())
    results, broken = [], tmp_path / "damaged.nir"
    with SandboxedReader(timeout=5) as reader:
        for content in damage_file(path.read_bytes(), how, 200):
            broken.write_bytes(content)
            results.append(read_or_error(lambda: read_own(broken, reader)))
    assert all(each == own_network() for each in results if isinstance(each, Network))
    assert sum(isinstance(each, str) for each in results) >= (200 if how == "cut" else 60)


def test_corrupt_entries_end_in_one_line_or_a_network(path: Path) -> None:
    nir.write(path, foreign_graph())
    results = [
        read_or_error(lambda: quantize(build_network(arrays, DT, None, 1, {})[0]))  # noqa: B023
        for arrays in corrupt_entries(read_hdf5(path), 1000)
    ]
    assert sum(isinstance(each, str) for each in results) > 500
