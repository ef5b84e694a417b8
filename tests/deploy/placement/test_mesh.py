import numpy as np
import pytest

from pumice.deploy.placement.mesh import assign_cores, make_core_grid
from pumice.deploy.targets.target import read_target


def test_core_grid_winds_through_the_mesh_and_from_chip_to_chip() -> None:
    chip = read_target("loihi2").chip
    assert chip
    grid = make_core_grid(chip, 2)
    assert len(grid.chip) == 240 and grid.chip.tolist() == sorted(grid.chip.tolist())
    assert (
        len({(c, n) for c, n in zip(grid.chip.tolist(), grid.number.tolist(), strict=True)}) == 240
    )
    steps = np.diagonal(grid.distances, 1)
    assert np.count_nonzero(steps > 1) <= 4  # 120 of 128 places are in use, so few are skipped
    assert grid.distances.max() == 31 + 7


def test_cores_of_one_tile_are_no_hop_apart() -> None:
    chip = read_target("loihi1").chip
    assert chip
    grid = make_core_grid(chip, 1)
    assert grid.distances[0, :5].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_assignment_is_one_to_one_and_lowers_the_hops(seed: int) -> None:
    random = np.random.default_rng(seed)
    chip = read_target("loihi1").chip
    assert chip
    distances = make_core_grid(chip, 1).distances
    traffic = random.integers(0, 50, (40, 40)) * (random.random((40, 40)) < 0.1)
    position = assign_cores(traffic, distances)
    assert len(set(position.tolist())) == 40 and position.min() >= 0 and position.max() < 128
    before = (traffic * distances[:40, :40]).sum()
    assert (traffic * distances[np.ix_(position, position)]).sum() < before
