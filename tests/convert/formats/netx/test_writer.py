"""Export to `.net` files: read again, and run by netx in Lava, with the same spikes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lavadl import require_slayer, run_netx

from pumice.convert.formats.netx.reader import read_netx
from pumice.convert.formats.netx.writer import _netx_preserves, round_network_biases, write_netx
from pumice.runtime import Conv, Dense, Network, Population, Projection, SumPool, logits_over_time
from pumice.runtime.engines import reference
from pumice.runtime.errors import NetworkError

rng = np.random.default_rng(5)
EVENTS = (rng.random((25, 2, 2, 6, 7)) < 0.3).astype(np.uint8)
CUBA: dict[str, Any] = {"current_decay": 1024, "voltage_decay": 300}


def even_weights(*shape: int) -> Any:
    return rng.integers(-60, 64, shape) * 2


def make_chain(**last: Any) -> Network:
    """Strided convolution, sum pool, a recurrent dense layer, and one with a delay."""
    populations = (
        Population("in", (2, 6, 7), "input"),
        Population("conv", (4, 6, 4), threshold=[150, 250, 200, 300], bias=[5, 0, -3, 9], **CUBA),
        Population("pool", (4, 3, 2), threshold=40, **CUBA),
        Population("loop", (9,), threshold=np.arange(200, 209), bias=4, **CUBA),
        Population("out", (5,), **{**CUBA, "threshold": 300, **last}),
    )
    projections = (
        Projection("a", "in", "conv", Conv(even_weights(4, 1, 3, 3), (1, 2), (1, 1), (1, 1), 2)),
        Projection("b", "conv", "pool", SumPool((2, 2), (2, 2), weight=33)),
        Projection("c", "pool", "loop", Dense(even_weights(9, 24)), 1),
        Projection("d", "loop", "loop", Dense(even_weights(9, 9)), delay=1),
        Projection("e", "loop", "out", Dense(even_weights(5, 9)), delay=3),
    )
    return Network(populations, projections)


@pytest.mark.parametrize("kind", ["cuba", "integrator"])
def test_round_trip_keeps_the_spikes(kind: str, tmp_path: Path) -> None:
    network = make_chain(kind=kind)
    write_netx(tmp_path / "a.net", network)
    again, diagnostics = read_netx(tmp_path / "a.net")
    ours, theirs = (reference.run(n, EVENTS) for n in (network, again))
    assert all(each.support == "exact" for each in diagnostics)
    names = [population.name for population in again.populations[1:]]
    for left, right in zip(("conv", "pool", "loop"), names, strict=False):
        np.testing.assert_array_equal(ours.spikes[left], theirs.spikes[right])
        assert 0.01 < ours.spikes[left].mean() < 0.99
    np.testing.assert_array_equal(logits_over_time(network, ours), logits_over_time(again, theirs))


@pytest.mark.lava
def test_netx_in_lava_gives_the_same_spikes(tmp_path: Path) -> None:
    require_slayer()
    network = make_chain()
    write_netx(tmp_path / "a.net", network)
    steps = len(EVENTS)
    theirs = run_netx(tmp_path / "a.net", EVENTS[:, 0], steps + 4, reset=1000)
    np.testing.assert_array_equal(theirs[4:], reference.run(network, EVENTS).spikes["out"][:, 0])


def test_weights_that_netx_preserves_are_predicted() -> None:
    require_slayer()
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    for _ in range(300):
        low, high = np.sort(rng.integers(-256, 255, 2))
        weights = rng.integers(low, high, (2, 3), endpoint=True)
        if weights.max() == 0:
            continue  # netx divides by zero
        shifted, bits, exponent, _ = optimize_weight_bits(weights)
        sign = determine_sign_mode(shifted)
        stored = truncate_weights(clip_weights(shifted, sign, 8), sign, bits)
        assert _netx_preserves(weights) == np.array_equal(stored, weights << -exponent)
    assert not _netx_preserves(np.array([[-128, -64]])) and not _netx_preserves(np.array([[0, 0]]))


def replace_part(network: Network, field: str, index: int, **values: Any) -> Network:
    parts: dict[str, Any] = {field: list(getattr(network, field))}
    parts[field][index] = replace(parts[field][index], **values)
    return replace(network, **parts)


UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "branch": (
        {"projections": 4, "source": "pool", "connection": Dense(even_weights(5, 24))},
        "a chain",
    ),
    "exponent": ({"projections": 4, "weight_exponent": -3}, "a weight_exponent of -3"),
    "late conv": ({"projections": 0, "delay": 1}, "no delays or loops of convolutions"),
    "loop": ({"projections": 3, "delay": 2}, "a loop in a .net file is dense with a delay of 1"),
    "late bias": ({"populations": 4, "bias": 1}, "e: has a delay"),
    "large": ({"projections": 2, "weight_exponent": 3}, "netx would change its weights"),
    "zeros": ({"projections": 4, "connection": Dense(np.zeros((5, 9)))}, "not zeros alone"),
    "fine bias": (
        {"populations": 3, "bias_exponent": 2},
        "with round_biases=True, or --round-biases",
    ),
    "each neuron": (
        {"populations": 1, "threshold": np.arange(96).reshape(4, 6, 4)},
        "vThMant of each neuron",
    ),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_networks_that_netx_would_change_are_errors(name: str, tmp_path: Path) -> None:
    values, text = UNSUPPORTED[name]
    field, *_ = (key for key in values if key in ("populations", "projections"))
    index: Any = values[field]
    others: Any = {key: value for key, value in values.items() if key != field}
    with pytest.raises(NetworkError, match=text):
        write_netx(tmp_path / "a.net", replace_part(make_chain(), field, index, **others))
    assert not list(tmp_path.iterdir())


def test_round_biases(tmp_path: Path) -> None:
    fine = replace_part(make_chain(), "populations", 3, bias=[130] * 9, bias_exponent=0)
    rounded = round_network_biases(fine)
    assert rounded.population("loop").bias.tolist() == [2] * 9
    assert rounded.population("conv") == fine.population("conv")
    write_netx(tmp_path / "a.net", rounded)
    write_netx(tmp_path / "b.net", fine, round_biases=True)
    assert (
        read_netx(tmp_path / "a.net")[0].populations == read_netx(tmp_path / "b.net")[0].populations
    )


def test_graded_spikes_are_an_error() -> None:
    populations = (
        Population("in", (2,), kind="input"),
        Population("sums", (2,), value_bits=2),
        Population("out", (2,)),
    )
    projections = (
        Projection("first", "in", "sums", Dense(np.eye(2))),
        Projection("second", "sums", "out", Dense(np.eye(2))),
    )
    with pytest.raises(NetworkError, match="sums: sends graded spikes, netx reads binary ones"):
        write_netx("graded.net", Network(populations, projections))


def sigma_delta_network() -> Network:
    """An encoder of images, a convolution, a dense layer and a read-out of messages."""
    rng = np.random.default_rng(8)
    return Network(
        (
            Population("in", (2, 6, 5), "input", value_bits=8),
            Population("encoder", (2, 6, 5), "delta", threshold=3),
            Population("conv", (3, 6, 5), "sigma_delta", threshold=[4, 9, 2], bias=[5, -7, 0]),
            Population("dense", (7,), "sigma_delta", threshold=6),
            Population("sums", (4,), "integrator", align_bits=0),
        ),
        (
            Projection("a", "in", "encoder", SumPool((1, 1), (1, 1), weight=2), -1),
            Projection(
                "b", "encoder", "conv", Conv(2 * rng.integers(-9, 9, (3, 2, 3, 3)), (1, 1), (1, 1))
            ),
            Projection("c", "conv", "dense", Dense(2 * rng.integers(-60, 64, (7, 90)))),
            Projection("d", "dense", "sums", Dense(2 * rng.integers(-60, 64, (4, 7)))),
        ),
    )


def test_sigma_delta_networks_are_read_back_with_every_message(tmp_path: Path) -> None:
    network = sigma_delta_network()
    write_netx(tmp_path / "a.net", network)
    found, _ = read_netx(tmp_path / "a.net")
    assert [p.kind for p in found.populations] == [p.kind for p in network.populations]
    for before, after in zip(network.populations[1:], found.populations[1:], strict=True):
        changed = replace(after, name=before.name, bias_exponent=before.bias_exponent)
        assert changed == before, before.name
    for sent, read in zip(network.projections[1:], found.projections[1:], strict=True):
        assert sent.connection == read.connection and read.weight_exponent == 0
    events = np.random.default_rng(1).integers(0, 256, (5, 3, 2, 6, 5)).astype(np.uint8)
    expected, actual = reference.run(network, events), reference.run(found, events.astype(np.int32))
    names = zip(network.topological_order, found.topological_order, strict=True)
    for before, after in names:
        if before.kind != "integrator":
            assert np.count_nonzero(expected.spikes[before.name]), before.name
            assert np.array_equal(expected.spikes[before.name], actual.spikes[after.name])
    assert np.array_equal(expected.logits, actual.logits)


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, {"weight_exponent": 0}, "a: multiplies values by 2 to 2"),
        (0, {"delay": 1}, "an encoder takes each as it is"),
        (1, {"delay": 2}, "netx has no delays or loops of convolutions"),
    ],
)
def test_sigma_delta_networks_that_a_file_cannot_hold_are_errors(
    number: int, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    network = sigma_delta_network()
    projections = list(network.projections)
    projections[number] = replace(projections[number], **change)
    with pytest.raises(NetworkError, match=message):
        write_netx(tmp_path / "a.net", replace(network, projections=tuple(projections)))


def test_messages_of_an_input_without_an_encoder_are_an_error(tmp_path: Path) -> None:
    network = sigma_delta_network()
    source = replace(network.populations[0], value_bits=24, signed=True)
    skipped = [replace(network.projections[1], source="in"), *network.projections[2:]]
    direct = Network((source, *network.populations[2:]), tuple(skipped))
    with pytest.raises(NetworkError, match="in: feeds conv directly"):
        write_netx(tmp_path / "a.net", direct)
