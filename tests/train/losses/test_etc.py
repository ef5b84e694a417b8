import math

import torch
from torch.nn.functional import kl_div

from pumice.train.losses.etc import etc

WORKED = torch.tensor(
    [
        [[1.0, 0, -1], [0.5, 0.2, 0.1]],
        [[2.0, 0, -2], [0, 1, 0]],
        [[0.0, 1, 0], [-1, 0, 3]],
    ]
)


def test_the_worked_example_gives_its_number() -> None:
    assert math.isclose(float(etc(WORKED.double(), temperature=4.0)), 1.011419, abs_tol=5e-7)


def test_two_classes_and_two_steps_by_hand() -> None:
    # P_1 = (3/4, 1/4), P_2 = (1/2, 1/2) at temperature 1: both divergences, averaged.
    logits = torch.tensor([[[math.log(3), 0.0]], [[0.0, 0.0]]])
    one = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    other = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert math.isclose(float(etc(logits, 1.0)), (one + other) / 2, rel_tol=1e-6)


def test_it_equals_the_sum_over_pairs_of_steps() -> None:
    logits = torch.randn(5, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    steps = (logits / 3).log_softmax(-1)
    pairs = [
        kl_div(steps[t], steps[m].exp(), reduction="batchmean")
        for t in range(5)
        for m in range(5)
        if m != t
    ]
    assert math.isclose(float(etc(logits, 3.0)), 9 * float(sum(pairs)) / 20, rel_tol=1e-12)


def test_the_gradient_matches_finite_differences_with_a_fixed_teacher() -> None:
    logits = torch.randn(3, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    teacher = (logits / 4).softmax(-1)

    def crossed(values: torch.Tensor) -> torch.Tensor:
        student = (values / 4).log_softmax(-1)
        others = teacher.sum(dim=0) - teacher
        return -(others * student).sum() * 16 / (3 * 2 * 2)

    variable = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(etc(variable, 4.0), variable)
    step = 1e-6
    for index in [(0, 0, 0), (1, 1, 3), (2, 0, 2)]:
        moved = [logits.clone(), logits.clone()]
        moved[0][index] += step
        moved[1][index] -= step
        slope = float(crossed(moved[0]) - crossed(moved[1])) / (2 * step)
        assert math.isclose(float(gradient[index]), slope, abs_tol=1e-8)


def test_a_single_step_or_equal_steps_have_zero_loss() -> None:
    assert float(etc(WORKED[:1])) == 0.0
    assert abs(float(etc(WORKED[:1].expand(4, -1, -1).double()))) < 1e-12


def test_a_batch_of_one_class_has_a_finite_loss() -> None:
    assert torch.isfinite(etc(torch.randn(4, 3, 1)))
