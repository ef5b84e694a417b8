"""Networks from `.net` files: spike for spike what SLAYER computes, and netx in Lava."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from damage import damaged, mangled, outcome
from lavadl import export, forward, netx, slayer
from numpy.typing import NDArray

from pumice.convert.compatibility import ImportOptions, check_compatibility
from pumice.convert.formats.hdf5.reader import SandboxedReader, read_hdf5
from pumice.convert.formats.netx.reader import build_network, read_netx
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


def delayed(b: Any, norms: Any) -> Blocks:
    return [
        b.Conv(NEURON, 2, 4, 3, weight_scale=4, delay=True),
        b.Pool(NEURON, 2, delay=True),
        b.Flatten(),
        b.Dense(NEURON, 64, 16, weight_scale=4, delay=True),
        b.Recurrent(dict(NEURON), 16, 9, weight_scale=3, delay=True),
    ]


def late(b: Any, norms: Any) -> Blocks:
    return [
        b.Dense(NEURON, 20, 30, weight_scale=3, delay=True),
        b.Dense(NEURON, 30, 10, weight_scale=3),
    ]


def biased(b: Any, norms: Any) -> Blocks:
    neuron = {**NEURON, "norm": norms.MeanOnlyBatchNorm}
    return [
        b.Conv(neuron, 2, 4, 3, stride=2, weight_scale=4),
        b.Flatten(),
        b.Dense(neuron, 64, 16, weight_scale=3),
        b.Dense(neuron, 16, 10, weight_scale=3),
    ]


def divided(b: Any, norms: Any) -> Blocks:
    neuron = {**NEURON, "norm": norms.WgtScaleBatchNorm}
    return [
        b.Conv(neuron, 2, 4, 3, stride=2, weight_scale=4),
        b.Flatten(),
        b.Dense(neuron, 64, 16, weight_scale=3),
    ]


def values(b: Any, norms: Any) -> Blocks:
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
        (delayed, IMAGE),
        (late, FLAT),
        (biased, IMAGE),
        (divided, IMAGE),
        (values, IMAGE),
    )
}


def made(name: str) -> tuple[Blocks, NDArray[np.uint8], list[Any]]:
    """Blocks with drawn weights, events for them, and what SLAYER gives for these."""
    import torch

    library = slayer()
    torch.manual_seed(7)
    make, shape = CASES[name]
    blocks = make(library.block.cuba, library.neuron.norm)
    rng = np.random.default_rng(7)
    if name == "values":
        events = rng.integers(0, 128, (TIMESTEPS, 3, *shape)).astype(np.uint8)
        return blocks, events, forward(blocks, events, 1 / 32)
    events = (rng.random((TIMESTEPS, 3, *shape)) < 0.4).astype(np.uint8)
    given = forward(blocks, events)
    for block in blocks:
        if getattr(block, "delay", None) is not None:
            block.delay.delay.data = torch.randint(0, 5, block.delay.delay.shape) + 0.3
            given = forward(blocks, events)
    return blocks, events, given


def stored(projection: Projection) -> NDArray[np.int16]:
    """The weights of a dense projection."""
    assert isinstance(projection.connection, Dense)
    return projection.connection.weights


@pytest.mark.parametrize("name", CASES)
def test_every_block_spikes_as_it_does_in_slayer(name: str, tmp_path: Path) -> None:
    blocks, events, given = made(name)
    network, _ = read_netx(export(blocks, tmp_path / "a.net"), input_shape=CASES[name][1])
    found = reference.run(network, events).spikes
    hop = name not in ("biased", "divided", "values")  # a bias has the blocks keep their step
    lag = 0
    for number, block in enumerate(blocks):
        if getattr(block, "neuron", None) is None:
            continue
        lag = lag + 1 if hop else 1
        own = next(p for p in network.populations if p.name.endswith(str(number)))
        late = f"{own.name}_late"
        if getattr(block, "delay", None) is None or late in found:
            ours = found[late if late in found else own.name]
            np.testing.assert_array_equal(ours[:-lag], given[number][lag:])
            assert 0.01 < ours.mean() < 0.99


def test_an_affine_block_is_read_by_its_voltage(tmp_path: Path) -> None:
    library = slayer()
    block = library.block.cuba
    blocks = [block.Dense(NEURON, 20, 30, weight_scale=3), block.Affine(NEURON, 30, 5)]
    events = np.random.default_rng(0).integers(0, 2, (TIMESTEPS, 3, 20)).astype(np.uint8)
    given = forward(blocks, events)[1]
    network, _ = read_netx(export(blocks, tmp_path / "a.net"))
    ours = reference.run(network, events).voltages["dense1"] / 4096
    np.testing.assert_array_equal(ours[:-1], given[1:])


@pytest.mark.lava
@pytest.mark.parametrize("name", ["dense", "conv", "recurrent", "per_channel", "late"])
def test_the_output_spikes_as_netx_does_in_lava(name: str, tmp_path: Path) -> None:
    blocks, events, _ = made(name)
    path = export(blocks, tmp_path / "a.net")
    network, _ = read_netx(path)
    ours = reference.run(network, events[:, :1]).spikes[network.output][:, 0]
    layers = len(network.populations) - 1
    theirs = netx(path, events[:, 0], TIMESTEPS + layers)
    np.testing.assert_array_equal(theirs[layers:], ours)
    assert ours.any()


def test_the_integers_are_those_of_the_chip(tmp_path: Path) -> None:
    blocks, _, _ = made("dense")
    network, findings = read_netx(export(blocks, tmp_path / "a.net"))
    first = network.population("dense0")
    assert (first.threshold, first.current_decay, first.voltage_decay) == (80, 1024, 123)
    weights = blocks[0].synapse.weight.detach().numpy().reshape(30, 20)
    np.testing.assert_array_equal(stored(network.projections[0]), 2 * np.round(weights * 32))
    assert {finding.support for finding in findings} == {"exact"}


def edited(path: Path, changes: dict[str, Any]) -> Path:
    """The file at `path` with some entries replaced, or taken out where they are None."""
    with h5py.File(path, "a") as file:
        for key, value in changes.items():
            if key in file:
                del file[key]
            if value is not None:
                file[key] = value
    return path


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "alif": ({"layer/1/neuron/type": "ALIF"}, "dense1: has neurons of type ALIF; use CUBA"),
    "rf": ({"layer/0/neuron/type": "RF_PHASE"}, "dense0: has neurons of type RF_PHASE"),
    "sdnn": ({"layer/0/neuron/type": "SDNN"}, "dense0: has neurons of type SDNN"),
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


DISAGREE: dict[str, tuple[str, str]] = {
    "biased": ("conv0", "its bias counts from the first step as in SLAYER"),
    "delayed": ("conv0", "leave late as in SLAYER (netx ignores that for conv"),
    "divided": ("conv0", "SLAYER rounds after it (netx ignores it)"),
}


@pytest.mark.parametrize("name", DISAGREE)
def test_where_slayer_and_netx_disagree_it_says_which_is_followed(
    name: str, tmp_path: Path
) -> None:
    node, text = DISAGREE[name]
    findings = check_compatibility(
        export(made(name)[0], tmp_path / "a.net"), options=ImportOptions(IMAGE)
    ).diagnostics
    (told,) = (finding for finding in findings if finding.node == node)
    assert text in f"{told.conversion} {told.reason}"


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    blocks, _, _ = made("dense")
    return export(blocks, tmp_path_factory.mktemp("netx") / "whole.net")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_carried_over_is_named_in_one_line(
    name: str, whole: Path, tmp_path: Path
) -> None:
    changes, text = REFUSED[name]
    path = tmp_path / "changed.net"
    path.write_bytes(whole.read_bytes())
    edited(path, changes)
    with pytest.raises(FileError) as caught:
        read_netx(path)
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_loihi_neurons_and_weights_of_other_ranges_are_read(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.net"
    path.write_bytes(whole.read_bytes())
    edited(
        path,
        {
            "layer/0/neuron/type": "LOIHI",
            "layer/0/weight": np.resize([127, -3, 4], (30, 20)),
            "layer/1/weight": np.resize([508, -508, 4], (10, 30)),
        },
    )
    first, second = read_netx(path)[0].projections
    assert (first.weight_exponent, stored(first)[0, 0]) == (-1, 254)
    assert (second.weight_exponent, stored(second)[0, 0]) == (1, 254)


@pytest.mark.parametrize("how", ["cut", "altered"])
def test_two_hundred_damaged_files_end_in_one_line_or_a_network(
    how: str, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.net"
    said = []
    with SandboxedReader(timeout=5) as reader:
        for content in damaged(whole.read_bytes(), how, 200):
            path.write_bytes(content)
            said.append(outcome(lambda: build_network(reader.read(path), None, 1, {})[0]))
    assert sum(isinstance(word, str) for word in said) == (
        200 if how == "cut" else pytest.approx(100, abs=60)
    )


def test_entries_lost_or_out_of_shape_end_in_one_line_or_a_network(whole: Path) -> None:
    arrays = read_hdf5(whole)
    said = [outcome(lambda: build_network(a, None, 1, {})[0]) for a in mangled(arrays, 1000)]  # noqa: B023
    assert sum(isinstance(word, str) for word in said) > 500
