"""Resonate-and-fire blocks: spikes as in SLAYER, files that netx runs, and what they refuse."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from lavadl import require_slayer, run_blocks, run_netx, write_blocks

from pumice.convert.formats.netx.reader import read_netx
from pumice.convert.formats.netx.resonators import netx_decays
from pumice.convert.formats.netx.writer import write_netx
from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.engines import reference
from pumice.runtime.errors import FileError, NetworkError

TIMESTEPS, BATCH = 60, 3
EVENTS = np.random.default_rng(0).integers(0, 2, (TIMESTEPS, BATCH, 20)).astype(np.uint8)


def resonator_blocks(module: str, **options: Any) -> list[Any]:
    import torch

    torch.manual_seed(0)
    block = getattr(require_slayer().block, module)
    neuron = {"threshold": 1.25, "period": 9.5, "decay": 0.07, **options}
    slower = {**neuron, "threshold": 0.5, "period": 17, "decay": 0.03}
    if options:
        slower = neuron
    return [
        block.Dense(neuron, 20, 30, weight_scale=4),
        block.Dense(slower, 30, 10, weight_scale=8),
    ]


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("rf", {}),
        ("rf_iz", {}),
        ("rf", {"shared_param": False, "period": (5, 30), "decay": (0.01, 0.2)}),
        ("rf_iz", {"shared_param": False, "period": (5, 30), "decay": (0.01, 0.2)}),
    ],
    ids=["rf", "rf_iz", "rf of each", "rf_iz of each"],
)
def test_blocks_spike_as_in_slayer(module: str, options: dict[str, Any], tmp_path: Path) -> None:
    blocks = resonator_blocks(module, **options)
    outputs = run_blocks(blocks, EVENTS)
    network, diagnostics = read_netx(write_blocks(blocks, tmp_path / "a.net"))
    assert "its resonators have the decays of the file" in diagnostics[0].conversion
    trace = reference.run(network, EVENTS)
    for number, theirs in enumerate(outputs):
        lag, ours = number + 1, trace.spikes[f"dense{number}"]
        np.testing.assert_array_equal(ours[:-lag], theirs[lag:])
        assert 0.01 < ours.mean() < 0.5
    assert network.population("dense0").kind == module
    assert network.population("dense0").sin_decay.size == (30 if options else 1)
    assert [p.component for p in network.projections] == ["real", "imag"] * 2


def writable_network(kind: Any = "rf") -> Network:
    """Two layers with decays that netx preserves."""
    rng = np.random.default_rng(2)

    def dense(targets: int, sources: int) -> Dense:
        return Dense(2 * rng.integers(-60, 60, (targets, sources)))

    pairs = [(s, c) for s in range(900, 1000) for c in range(3700, 3710)]
    kept = [pair for pair in pairs if netx_decays(*pair) == pair]
    (sine, cosine), (slower, other) = kept[0], kept[-1]
    return Network(
        (
            Population("input", (20,), "input"),
            Population("one", (15,), kind, sin_decay=sine, cos_decay=cosine, threshold=90),
            Population("two", (6,), kind, sin_decay=slower, cos_decay=other, threshold=40),
        ),
        (
            Projection("a", "input", "one", dense(15, 20)),
            Projection("b", "input", "one", dense(15, 20), component="imag"),
            Projection("c", "one", "two", dense(6, 15)),
            Projection("d", "one", "two", dense(6, 15), component="imag"),
        ),
    )


@pytest.mark.parametrize("kind", ["rf", "rf_iz"])
def test_a_file_that_was_written_is_read_as_the_same_network(kind: str, tmp_path: Path) -> None:
    network = writable_network(kind)
    write_netx(tmp_path / "a.net", network)
    found, _ = read_netx(tmp_path / "a.net")
    assert [p.kind for p in found.populations] == ["input", kind, kind]
    spikes = reference.run(found, EVENTS).spikes["dense2"]
    assert 0.005 < spikes.mean() < 0.8
    np.testing.assert_array_equal(spikes, reference.run(network, EVENTS).spikes["two"])


@pytest.mark.lava
@pytest.mark.parametrize("kind", ["rf", "rf_iz"])
def test_netx_in_lava_spikes_as_the_network_that_was_written(kind: str, tmp_path: Path) -> None:
    network = writable_network(kind)
    write_netx(tmp_path / "a.net", network)
    theirs = run_netx(tmp_path / "a.net", EVENTS[:, 0], TIMESTEPS + 2)
    ours = reference.run(network, EVENTS[:, :1]).spikes["two"][:, 0]
    np.testing.assert_array_equal(theirs[2:], ours)
    assert ours.any()


def changed(network: Network, number: int, **values: Any) -> Network:
    """The network with other values of one population."""
    populations = list(network.populations)
    populations[number] = replace(populations[number], **values)
    return replace(network, populations=tuple(populations))


def test_what_a_file_does_not_hold_says_so(tmp_path: Path) -> None:
    network, path = writable_network(), tmp_path / "a.net"
    each = np.full(15, network.populations[1].sin_decay)
    with pytest.raises(NetworkError, match="one: sinDecay of each neuron or channel; Lava's RF"):
        write_netx(path, changed(network, 1, sin_decay=each))
    pair = next(p for p in ((900, c) for c in range(3700, 3800)) if netx_decays(*p) != p)
    with pytest.raises(NetworkError, match="one: netx would change its sin_decay and cos_decay"):
        write_netx(path, changed(network, 1, sin_decay=pair[0], cos_decay=pair[1]))
    with pytest.raises(NetworkError, match="one: netx would change its sin_decay and cos_decay"):
        write_netx(path, changed(network, 1, sin_decay=0))
    alone = replace(network, projections=network.projections[1:])
    with pytest.raises(NetworkError, match="one projection from input to each of its inputs"):
        write_netx(path, alone)
    late = replace(network.projections[0], delay=1)
    with pytest.raises(NetworkError, match="without delay"):
        write_netx(path, replace(network, projections=(late, *network.projections[1:])))
    odd = replace(network.projections[0], connection=Dense(np.zeros((15, 20), int)))
    with pytest.raises(NetworkError, match="a: netx would change its weights, 0 to 0"):
        write_netx(path, replace(network, projections=(odd, *network.projections[1:])))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"weight/imag": None}, "dense1: has no 'weight/imag'"),
        ({"weight/imag": np.zeros(7, int)}, "dense1: 7 weights"),
        ({"weight/real": np.full((15, 20), 99999)}, "8 bits and an exponent do not hold"),
        ({"neuron/sinDecay": None}, "dense1: its neurons have no 'sinDecay'"),
        ({"neuron/sinDecay": 4096}, "sin_decay is 4096, needs 0 to 4095"),
        ({"neuron/cosDecay": np.zeros(4, int)}, r"cos_decay has shape \(4,\)"),
        ({"neuron/vThMant": None}, "dense1: its neurons have no 'vThMant'"),
        ({"neuron/vThMant": (1 << 18) - 1}, "that never fire, read by their state"),
        ({"neuron/gradedSpike": True}, "neurons with graded spikes"),
        ({"bias": np.ones(15, int)}, "resonate-and-fire neurons with a bias"),
        ({"neuron/type": "ADRF"}, "neurons of type ADRF|complex weights, but ADRF"),
        ({"neuron/type": "CUBA"}, "complex weights, but CUBA neurons"),
        ({"type": np.bytes_("dense_rec")}, "resonate-and-fire neurons in a dense_rec layer"),
    ],
)
def test_a_file_with_other_entries_is_an_error(
    entries: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.net"
    write_netx(path, writable_network())
    with h5py.File(path, "a") as file:
        for key, value in entries.items():
            if f"layer/1/{key}" in file:
                del file[f"layer/1/{key}"]
            if value is not None:
                file[f"layer/1/{key}"] = value
    with pytest.raises(FileError, match=message):
        read_netx(path)
