import math

import torch

from pumice.train.objectives.cross_entropy import cross_entropy

WORKED = torch.tensor(
    [
        [[1.0, 0, -1], [0.5, 0.2, 0.1]],
        [[2.0, 0, -2], [0, 1, 0]],
        [[0.0, 1, 0], [-1, 0, 3]],
    ]
)


def test_the_worked_example_gives_its_number() -> None:
    assert math.isclose(float(cross_entropy(WORKED, torch.tensor([0, 2]))), 0.552717, abs_tol=5e-7)


def test_it_looks_at_the_mean_over_time_only() -> None:
    labels = torch.tensor([0, 2])
    assert torch.equal(cross_entropy(WORKED, labels), cross_entropy(WORKED.flip(0), labels))
    assert torch.isclose(
        cross_entropy(WORKED.mean(0, keepdim=True), labels), cross_entropy(WORKED, labels)
    )
