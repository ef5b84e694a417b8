"""Threshold of the dense path: measured, cached, and measured again where the cache is damaged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pumice.runtime import Conv, Network, Population, Projection
from pumice.runtime.connections import conv_output_size
from pumice.runtime.engines import cpu
from pumice.runtime.engines.cpu import autotune as module
from pumice.runtime.engines.cpu.autotune import (
    DEFAULT_THRESHOLD,
    MAX_FRACTION,
    MAX_WINDOWS,
    MIN_FRACTION,
    MIN_SYNAPSES,
    NEVER_DENSE,
    dense_threshold,
)
from pumice.runtime.engines.cpu.kernels import run_samples

LAYER = Conv(np.ones((16, 8, 3, 3), np.int16), (1, 1), (1, 1))
SOURCE = (8, 12, 10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a process that has not measured anything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module._load_cache.cache_clear()
    return tmp_path / "pumice"


def test_a_threshold_is_measured_once_and_cached(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actual = dense_threshold(LAYER, SOURCE)
    assert MIN_FRACTION <= actual <= MAX_FRACTION or actual == NEVER_DENSE
    module._load_cache.cache_clear()
    monkeypatch.setattr(module, "_measure", None)
    assert dense_threshold(LAYER, SOURCE) == actual


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "x"}', '{"a": null}', "{}"])
def test_a_damaged_cache_is_measured_again(folder: Path, text: str) -> None:
    dense_threshold(LAYER, SOURCE)
    (file,) = folder.glob("crossover-*.json")
    file.write_text(text)
    module._load_cache.cache_clear()
    share = dense_threshold(LAYER, SOURCE)
    assert list(json.loads(file.read_text()).values()) == [share]


@pytest.mark.parametrize("share", ["NaN", "Infinity", "-0.1", "0", "9"])
def test_an_invalid_cached_threshold_is_measured_again(folder: Path, share: str) -> None:
    """Such as no activity has, or no number at all."""
    dense_threshold(LAYER, SOURCE)
    (file,) = folder.glob("crossover-*.json")
    (key,) = json.loads(file.read_text())
    file.write_text(f'{{"{key}": {share}}}')
    module._load_cache.cache_clear()
    actual = dense_threshold(LAYER, SOURCE)
    assert MIN_FRACTION <= actual <= MAX_FRACTION or actual == NEVER_DENSE


def test_thresholds_are_cached_per_layer_size(folder: Path) -> None:
    wider = Conv(np.ones((24, 8, 3, 3), np.int16), (1, 1), (1, 1))
    shares = [dense_threshold(LAYER, SOURCE), dense_threshold(wider, SOURCE)]
    (file,) = folder.glob("crossover-*.json")
    assert list(json.loads(file.read_text()).values()) == shares


def test_the_threshold_is_where_both_paths_take_equally_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that take as long as they are many, and products a fifth of a second."""

    def seconds(layout: Any, states: Any, scratch: Any, events: Any) -> float:
        return 0.2 if layout.projections["product"][0] else float(events.mean())

    monkeypatch.setattr(module, "_time_run", seconds)
    assert dense_threshold(LAYER, SOURCE) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(("products", "share"), [(2.0, NEVER_DENSE), (0.0, MIN_FRACTION)])
def test_one_path_may_always_be_faster(
    folder: Path, monkeypatch: pytest.MonkeyPatch, products: float, share: float
) -> None:
    monkeypatch.setattr(
        module,
        "_time_run",
        lambda layout, *_: products if layout.projections["product"][0] else 1.0,
    )
    assert dense_threshold(LAYER, SOURCE) == share


def test_a_small_layer_is_not_worth_measuring(folder: Path) -> None:
    small = Conv(np.ones((4, 2, 1, 1), np.int16))
    assert MIN_SYNAPSES > 4 * 2 * 9
    assert dense_threshold(small, (2, 3, 3)) == DEFAULT_THRESHOLD
    assert not folder.exists()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("padding", "dilation"), [(0, 1), (2, 1), (1, 3)])
def test_a_large_layer_is_measured_in_part(stride: int, padding: int, dilation: int) -> None:
    conv = Conv(
        np.ones((8, 8, 3, 3), np.int16), (stride,) * 2, (padding,) * 2, (dilation,) * 2, groups=1
    )
    like, source = module._shrink_layer(conv, (8, 300, 200))
    assert conv_output_size(like, source) == (MAX_WINDOWS, MAX_WINDOWS)
    assert (like.stride, like.padding, like.dilation) == (conv.stride, conv.padding, conv.dilation)
    assert module._shrink_layer(conv, (8, 9, 7))[1] == (8, 9, 7)


def test_without_a_cache_folder_thresholds_are_measured(folder: Path) -> None:
    folder.write_text("a file where the folder would be")
    assert dense_threshold(LAYER, SOURCE) > 0


def test_measurement_uses_the_compiled_loops(folder: Path) -> None:
    """Of other types they would be compiled once more, which takes longer than all else."""
    dense_threshold(LAYER, SOURCE)
    network = Network(
        (Population("in", SOURCE, "input"), Population("out", (16, 12, 10), threshold=1)),
        (Projection("p", "in", "out", LAYER),),
    )
    cpu.run(network, np.ones((2, 1, *SOURCE), np.uint8))
    assert len(run_samples.signatures) == 1
