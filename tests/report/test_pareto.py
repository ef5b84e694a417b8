from dataclasses import replace

from reports import FULL

from pumice.report.pareto import operating_points, pareto_optimal

CURVE = FULL.curves[0]


def test_points_are_optimal_unless_another_is_at_least_as_good_in_both() -> None:
    assert pareto_optimal([1, 2, 3, 4], [0.5, 0.9, 0.8, 0.9]) == (True, True, False, False)
    assert pareto_optimal([2, 2], [0.7, 0.7]) == (True, True)


def test_a_point_pairs_energy_and_accuracy_of_a_timestep() -> None:
    energy = replace(FULL.energies[0], by_step=((1e-9, 2e-9), (3e-9, 5e-9)))
    first, second = operating_points(CURVE, energy)
    assert (first.timestep, first.accuracy, first.optimal) == (1, 0.5, True)
    assert (second.accuracy, second.mean_energy, second.optimal) == (0.75, 4e-9, True)
    assert operating_points(CURVE, FULL.energies[0]) == ()
