from bench import shapes
from pumice.deploy.placement.place import place
from pumice.deploy.placement.problem import make_problem
from pumice.deploy.placement.utilization import compute_utilization
from pumice.deploy.targets.target import read_target


def test_the_table_adds_up_to_what_the_cores_hold() -> None:
    target = read_target("loihi2")
    program = place(shapes.conv_net((2, 34, 34), (2, 2), 512), target)
    table = compute_utilization(make_problem(program.network, target), program)
    assert [use.population for use in table] == ["conv1", "conv2", "dense3", "dense4"]
    for resource in program.limits:
        held = sum(core.usage[resource] for core in program.cores)
        assert round(sum(use.mean[resource] * use.slices for use in table)) == held
    dense = table[2]
    assert dense.neurons == 512 and dense.max["axons_in"] == 32 * 9 * 9
    assert (
        dense.exclusive_cores <= dense.cores == len({core for core, _ in program.slices("dense3")})
    )
