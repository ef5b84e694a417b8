"""Import of `.net` files: the same spikes as SLAYER, and as netx in Lava."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from damage import corrupt_entries, damage_file, read_or_error
from lavadl import require_slayer, run_blocks, run_netx, write_blocks
from numpy.typing import NDArray

from pumice.convert.compatibility import ImportOptions, check_compatibility
from pumice.convert.formats.hdf5.reader import SandboxedReader, read_hdf5
from pumice.convert.formats.netx.reader import NetxOptions, build_network, read_netx
from pumice.runtime import Dense, Projection
from pumice.runtime.engines import reference
from pumice.runtime.errors import FileError

# SLAYER asks torch for the older of its two weight norms.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

NEURON = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
PER_CHANNEL = {
    **NEURON,
    "shared_param": False,
    "current_decay": (0.1, 0.9),
    "voltage_decay": (0.01, 0.5),
}
TIMESTEPS = 30
PLAIN = NetxOptions()
Blocks = list[Any]


def dense(b: Any, norms: Any) -> Blocks:
    return [b.Dense(NEURON, 20, 30, weight_scale=3), b.Dense(NEURON, 30, 10, weight_scale=3)]


def conv(b: Any, norms: Any) -> Blocks:
    return [
        b.Input(delay_shift=False),
        b.Conv(NEURON, 2, 4, 3, stride=2, padding=1, groups=2, weight_scale=4),
        b.Conv(NEURON, 4, 6, (3, 2), padding=(0, 1), dilation=(1, 2), weight_scale=4),
        b.Flatten(),
        b.Dense(NEURON, 90, 8, weight_scale=3),
    ]


def recurrent(b: Any, norms: Any) -> Blocks:
    return [
        b.Dense(NEURON, 20, 30, weight_scale=3),
        b.Recurrent(dict(NEURON), 30, 12, weight_scale=3),
        b.Dense(NEURON, 12, 6, weight_scale=5),
    ]


def per_channel(b: Any, norms: Any) -> Blocks:
    return [b.Dense(PER_CHANNEL, 20, 30, weight_scale=3), b.Dense(NEURON, 30, 10, weight_scale=3)]


def weight_norm(b: Any, norms: Any) -> Blocks:
    return [b.Dense(NEURON, 20, 30, weight_scale=3, weight_norm=True)]


def windows(b: Any, norms: Any) -> Blocks:
    return [
        b.Conv(NEURON, 2, 4, 3, weight_scale=4),
        b.Pool(NEURON, 2, weight_scale=2),
        b.Unpool(NEURON, 2, weight_scale=2),
        b.ConvT(NEURON, 4, 4, 3, stride=2, padding=1, groups=2, weight_scale=4),
    ]


def delays(b: Any, norms: Any) -> Blocks:
    return [
        b.Conv(NEURON, 2, 4, 3, weight_scale=4, delay=True),
        b.Pool(NEURON, 2, delay=True),
        b.Flatten(),
        b.Dense(NEURON, 64, 16, weight_scale=4, delay=True),
        b.Recurrent(dict(NEURON), 16, 9, weight_scale=3, delay=True),
    ]


def axon_delay(b: Any, norms: Any) -> Blocks:
    return [
        b.Dense(NEURON, 20, 30, weight_scale=3, delay=True),
        b.Dense(NEURON, 30, 10, weight_scale=3),
    ]


def mean_only_norm(b: Any, norms: Any) -> Blocks:
    neuron = {**NEURON, "norm": norms.MeanOnlyBatchNorm}
    return [
        b.Conv(neuron, 2, 4, 3, stride=2, weight_scale=4),
        b.Flatten(),
        b.Dense(neuron, 64, 16, weight_scale=3),
        b.Dense(neuron, 16, 10, weight_scale=3),
    ]


def weight_scale_norm(b: Any, norms: Any) -> Blocks:
    neuron = {**NEURON, "norm": norms.WgtScaleBatchNorm}
    return [
        b.Conv(neuron, 2, 4, 3, stride=2, weight_scale=4),
        b.Flatten(),
        b.Dense(neuron, 64, 16, weight_scale=3),
    ]


def graded_input(b: Any, norms: Any) -> Blocks:
    neuron = {**NEURON, "current_decay": 1}
    return [b.Input(neuron, weight=1.5, bias=0.125), b.Conv(NEURON, 2, 4, 3, weight_scale=4)]


FLAT = (20,)
IMAGE = (2, 9, 10)
CASES: dict[str, tuple[Callable[[Any, Any], Blocks], tuple[int, ...]]] = {
    make.__name__: (make, shape)
    for make, shape in (
        (dense, FLAT),
        (conv, IMAGE),
        (recurrent, FLAT),
        (per_channel, FLAT),
        (weight_norm, FLAT),
        (windows, IMAGE),
        (delays, IMAGE),
        (axon_delay, FLAT),
        (mean_only_norm, IMAGE),
        (weight_scale_norm, IMAGE),
        (graded_input, IMAGE),
    )
}


def run_case(name: str) -> tuple[Blocks, NDArray[np.uint8], list[Any]]:
    """Blocks with random weights, events for them, and the outputs of SLAYER."""
    import torch

    library = require_slayer()
    torch.manual_seed(7)
    make, shape = CASES[name]
    blocks = make(library.block.cuba, library.neuron.norm)
    rng = np.random.default_rng(7)
    if name == "graded_input":
        events = rng.integers(0, 128, (TIMESTEPS, 3, *shape)).astype(np.uint8)
        return blocks, events, run_blocks(blocks, events, 1 / 32)
    events = (rng.random((TIMESTEPS, 3, *shape)) < 0.4).astype(np.uint8)
    outputs = run_blocks(blocks, events)
    for block in blocks:
        if getattr(block, "delay", None) is not None:
            block.delay.delay.data = torch.randint(0, 5, block.delay.delay.shape) + 0.3
            outputs = run_blocks(blocks, events)
    return blocks, events, outputs


def dense_weights(projection: Projection) -> NDArray[np.int16]:
    """Weights of a dense projection."""
    assert isinstance(projection.connection, Dense)
    return projection.connection.weights


@pytest.mark.parametrize("name", CASES)
def test_every_block_spikes_as_in_slayer(name: str, tmp_path: Path) -> None:
    blocks, events, outputs = run_case(name)
    network, _ = read_netx(
        write_blocks(blocks, tmp_path / "a.net"), NetxOptions(input_shape=CASES[name][1])
    )
    spikes = reference.run(network, events).spikes
    shifted = name not in (
        "mean_only_norm",
        "weight_scale_norm",
        "graded_input",
    )  # a bias has the blocks keep their step
    lag = 0
    for number, block in enumerate(blocks):
        if getattr(block, "neuron", None) is None:
            continue
        lag = lag + 1 if shifted else 1
        own = next(p for p in network.populations if p.name.endswith(str(number)))
        late = f"{own.name}_late"
        if getattr(block, "delay", None) is None or late in spikes:
            ours = spikes[late if late in spikes else own.name]
            np.testing.assert_array_equal(ours[:-lag], outputs[number][lag:])
            assert 0.01 < ours.mean() < 0.99


def test_affine_block_becomes_an_integrator(tmp_path: Path) -> None:
    library = require_slayer()
    block = library.block.cuba
    blocks = [block.Dense(NEURON, 20, 30, weight_scale=3), block.Affine(NEURON, 30, 5)]
    events = np.random.default_rng(0).integers(0, 2, (TIMESTEPS, 3, 20)).astype(np.uint8)
    outputs = run_blocks(blocks, events)[1]
    network, _ = read_netx(write_blocks(blocks, tmp_path / "a.net"))
    ours = reference.run(network, events).voltages["dense1"] / 4096
    np.testing.assert_array_equal(ours[:-1], outputs[1:])


def test_blocks_of_adaptive_neurons_spike_as_in_slayer(tmp_path: Path) -> None:
    block = require_slayer().block.alif
    neuron = {
        "threshold": 1.25,
        "threshold_step": 0.4,
        "current_decay": 0.25,
        "voltage_decay": 0.03,
        "threshold_decay": 0.2,
        "refractory_decay": 0.1,
    }
    blocks = [
        block.Dense(neuron, 20, 30, weight_scale=6),
        block.Dense({**neuron, "threshold": 0.5}, 30, 10, weight_scale=6),
    ]
    events = np.random.default_rng(0).integers(0, 2, (TIMESTEPS, 3, 20)).astype(np.uint8)
    outputs = run_blocks(blocks, events)
    network, diagnostics = read_netx(write_blocks(blocks, tmp_path / "a.net"))
    assert "its thresholds adapt as in SLAYER" in diagnostics[0].conversion
    spikes = reference.run(network, events).spikes
    for number, theirs in enumerate(outputs):
        lag, ours = number + 1, spikes[f"dense{number}"]
        np.testing.assert_array_equal(ours[:-lag], theirs[lag:])
        assert 0.01 < ours.mean() < 0.99


@pytest.mark.lava
@pytest.mark.parametrize(
    "name",
    [
        "dense",
        "conv",
        "recurrent",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("per_channel", "axon_delay")),
    ],
)
def test_output_spikes_as_netx_in_lava(name: str, tmp_path: Path) -> None:
    blocks, events, _ = run_case(name)
    path = write_blocks(blocks, tmp_path / "a.net")
    network, _ = read_netx(path)
    ours = reference.run(network, events[:, :1]).spikes[network.output][:, 0]
    layers = len(network.populations) - 1
    theirs = run_netx(path, events[:, 0], TIMESTEPS + layers)
    np.testing.assert_array_equal(theirs[layers:], ours)
    assert ours.any()


def test_integers_by_hand(tmp_path: Path) -> None:
    blocks, _, _ = run_case("dense")
    network, diagnostics = read_netx(write_blocks(blocks, tmp_path / "a.net"))
    first = network.population("dense0")
    assert (first.threshold, first.current_decay, first.voltage_decay) == (80, 1024, 123)
    weights = blocks[0].synapse.weight.detach().numpy().reshape(30, 20)
    np.testing.assert_array_equal(dense_weights(network.projections[0]), 2 * np.round(weights * 32))
    assert {each.support for each in diagnostics} == {"exact"}


def write_kernels(path: Path, kind: str, weights: Any, **entries: Any) -> Path:
    """Write a file of one layer on a (2, 4, 4) input, its entries as older versions of SLAYER."""
    with h5py.File(path, "w") as file:
        file["layer/0/type"], file["layer/0/shape"] = b"input", np.array([2, 4, 4])
        file["layer/1/type"], file["layer/1/weight"] = kind.encode(), weights
        geometry = {"kernelSize": [2, 2], "stride": [2, 2], "padding": [0, 0], "dilation": [1, 1]}
        for key, value in ({"groups": 1} | geometry | entries).items():
            file[f"layer/1/{key}"] = value
        neuron = {"iDecay": 4096, "vDecay": 4096, "vThMant": 10, "type": b"CUBA"}
        for key, number in neuron.items():
            file[f"layer/1/neuron/{key}"] = number
    return path


@pytest.mark.parametrize(
    ("kind", "shape", "target"),
    [
        ("conv", (3, 2, 2, 2), (3, 2, 2)),
        ("convT", (2, 3, 2, 2), (3, 8, 8)),
        ("pool", (1, 1, 2, 2), (2, 2, 2)),
        ("unpool", (1, 1, 2, 2), (2, 8, 8)),
    ],
)
def test_kernels_with_a_time_axis_of_one_are_those_without(
    kind: str, shape: tuple[int, ...], target: tuple[int, ...], tmp_path: Path
) -> None:
    weights = 2.0 * np.arange(np.prod(shape)).reshape(shape)
    plain, _ = read_netx(write_kernels(tmp_path / "a.net", kind, weights, shape=target))
    geometry = {"kernelSize": [2, 2, 1], "stride": [2, 2, 1], "padding": [0, 0, 0]}
    for entries in ({}, geometry):
        late = write_kernels(tmp_path / "b.net", kind, weights[..., None], shape=target, **entries)
        assert read_netx(late)[0] == plain


def test_kernels_with_a_longer_time_axis_are_an_error(tmp_path: Path) -> None:
    path = write_kernels(tmp_path / "a.net", "conv", np.ones((3, 2, 2, 2, 3)), shape=(3, 2, 2))
    with pytest.raises(FileError, match=r"conv1: weights of shape \(3, 2, 2, 2, 3\), needs four"):
        read_netx(path)


def edit_file(path: Path, changes: dict[str, Any]) -> Path:
    """Replace entries of the file at `path`, or delete those that are None."""
    with h5py.File(path, "a") as file:
        for key, value in changes.items():
            if key in file:
                del file[key]
            if value is not None:
                file[key] = value
    return path


UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "alif": ({"layer/1/neuron/type": "ALIF"}, "dense1: its neurons have no 'vThStep'"),
    "rf": ({"layer/0/neuron/type": "RF_PHASE"}, "dense0: has no 'weight/real'"),
    "sdnn": ({"layer/0/neuron/type": "SDNN"}, "dense0 sends changes, but dense1"),
    "complex": ({"layer/0/weight": None, "layer/0/weight/imag": 1}, "complex weights"),
    "graded": ({"layer/0/neuron/gradedSpike": True}, "graded_spike=False"),
    "refractory": ({"layer/0/neuron/refDelay": 3}, "a refractory time of 3 steps"),
    "unknown": ({"layer/1/type": "concat"}, "a layer of type 'concat'"),
    "fraction": ({"layer/0/weight": np.full((30, 20), 0.5)}, "0.5 is not an integer"),
    "nan": ({"layer/0/weight": np.full((30, 20), np.nan)}, "NaN or infinite"),
    "odd": ({"layer/0/weight": np.resize([255, -3], (30, 20))}, "weights -3 to 255"),
    "huge": ({"layer/0/weight": np.full((30, 20), 99999)}, "weights 0 to 99999"),
    "shape": ({"layer/1/weight": np.zeros((10, 7))}, "7 inputs, but (30,) is 30"),
    "rows": ({"layer/1/weight": np.zeros((11, 30))}, "dense1"),
    "hole": ({"layer/0": None}, "none is number 0"),
    "empty": ({"layer": None}, "no group 'layer'"),
    "threshold": ({"layer/0/neuron/vThMant": None}, "its neurons have no 'vThMant'"),
    "decay": ({"layer/0/neuron/iDecay": 5000}, "current_decay is 5000, needs 0 to 4096"),
    "delay": ({"layer/0/delay": np.arange(7)}, "dense0: has 7 delays, needs one"),
    "late": ({"layer/0/delay": 80}, "delay is 80 steps, needs 0 to 62"),
    "text": ({"layer/0/type": np.ones(3)}, "its type is no word"),
}  # fmt: skip


DISAGREEMENTS: dict[str, tuple[str, str]] = {
    "mean_only_norm": ("conv0", "its bias counts from the first step as in SLAYER"),
    "delays": ("conv0", "leave late as in SLAYER (netx ignores that for conv"),
    "weight_scale_norm": ("conv0", "SLAYER rounds after it (netx ignores it)"),
}


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_disagreements_of_slayer_and_netx_are_diagnosed(name: str, tmp_path: Path) -> None:
    node, text = DISAGREEMENTS[name]
    diagnostics = check_compatibility(
        write_blocks(run_case(name)[0], tmp_path / "a.net"), options=ImportOptions(IMAGE)
    ).diagnostics
    (diagnostic,) = (each for each in diagnostics if each.node == node)
    assert text in f"{diagnostic.conversion} {diagnostic.reason}"


@pytest.fixture(scope="session")
def complete_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    blocks, _, _ = run_case("dense")
    return write_blocks(blocks, tmp_path_factory.mktemp("netx") / "complete_file.net")


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_layers_are_errors_in_one_line(
    name: str, complete_file: Path, tmp_path: Path
) -> None:
    changes, text = UNSUPPORTED[name]
    path = tmp_path / "changed.net"
    path.write_bytes(complete_file.read_bytes())
    edit_file(path, changes)
    with pytest.raises(FileError) as caught:
        read_netx(path)
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_loihi_neurons_and_other_weight_ranges(complete_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.net"
    path.write_bytes(complete_file.read_bytes())
    edit_file(
        path,
        {
            "layer/0/neuron/type": "LOIHI",
            "layer/0/weight": np.resize([127, -3, 4], (30, 20)),
            "layer/1/weight": np.resize([508, -508, 4], (10, 30)),
        },
    )
    first, second = read_netx(path)[0].projections
    assert (first.weight_exponent, dense_weights(first)[0, 0]) == (-1, 254)
    assert (second.weight_exponent, dense_weights(second)[0, 0]) == (1, 254)


@pytest.mark.parametrize("how", ["cut", "altered"])
def test_damaged_files_end_in_one_line_or_a_network(
    how: str, complete_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.net"
    results = []
    with SandboxedReader(timeout=5) as reader:
        for content in damage_file(complete_file.read_bytes(), how, 200):
            path.write_bytes(content)
            results.append(read_or_error(lambda: build_network(reader.read(path), PLAIN, {})[0]))
    assert sum(isinstance(each, str) for each in results) == (
        200 if how == "cut" else pytest.approx(100, abs=60)
    )


def test_corrupt_entries_end_in_one_line_or_a_network(complete_file: Path) -> None:
    arrays = read_hdf5(complete_file)
    results = [
        read_or_error(lambda: build_network(each, PLAIN, {})[0])  # noqa: B023
        for each in corrupt_entries(arrays, 1000)
    ]
    assert sum(isinstance(each, str) for each in results) > 500
