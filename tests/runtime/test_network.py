import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse, SumPool
from pumice.runtime.errors import NetworkError
from pumice.runtime.network import activation_bound

IN = Population("in", (4,), kind="input")
HIDDEN = Population("hidden", (3,))
OUT = Population("out", (2,), kind="integrator")
FIRST = Projection("first", "in", "hidden", Dense(np.ones((3, 4))))
SECOND = Projection("second", "hidden", "out", Dense(np.ones((2, 3))))
LOOP = Projection("loop", "hidden", "hidden", Dense(np.ones((3, 3))), delay=1)


def test_populations_are_in_topological_order() -> None:
    back = Projection("back", "b", "a", Dense(np.array([[1]])), delay=2)
    populations = [Population(name, (1,)) for name in ("c", "b", "a")]
    network = Network(
        (*populations, Population("in", (1,), kind="input")),
        (
            Projection("ia", "in", "a", Dense(np.array([[1]]))),
            Projection("ab", "a", "b", Dense(np.array([[1]]))),
            Projection("bc", "b", "c", Dense(np.array([[1]]))),
            back,
        ),
        output="c",
    )
    assert [p.name for p in network.topological_order] == ["a", "b", "c"]
    assert [p.name for p in network.inputs] == ["in"]
    assert [p.name for p in network.incoming("a")] == ["ia", "back"]


def test_the_last_population_is_the_output_unless_another_is_named() -> None:
    assert Network((IN, HIDDEN), (FIRST,)).output == "hidden"
    assert Network((HIDDEN, IN), (FIRST,), output="hidden").output == "hidden"


def test_provenance_takes_no_part_in_equality_and_cannot_be_changed() -> None:
    network = Network((IN, HIDDEN), (FIRST,), provenance={"seed": 1})
    assert network == Network((IN, HIDDEN), (FIRST,))
    assert network != Network((IN, HIDDEN), (FIRST, LOOP))
    with pytest.raises(TypeError):
        network.provenance["seed"] = 2  # type: ignore[index]


def test_a_convolution_reaches_a_flat_population_only_through_dense_or_sparse() -> None:
    image = Population("in", (1, 4, 4), kind="input")
    conv = Projection("conv", "in", "out", Conv(np.ones((2, 1, 3, 3))))
    with pytest.raises(NetworkError, match=re.escape("conv: gives (2, 2, 2), but out has shape")):
        Network((image, Population("out", (8,))), (conv,))
    dense = Projection("dense", "in", "out", Dense(np.ones((8, 16))))
    assert Network((image, Population("out", (2, 2, 2))), (dense,)).output == "out"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network((), ()), "network: has no populations"),
        (lambda: Network((HIDDEN,), ()), "has no population of kind 'input'"),
        (lambda: Network((HIDDEN, IN), (FIRST,)), "in: is an input and cannot be the output"),
        (lambda: Network((IN, HIDDEN, HIDDEN), (FIRST,)), "hidden: 2 have this name"),
        (lambda: Network((IN, HIDDEN), (FIRST, FIRST)), "first: 2 have this name"),
        (lambda: Network((IN, HIDDEN), (SECOND,)), "no population 'out'; there are in, hidden"),
        (lambda: Network((IN, HIDDEN), (FIRST,), output="o"), "no population 'o'"),
        (
            lambda: Network(
                (IN, HIDDEN), (Projection("p", "hidden", "in", Dense(np.array([[1]]))),)
            ),
            "in: an input takes no projections",
        ),
        (
            lambda: Network(
                (IN, OUT, HIDDEN), (Projection("p", "out", "hidden", Dense(np.ones((3, 2)))),)
            ),
            "p: out is an integrator, which never spikes",
        ),
        (
            lambda: Network(
                (IN, HIDDEN), (Projection("p", "in", "hidden", Dense(np.array([[1, 2]]))),)
            ),
            "p from in: 2 inputs, but (4,) is 4",
        ),
        (
            lambda: Network((IN, OUT), (Projection("p", "in", "out", Dense(np.ones((3, 4)))),)),
            "p: gives (3,), but out has shape (2,)",
        ),
        (
            lambda: Network(
                (IN, HIDDEN), (Projection("p", "in", "hidden", SumPool((1, 1), (1, 1))),)
            ),
            "p from in: takes (channels, height, width)",
        ),
    ],
)
def test_an_invalid_graph_is_rejected(make: Callable[[], Network], message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        make()


def test_a_cycle_needs_a_delay() -> None:
    assert Network((IN, HIDDEN), (FIRST, LOOP)).topological_order == (HIDDEN,)
    now = Projection("loop", "hidden", "hidden", LOOP.connection)
    with pytest.raises(NetworkError, match="hidden, out: form or follow a cycle without delay"):
        Network((IN, HIDDEN, OUT), (FIRST, now, SECOND))


def test_activation_bound_is_that_of_all_spikes_together() -> None:
    image = Population("in", (4,), kind="input", value_bits=8)
    few = Sparse(np.array([2, -4, 6]), np.array([0, 0, 1]), np.array([0, 1, 2]), (3, 4))
    projections = (
        Projection("first", "in", "hidden", few, weight_exponent=2),
        Projection("loop", "hidden", "hidden", Dense(np.full((3, 3), 3)), -1, 1),
    )
    network = Network((image, HIDDEN), projections)
    assert activation_bound(network, network.population("hidden")) == 6 * 255 * 4 + 9 // 2 + 1


def wide(inputs: int, exponent: int = 0, current_decay: int = 4096) -> Network:
    """One neuron behind `inputs` weights of 255."""
    return Network(
        (
            Population("in", (inputs,), kind="input"),
            Population("out", (1,), current_decay=current_decay),
        ),
        (Projection("p", "in", "out", Dense(np.full((1, inputs), 255)), exponent),),
    )


def test_a_sum_beyond_the_accumulator_is_rejected() -> None:
    assert wide(32896).output == "out"  # 32,896 * 255 = 8,388,480
    with pytest.raises(NetworkError, match="p: its sum can reach 8388735, the accumulator holds"):
        wide(32897)
    with pytest.raises(NetworkError, match="out: its activation can reach 16711680"):
        wide(1024, exponent=6)


def test_a_current_that_accumulates_beyond_32_bits_is_rejected() -> None:
    """262,140 * 64 is within one turn of 2^24; 262,395 * 64 is not, and needs a decay."""
    assert wide(1028, current_decay=0).output == "out"
    with pytest.raises(NetworkError, match="262395 with a current_decay of 0, so the current can"):
        wide(1029, current_decay=0)
    assert wide(1029, current_decay=65).output == "out"
    with pytest.raises(NetworkError, match="262395 with a current_decay of 64"):
        wide(1029, current_decay=64)


def test_graded_spikes_cannot_be_the_output() -> None:
    sums = Population("sums", (1,), value_bits=2)
    projection = Projection("p", "in", "sums", Dense(np.array([[2]])))
    with pytest.raises(NetworkError, match="sums: is the output, whose spikes are counted, but"):
        Network((Population("in", (1,), kind="input"), sums), (projection,))


SUM = {"kind": "integrator", "align_bits": 0}
BYTE = {"kind": "input", "value_bits": 8}


@pytest.mark.parametrize(
    ("kinds", "weight", "exponent", "message"),
    [
        ((BYTE, "delta", "integrator"), 1, 0, "sends changes, but c does not add them up"),
        ((BYTE, "sigma_delta", "cuba"), 1, 0, "sends changes, but c does not add them up"),
        ((BYTE, "cuba", "sigma_delta", SUM), 1, 0, "sends spikes, but c reads messages"),
        ((BYTE, "sigma_delta"), 1, 0, "b: is the output, whose spikes are counted, but sends"),
        ((BYTE, "sigma_delta", SUM), 3, -1, "ab: its weights times 2^-1 are no integers"),
        ((BYTE, "delta", SUM), 254, 1, "what it reads can reach 129540"),
    ],
)
def test_sigma_delta_messages_meet_neurons_that_add_them(
    kinds: tuple[Any, ...], weight: int, exponent: int, message: str
) -> None:
    fields = [{"kind": kind} if isinstance(kind, str) else kind for kind in kinds]
    names = "abcd"[: len(kinds)]
    nodes = [Population(name, (1,), **each) for name, each in zip(names, fields, strict=True)]
    dense = Dense(np.array([[weight]]))
    chain = [Projection(a + b, a, b, dense, exponent) for a, b in pairwise(names)]
    with pytest.raises(NetworkError, match=re.escape(message)):
        Network(tuple(nodes), tuple(chain))
