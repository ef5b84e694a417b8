"""Resonate-and-fire neurons in every engine: parameters of each form, recurrence, early exit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from dense_path import force_dense_path
from firmware import skip_without_tools
from numpy.typing import NDArray
from traces import assert_same

from pumice import place
from pumice.runtime import Conv, Dense, EarlyExit, Network, Population, Projection, Sparse
from pumice.runtime.divergence import first_divergence
from pumice.runtime.engines import reference
from pumice.runtime.engines.cpu import engine as cpu
from pumice.runtime.engines.run import run
from pumice.runtime.errors import FileError, NetworkError, PlacementError
from pumice.runtime.files import network_digest, read_network, write_network
from pumice.runtime.plasticity import validate_rules


def even(rng: np.random.Generator, shape: tuple[int, ...], largest: int) -> NDArray[np.int64]:
    return 2 * rng.integers(-largest, largest, shape)


def resonator_network() -> Network:
    """A convolution with parameters of each channel, and a recurrent layer with those of each."""
    rng = np.random.default_rng(4)
    pairs = rng.random((50, 90)) < 0.3
    rows, columns = np.nonzero(pairs)
    weights = even(rng, (len(rows),), 60)
    angles, gains = rng.uniform(0, np.pi / 2, 50), rng.uniform(0.5, 1, 50) * 4095
    return Network(
        (
            Population("in", (2, 5, 6), "input", value_bits=2),
            Population(
                "conv",
                (3, 5, 6),
                "rf",
                sin_decay=[900, 1800, 4095],
                cos_decay=[3900, 3500, 0],
                threshold=[20, 50, 0],
            ),
            Population(
                "loop",
                (50,),
                "rf_iz",
                sin_decay=(np.sin(angles) * gains).astype(int),
                cos_decay=(np.cos(angles) * gains).astype(int),
                threshold=rng.integers(0, 120, 50),
            ),
            Population("lif", (9,), threshold=30, voltage_decay=500),
            Population("out", (7,), "rf", sin_decay=1200, cos_decay=3800, threshold=30),
        ),
        (
            Projection("a", "in", "conv", Conv(even(rng, (3, 2, 3, 3), 20), (1, 1), (1, 1))),
            Projection(
                "b", "in", "conv", Conv(even(rng, (3, 2, 3, 3), 20), (1, 1), (1, 1)), -1, 0, "imag"
            ),
            Projection("c", "conv", "loop", Sparse(weights, rows, columns, (50, 90))),
            Projection("d", "conv", "loop", Dense(even(rng, (50, 90), 40)), component="imag"),
            Projection("e", "loop", "loop", Dense(even(rng, (50, 50), 20)), 0, 1, "imag"),
            Projection("f", "loop", "lif", Dense(even(rng, (9, 50), 30))),
            Projection("g", "loop", "out", Dense(even(rng, (7, 50), 30)), 1, 2, "real"),
            Projection("h", "lif", "out", Dense(even(rng, (7, 9), 60)), component="imag"),
        ),
        "out",
    )


def drawn_events(timesteps: int = 24) -> NDArray[np.uint8]:
    rng = np.random.default_rng(6)
    shape = (timesteps, 4, 2, 5, 6)
    return (rng.integers(0, 4, shape) * (rng.random(shape) < 0.4)).astype(np.uint8)


@pytest.mark.parametrize("margins", [(), (0, 1, 2, 2, 1, 1, 0)])
@pytest.mark.parametrize(
    "engine",
    ["cpu", "onnx", "c", "cortex-m", "riscv", pytest.param("lava", marks=pytest.mark.lava)],
)
def test_every_engine_has_the_states_of_the_reference(
    engine: str, margins: tuple[int, ...]
) -> None:
    if engine in ("c", "cortex-m", "riscv"):
        skip_without_tools(engine)
    network, events = resonator_network(), drawn_events()
    if margins:
        network = replace(network, early_exit=EarlyExit(margins))
    expected = reference.run(network, events, "states")
    assert all(0.01 < expected.spikes[n].mean() < 0.9 for n in ("conv", "loop", "lif", "out"))
    trace = run(network, events, engine, "states")
    assert first_divergence(network, expected, trace, engine) is None
    assert expected.steps.tolist() == trace.steps.tolist()


def test_variants_and_threads_of_the_core_are_equal() -> None:
    network, events = resonator_network(), drawn_events()
    expected = reference.run(network, events, "states")
    for variant in cpu.VARIANTS:
        for threads in (1, 2):
            assert_same(cpu.run(network, events, "states", threads, variant), expected)


@pytest.mark.parametrize("products", [False, True])
def test_threads_that_share_a_sample_are_equal(products: bool) -> None:
    network, events = resonator_network(), drawn_events()[:, :1]
    if products:
        force_dense_path(network)
    expected = reference.run(network, events, "states")
    with patch.multiple(cpu, WORK=0, SHARE=1):
        for variant in cpu.VARIANTS:
            assert_same(cpu.run(network, events, "states", 3, variant), expected)


def test_a_stream_may_be_cut_anywhere() -> None:
    network, events = resonator_network(), drawn_events()
    whole = reference.run(network, events)
    states = cpu.initial_state(network, events.shape[1])
    cuts = ((0, 5), (5, 6), (6, 24))
    parts = [cpu.run_from_state(network, states, events[a:b]) for a, b in cuts]
    for name in ("conv", "loop", "out"):
        joined = np.concatenate([part.spikes[name] for part in parts])
        assert np.array_equal(joined, whole.spikes[name])
    cpu.silence(network, states, "out")
    assert not states.voltage[:, -7:].any() and not states.current[:, -7:].any()


def test_a_file_holds_them_and_others_keep_their_digest(tmp_path: Path) -> None:
    network, path = resonator_network(), tmp_path / "network.pumice"
    write_network(path, network)
    found = read_network(path)
    assert found == network
    assert [p.component for p in found.projections].count("imag") == 4
    assert network_digest(found) == network_digest(network)
    plain = Network(
        (Population("in", (2,), "input"), Population("out", (1,))),
        (Projection("p", "in", "out", Dense(np.array([[2, 4]]))),),
    )
    digest = "8cbe08a7651ba8f3b1d0a71393d66ccfe9e32d0a49f8d44f860730df6e2124e4"
    assert network_digest(plain) == digest


def rewrite(path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Write the network to `path` with another value in the JSON of its graph."""
    plain = json.dumps

    def dumps(values: Any, **options: Any) -> str:
        text = plain(values, **options)
        assert old in text or '"populations"' not in text
        return text.replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr("pumice.runtime.files.json.dumps", dumps)
        write_network(path, resonator_network())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"imag"', '"phase"', "component 'phase' is none of"),
        ('"imag"', "[1]", r"component \[1\] is none of"),
        ('"kind": "rf_iz"', '"kind": "cuba"', "cuba populations have no sin_decay"),
        ('"kind": "rf_iz"', '"kind": "rf_2"', "kind 'rf_2' is none of"),
    ],
)
def test_a_file_with_other_values_is_an_error(
    old: str, new: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "altered.pumice"
    rewrite(path, monkeypatch, old, new)
    with pytest.raises(FileError, match=message):
        read_network(path)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("cuba", {"sin_decay": 1}, "cuba populations have no sin_decay"),
        ("input", {"cos_decay": 1}, "input populations have no sin_decay"),
        ("rf", {"sin_decay": 4096}, "sin_decay is 4096, needs 0 to 4095"),
        ("rf_iz", {"cos_decay": -1}, "cos_decay is -1, needs 0 to 4095"),
        ("rf", {"cos_decay": [1, 2]}, r"cos_decay has shape \(2,\)"),
        ("rf", {"current_decay": 0}, "rf populations have a sin_decay and a cos_decay, no"),
        ("rf_iz", {"voltage_decay": 1}, "no voltage_decay"),
        ("rf", {"bias": 1}, "rf populations have no bias"),
        ("rf", {"min_voltage": -3}, "no min_voltage"),
        ("rf", {"value_bits": 2}, "value_bits is 2, needs 1 to 1"),
        ("rf", {"refractory": 1}, "refractory is 1, needs 0 to 0"),
        ("rf", {"reset": "subtract", "reset_value": 1}, "rf populations have no reset"),
        ("rf", {"threshold": 131072}, "threshold is 131072, needs 0 to 131071"),
    ],
)
def test_parameters_that_contradict_each_other_are_errors(
    kind: str, values: dict[str, object], message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        Population("p", (3,), kind, **values)  # type: ignore[arg-type]


def test_only_complex_inputs_have_an_imaginary_part() -> None:
    populations = Population("in", (2,), "input"), Population("out", (1,))
    projection = Projection("p", "in", "out", Dense(np.array([[2, 4]])), component="imag")
    with pytest.raises(NetworkError, match="imaginary input of out, but cuba populations have no"):
        Network(populations, (projection,))
    encoder = Population("delta", (7,), "delta", threshold=1)
    connection = Dense(np.eye(7, dtype=int))
    with pytest.raises(NetworkError, match="out sends spikes, but delta reads messages"):
        network = resonator_network()
        Network(
            (*network.populations, encoder),
            (*network.projections, Projection("x", "out", "delta", connection)),
            "out",
        )


def test_each_part_of_an_activation_is_bounded() -> None:
    populations = (
        Population("in", (300,), "input", value_bits=8),
        Population("out", (1,), "rf", sin_decay=1, cos_decay=4095, threshold=1),
    )
    fits = Dense(np.full((1, 300), 100))  # 100 * 300 * 255 = 7,650,000 of 8,388,607
    parts = [Projection(p, "in", "out", fits, component=p) for p in ("real", "imag")]
    Network(populations, tuple(parts))
    more = Projection("more", "in", "out", fits, component="imag")
    with pytest.raises(NetworkError, match="its activation can reach 15300000"):
        Network(populations, (*parts, more))


def test_what_has_no_form_for_them_says_so(tmp_path: Path) -> None:
    network = resonator_network()
    with pytest.raises(NetworkError, match="conv: NIR has no resonate-and-fire neurons"):
        network.to_nir(tmp_path / "model.nir")
    with pytest.raises(NetworkError, match="plasticity: conv is resonate-and-fire"):
        validate_rules(network, {"c": None})  # type: ignore[dict-item]
    with pytest.raises(PlacementError, match="needs a resonate-and-fire neuron, which loihi1"):
        place(network, "loihi1")
