from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime import (
    Core,
    Dense,
    Network,
    Population,
    Program,
    Projection,
    Slice,
    read_network,
    read_program,
    write_network,
    write_program,
)
from pumice.runtime.errors import FileError, NetworkError

NETWORK = Network(
    (
        Population("in", (3,), "input"),
        Population("image", (2, 2, 3)),
        Population("out", (4,)),
    ),
    (
        Projection("up", "in", "image", Dense(np.ones((12, 3)))),
        Projection("down", "image", "out", Dense(np.ones((4, 12)))),
    ),
)
LEFT = Slice("image", (0, 0, 0), (2, 2, 2))
RIGHT = Slice("image", (0, 0, 2), (2, 2, 3))
OUT = Slice("out", (0,), (4,))
FIRST = Core(0, 0, 0, 0, (LEFT,), {"neurons": 8})
SECOND = Core(0, 1, 1, 0, (RIGHT, OUT), {"neurons": 8})


def program(*cores: Core) -> Program:
    return Program(NETWORK, "mine", {"neurons": 8}, cores)


def test_a_program_knows_where_each_population_is() -> None:
    placed = program(FIRST, SECOND)
    assert list(placed.slices("image")) == [(0, LEFT), (1, RIGHT)]
    assert [part for _, part in placed.slices()] == [LEFT, RIGHT, OUT]
    assert (placed.chips, LEFT.neurons, LEFT.shape) == (1, 8, (2, 2, 2))


@pytest.mark.parametrize(
    ("cores", "message"),
    [
        ((FIRST,), "image: 4 of 12 neurons are on no core"),
        ((FIRST, replace(SECOND, slices=(RIGHT,))), "out: 4 of 4 neurons are on no core"),
        (
            (FIRST, replace(SECOND, slices=(LEFT, RIGHT, OUT))),
            r"image: neurons from \(0, 0, 0\) are on two cores",
        ),
        ((FIRST, replace(SECOND, number=0)), "chip 0, core 0: is listed twice"),
        (
            (FIRST, replace(SECOND, usage={"neurons": 9})),
            "chip 0, core 1: takes 9 neurons, mine has 8",
        ),
        (
            (FIRST, replace(SECOND, slices=(RIGHT, Slice("out", (0,), (5,))))),
            r"out: a slice up to \(5,\), but its shape is \(4,\)",
        ),
        (
            (FIRST, replace(SECOND, slices=(RIGHT, OUT, Slice("in", (0,), (3,))))),
            "in: is no population that a core can hold",
        ),
    ],
)
def test_an_incomplete_program_is_rejected(cores: tuple[Core, ...], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        program(*cores)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Slice("out", (2,), (2,)),
        lambda: Slice("out", (-1,), (2,)),
        lambda: Slice("out", (0,), (2, 3)),
        lambda: Slice("out", (0.5,), (2,)),  # type: ignore[arg-type]
        lambda: replace(FIRST, x=-1),
        lambda: replace(FIRST, usage={"neurons": 1.5}),  # type: ignore[dict-item]
    ],
)
def test_an_invalid_slice_or_core_is_rejected(make: Callable[[], object]) -> None:
    with pytest.raises(NetworkError):
        make()


def test_a_program_and_its_network_round_trip(tmp_path: Path) -> None:
    path, placed = tmp_path / "p.pumice", program(FIRST, SECOND)
    write_program(path, placed)
    assert read_program(path) == placed
    assert read_network(path) == NETWORK
    assert read_program(path) != program(SECOND, FIRST)


def test_a_network_that_is_not_placed_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "n.pumice"
    write_network(path, NETWORK)
    with pytest.raises(FileError, match="holds a network that is on no cores; place it first"):
        read_program(path)


@pytest.mark.parametrize("spoil", ["cores", "limits", "target", "slices"])
def test_an_invalid_placement_is_a_one_line_error(
    tmp_path: Path, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.pumice"
    from pumice.runtime import files

    stored = files._write

    def corrupt(path: Path, graph: dict[str, dict[str, object]], tensors: object) -> None:
        cores = graph["program"]["cores"]
        if spoil == "slices":
            assert isinstance(cores, list)
            cores[0]["slices"][0][2] = 7
        else:
            graph["program"].pop(spoil)
        stored(path, graph, tensors)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "_write", corrupt)
    write_program(path, program(FIRST, SECOND))
    with pytest.raises(FileError, match="holds an invalid placement") as caught:
        read_program(path)
    assert "\n" not in str(caught.value)
