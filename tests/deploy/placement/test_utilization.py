from bench import shapes
from pumice.deploy.placement.place import place
from pumice.deploy.placement.problem import make_problem
from pumice.deploy.placement.utilization import compute_utilization
from pumice.deploy.targets.target import read_target


def test_utilization_sums_to_the_usage_of_the_cores() -> None:
    target = read_target("loihi2")
    program = place(shapes.conv_net((2, 34, 34), (2, 2), 512), target)
    utilization = compute_utilization(make_problem(program.network, target), program)
    assert [usage.population for usage in utilization] == ["conv1", "conv2", "dense3", "dense4"]
    for resource in program.limits:
        used = sum(core.usage[resource] for core in program.cores)
        assert round(sum(usage.mean[resource] * usage.slices for usage in utilization)) == used
    dense = utilization[2]
    assert dense.neurons == 512 and dense.max["axons_in"] == 32 * 9 * 9
    assert (
        dense.exclusive_cores <= dense.cores == len({core for core, _ in program.slices("dense3")})
    )
