import copy
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo import ZOO

from pumice.runtime import (
    Conv,
    Dense,
    EarlyExit,
    Network,
    Population,
    Projection,
    SumPool,
    read_network,
    read_program,
)
from pumice.runtime.connections import Connection
from pumice.runtime.errors import MissingPackage
from pumice.runtime.summary import weight_bits

NETWORK = Network(
    (
        Population("in", (2, 4, 4), kind="input"),
        Population("conv", (3, 4, 4), threshold=[1, 2, 3]),
        Population("out", (5,), kind="integrator"),
    ),
    (
        Projection("first", "in", "conv", Conv(np.full((3, 2, 1, 1), 6))),
        Projection("second", "conv", "out", Dense(np.arange(-120, 120).reshape(5, 48) * 2), 0, 1),
    ),
    provenance={"recipe": {"name": "made up"}},
    early_exit=EarlyExit((30, 20)),
)


def test_the_repr_is_one_short_line() -> None:
    assert repr(NETWORK) == ("Network(in 2x4x4 -> out 5, 3 populations, 2 projections, 53 neurons)")


def test_the_summary_lists_layers_shapes_bits_and_parameters() -> None:
    summary = NETWORK.summary()
    assert str(summary) == repr(summary)
    lines = [line.split() for line in str(summary).splitlines()]
    assert lines[2] == ["in", "input", "2", "x", "4", "x", "4"]
    assert lines[3] == [
        "conv",
        "spiking",
        "3",
        "x",
        "4",
        "x",
        "4",
        "conv",
        "from",
        "in",
        "1",
        "6",
        "96",
    ]
    assert lines[4] == [
        "out",
        "integrator",
        "5",
        "dense",
        "from",
        "conv,",
        "delay",
        "1",
        "8",
        "240",
        "240",
    ]
    assert lines[5] == ["53", "neurons,", "246", "parameters,", "336", "synapses;", "output", "out"]
    page = NETWORK._repr_html_()
    assert page.startswith("<table>") and page.count("<tr>") == 4 and "3 x 4 x 4" in page


@pytest.mark.parametrize(
    ("connection", "bits"),
    [
        (Dense(np.array([[0, 0]])), 0),
        (Dense(np.array([[254, -256]])), 8),
        (Dense(np.array([[255, 1]])), 8),
        (Dense(np.array([[-3, -1]])), 2),
        (Dense(np.array([[14, -16, 2]])), 4),
        (Dense(np.array([[112, -128, 16]])), 4),
        (Dense(np.array([[2, -2]])), 2),
        (SumPool((2, 2), (2, 2), weight=37), 1),
    ],
)
def test_weight_bits_are_those_of_the_multiples_of_the_common_divisor(
    connection: Connection, bits: int
) -> None:
    assert weight_bits(connection) == bits


@pytest.mark.parametrize("network", [NETWORK, ZOO], ids=["small", "zoo"])
def test_copies_and_pickles_are_equal_and_read_only(network: Network) -> None:
    for other in (copy.copy(network), copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert other == network and other is not network
        assert other.provenance == network.provenance and other.early_exit == network.early_exit
        assert [p.name for p in other.topological_order] == [
            p.name for p in network.topological_order
        ]
        for projection in other.projections:
            if not isinstance(projection.connection, SumPool):
                assert not projection.connection.weights.flags.writeable
        assert not other.populations[-1].threshold.flags.writeable


def test_programs_are_copied_and_pickled() -> None:
    program = read_program(Path(__file__).parent / "data" / "format-1.pumice")
    assert copy.deepcopy(program) == program
    assert pickle.loads(pickle.dumps(program)) == program
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(program)).cores[0].usage["neurons"] = 3


def test_an_export_without_its_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in list(sys.modules):
        if name.startswith("pumice.convert.formats.onnx"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackage) as caught:
        NETWORK.to_onnx(tmp_path / "a.onnx")
    assert re.search(r"onnx.* not installed; pip install 'pumice\[\w+\]'$", str(caught.value))


def test_a_network_is_saved(tmp_path: Path) -> None:
    NETWORK.save(tmp_path / "a.pumice")
    NETWORK.save(str(tmp_path / "b.pumice"))
    assert read_network(tmp_path / "a.pumice") == read_network(tmp_path / "b.pumice") == NETWORK
