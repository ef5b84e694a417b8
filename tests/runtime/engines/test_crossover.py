"""Where products take over from events: measured, kept, and measured anew where that is damaged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pumice.runtime import Conv, Network, Population, Projection
from pumice.runtime.connections import window_counts
from pumice.runtime.engines import crossover as module
from pumice.runtime.engines import fast
from pumice.runtime.engines.crossover import LEAST, MOST, NEVER, SMALL, USUAL, WINDOWS, crossover
from pumice.runtime.engines.kernels import advance

LAYER = Conv(np.ones((16, 8, 3, 3), np.int16), (1, 1), (1, 1))
SOURCE = (8, 12, 10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a process that has not measured anything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module._known.cache_clear()
    return tmp_path / "pumice"


def test_it_is_measured_once_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crossover(LAYER, SOURCE)
    assert LEAST <= found <= MOST or found == NEVER
    module._known.cache_clear()
    monkeypatch.setattr(module, "_measured", None)
    assert crossover(LAYER, SOURCE) == found


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "x"}', '{"a": null}', "{}"])
def test_a_damaged_file_is_measured_anew(folder: Path, text: str) -> None:
    crossover(LAYER, SOURCE)
    (file,) = folder.glob("crossover-*.json")
    file.write_text(text)
    module._known.cache_clear()
    share = crossover(LAYER, SOURCE)
    assert list(json.loads(file.read_text()).values()) == [share]


@pytest.mark.parametrize("share", ["NaN", "Infinity", "-0.1", "0", "9"])
def test_a_share_that_cannot_be_is_measured_anew(folder: Path, share: str) -> None:
    """Such as no activity has, or no number at all."""
    crossover(LAYER, SOURCE)
    (file,) = folder.glob("crossover-*.json")
    (key,) = json.loads(file.read_text())
    file.write_text(f'{{"{key}": {share}}}')
    module._known.cache_clear()
    found = crossover(LAYER, SOURCE)
    assert LEAST <= found <= MOST or found == NEVER


def test_layers_of_other_sizes_are_kept_side_by_side(folder: Path) -> None:
    wider = Conv(np.ones((24, 8, 3, 3), np.int16), (1, 1), (1, 1))
    shares = [crossover(LAYER, SOURCE), crossover(wider, SOURCE)]
    (file,) = folder.glob("crossover-*.json")
    assert list(json.loads(file.read_text()).values()) == shares


def test_it_lies_where_both_ways_take_as_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that take as long as they are many, and products a fifth of a second."""

    def seconds(layout: Any, states: Any, scratch: Any, events: Any) -> float:
        return 0.2 if layout.projections["product"][0] else float(events.mean())

    monkeypatch.setattr(module, "_seconds", seconds)
    assert crossover(LAYER, SOURCE) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(("products", "share"), [(2.0, NEVER), (0.0, LEAST)])
def test_one_way_may_always_be_faster(
    folder: Path, monkeypatch: pytest.MonkeyPatch, products: float, share: float
) -> None:
    monkeypatch.setattr(
        module, "_seconds", lambda layout, *_: products if layout.projections["product"][0] else 1.0
    )
    assert crossover(LAYER, SOURCE) == share


def test_a_small_layer_is_not_worth_measuring(folder: Path) -> None:
    small = Conv(np.ones((4, 2, 1, 1), np.int16))
    assert 4 * 2 * 9 < SMALL
    assert crossover(small, (2, 3, 3)) == USUAL
    assert not folder.exists()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("padding", "dilation"), [(0, 1), (2, 1), (1, 3)])
def test_of_a_large_map_a_part_is_measured(stride: int, padding: int, dilation: int) -> None:
    conv = Conv(
        np.ones((8, 8, 3, 3), np.int16), (stride,) * 2, (padding,) * 2, (dilation,) * 2, groups=1
    )
    like, source = module._cut_down(conv, (8, 300, 200))
    assert window_counts(like, source) == (WINDOWS, WINDOWS)
    assert (like.stride, like.padding, like.dilation) == (conv.stride, conv.padding, conv.dilation)
    assert module._cut_down(conv, (8, 9, 7))[1] == (8, 9, 7)


def test_without_a_folder_to_write_to_it_is_measured_all_the_same(folder: Path) -> None:
    folder.write_text("a file where the folder would be")
    assert crossover(LAYER, SOURCE) > 0


def test_it_is_measured_with_the_loops_that_run(folder: Path) -> None:
    """Of other types they would be compiled once more, which takes longer than all else."""
    crossover(LAYER, SOURCE)
    network = Network(
        (Population("in", SOURCE, "input"), Population("out", (16, 12, 10), threshold=1)),
        (Projection("p", "in", "out", LAYER),),
    )
    fast.run(network, np.ones((2, 1, *SOURCE), np.uint8))
    assert len(advance.signatures) == 1
