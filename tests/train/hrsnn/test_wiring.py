"""Wiring: order, ranges, in-degree, distances."""

import numpy as np
import pytest

from pumice.runtime.errors import NetworkError
from pumice.train.hrsnn.wiring import PopulationSizes, Wiring, pixel_positions, sample_neighbors

SIZES = PopulationSizes(inputs=2, excitatory=2, inhibitory=1)


def wiring(sources: list[int], targets: list[int]) -> Wiring:
    """Synapses of one class in a small network."""
    return Wiring(SIZES, *(np.array(each) for each in (sources, targets, [0] * len(sources))))


def test_synapses_are_sorted_by_source_then_target() -> None:
    result = wiring([3, 0, 3], [2, 1, 0])
    assert (result.sources.tolist(), result.targets.tolist()) == ([0, 3, 3], [1, 0, 2])
    assert result.indptr.tolist() == [0, 1, 1, 1, 3, 3]


def test_a_population_without_synapses_is_rejected() -> None:
    with pytest.raises(NetworkError, match="inhibitory: has no incoming synapses"):
        wiring([0, 1], [0, 1])


def test_an_index_out_of_range_is_rejected() -> None:
    with pytest.raises(NetworkError, match=r"targets: 0\.\.3, needs 0\.\.2"):
        wiring([0, 1], [0, 3])


def test_sources_of_a_target_are_distinct_and_never_itself() -> None:
    positions = np.random.default_rng(0).random((30, 3))
    sources, targets = sample_neighbors(positions, positions, 7, 0.3, np.random.default_rng(1))
    assert len({*zip(sources, targets, strict=True)}) == 30 * 7
    assert not (sources == targets).any()
    assert (np.bincount(targets) == 7).all()


def test_sources_are_sampled_by_distance() -> None:
    """Two sources at distances 0.1 and 0.5: probabilities as exp(-0.01/0.09) to exp(-0.25/0.09)."""
    sources, targets = np.array([[0.1, 0, 0], [0.5, 0, 0]]), np.zeros((20_000, 3))
    nearest, _ = sample_neighbors(sources, targets, 1, 0.3, np.random.default_rng(0))
    probabilities = np.exp(-np.array([0.01, 0.25]) / 0.09)
    assert (nearest == 0).mean() == pytest.approx(probabilities[0] / probabilities.sum(), abs=0.01)


def test_channels_of_a_pixel_have_one_position() -> None:
    result = pixel_positions((2, 3, 4))
    assert result.shape == (24, 3)
    assert (result[:12] == result[12:]).all()
    assert result[1].tolist() == [0.375, 1 / 6, 0.0]  # row 0, column 1
