"""Synapses: who may reach whom, how many, how far."""

import numpy as np
import pytest

from pumice.runtime.errors import NetworkError
from pumice.train.hrsnn.wiring import PopulationSizes, Wiring, pixel_positions, sample_neighbors

SIZES = PopulationSizes(inputs=2, excitatory=2, inhibitory=1)


def wiring(sources: list[int], targets: list[int]) -> Wiring:
    """Synapses of one class between few neurons."""
    return Wiring(SIZES, *(np.array(each) for each in (sources, targets, [0] * len(sources))))


def test_synapses_are_kept_by_source_then_target() -> None:
    found = wiring([3, 0, 3], [2, 1, 0])
    assert (found.sources.tolist(), found.targets.tolist()) == ([0, 3, 3], [1, 0, 2])
    assert found.indptr.tolist() == [0, 1, 1, 1, 3, 3]


def test_a_population_that_nothing_reaches_is_refused() -> None:
    with pytest.raises(NetworkError, match="inhibitory: nothing projects to it"):
        wiring([0, 1], [0, 1])


def test_a_neuron_that_is_not_there_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"targets: 0\.\.3, needs 0\.\.2"):
        wiring([0, 1], [0, 3])


def test_each_target_gets_different_sources_and_never_itself() -> None:
    places = np.random.default_rng(0).random((30, 3))
    sources, targets = sample_neighbors(places, places, 7, 0.3, np.random.default_rng(1))
    assert len({*zip(sources, targets, strict=True)}) == 30 * 7
    assert not (sources == targets).any()
    assert (np.bincount(targets) == 7).all()


def test_near_sources_are_taken_as_often_as_the_odds_say() -> None:
    """One of two sources at distances 0.1 and 0.5: odds exp(-0.01/0.09) to exp(-0.25/0.09)."""
    sources, targets = np.array([[0.1, 0, 0], [0.5, 0, 0]]), np.zeros((20_000, 3))
    chosen, _ = sample_neighbors(sources, targets, 1, 0.3, np.random.default_rng(0))
    odds = np.exp(-np.array([0.01, 0.25]) / 0.09)
    assert (chosen == 0).mean() == pytest.approx(odds[0] / odds.sum(), abs=0.01)


def test_the_channels_of_a_pixel_stand_in_one_place() -> None:
    found = pixel_positions((2, 3, 4))
    assert found.shape == (24, 3)
    assert (found[:12] == found[12:]).all()
    assert found[1].tolist() == [0.375, 1 / 6, 0.0]  # row 0, column 1
