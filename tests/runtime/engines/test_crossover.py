"""Where products take over from events: measured, kept, and measured anew where that is damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.engines import crossover as module
from pumice.runtime.engines import fast
from pumice.runtime.engines.crossover import MEASURED_ON, SHARES, crossover
from pumice.runtime.engines.kernels import advance
from pumice.runtime.engines.layout import Crossover


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a crossover that this process has not asked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    crossover.cache_clear()
    return tmp_path / "pumice"


def test_it_is_measured_once_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crossover()
    assert all(SHARES[0] <= share <= 1 or share == module.NEVER for line in found for share in line)
    crossover.cache_clear()
    monkeypatch.setattr(module, "_measured", None)
    assert crossover() == found


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"dense": ["x", 1], "conv": [1, 2]}', '{"dense": 1, "conv": 1}']
)
def test_a_damaged_file_is_measured_anew(folder: Path, text: str) -> None:
    crossover()
    (file,) = folder.glob("crossover-*.json")
    file.write_text(text)
    crossover.cache_clear()
    crossover()
    assert file.read_text() != text


def test_it_lies_where_both_ways_take_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that take as long as they are many, and products a fifth of a second."""

    def seconds(layout: Any, states: Any, scratch: Any, events: Any) -> float:
        return 0.2 if layout.projections["product"][0] == 1 else float(events.mean())

    monkeypatch.setattr(module, "_seconds", seconds)
    assert module._measured(*MEASURED_ON["dense"](48)) == pytest.approx(0.2, abs=0.01)


def test_without_a_folder_to_write_to_it_is_measured_all_the_same(folder: Path) -> None:
    folder.write_text("a file where the folder would be")
    assert isinstance(crossover(), Crossover)
    assert set(MEASURED_ON) == set(Crossover._fields)


def test_it_is_measured_with_the_loops_that_run(folder: Path) -> None:
    """Of other types they would be compiled once more, which takes longer than all else."""
    crossover()
    network = Network(
        (Population("in", (3,), "input"), Population("out", (2,), threshold=1)),
        (Projection("p", "in", "out", Dense(np.ones((2, 3), np.int16))),),
    )
    fast.run(network, np.ones((2, 1, 3), np.uint8))
    assert len(advance.signatures) == 1
