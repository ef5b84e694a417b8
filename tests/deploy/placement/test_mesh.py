import numpy as np
import pytest

from pumice.deploy.placement.mesh import assign_cores, make_core_grid
from pumice.deploy.targets.target import read_target


def test_places_wind_through_the_mesh_and_from_chip_to_chip() -> None:
    chip = read_target("loihi2").chip
    assert chip
    sites = make_core_grid(chip, 2)
    assert len(sites.chip) == 240 and sites.chip.tolist() == sorted(sites.chip.tolist())
    assert (
        len({(c, n) for c, n in zip(sites.chip.tolist(), sites.number.tolist(), strict=True)})
        == 240
    )
    steps = np.diagonal(sites.distances, 1)
    assert np.count_nonzero(steps > 1) <= 4  # 120 of 128 places are in use, so few are skipped
    assert sites.distances.max() == 31 + 7


def test_cores_of_one_tile_are_no_hop_apart() -> None:
    chip = read_target("loihi1").chip
    assert chip
    sites = make_core_grid(chip, 1)
    assert sites.distances[0, :5].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_an_arrangement_is_one_to_one_and_never_worse(seed: int) -> None:
    random = np.random.default_rng(seed)
    chip = read_target("loihi1").chip
    assert chip
    distances = make_core_grid(chip, 1).distances
    traffic = random.integers(0, 50, (40, 40)) * (random.random((40, 40)) < 0.1)
    at = assign_cores(traffic, distances)
    assert len(set(at.tolist())) == 40 and at.min() >= 0 and at.max() < 128
    before = (traffic * distances[:40, :40]).sum()
    assert (traffic * distances[np.ix_(at, at)]).sum() < before
