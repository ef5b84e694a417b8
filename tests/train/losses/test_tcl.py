import math

import pytest
import torch

from pumice.train.losses.tcl import projection_mlp, tcl

WORKED = torch.tensor(
    [
        [[1.0, 0, -1], [0.5, 0.2, 0.1]],
        [[2.0, 0, -2], [0, 1, 0]],
        [[0.0, 1, 0], [-1, 0, 3]],
    ]
).double()
LABELS = torch.tensor([0, 2])


@pytest.mark.parametrize(("temperature", "value"), [(0.1, 5.736596), (0.07, 8.042801)])
def test_the_worked_example_gives_its_number(temperature: float, value: float) -> None:
    assert math.isclose(float(tcl(WORKED, LABELS, temperature)), value, abs_tol=5e-7)


def test_it_equals_the_double_sum_of_its_equation() -> None:
    unit = [u / u.norm() for u in WORKED.flatten(0, 1)]
    classes = [0, 2, 0, 2, 0, 2]
    total = 0.0
    for a in range(6):
        others = [b for b in range(6) if b != a]
        below = sum(math.exp(float(unit[a] @ unit[b]) / 0.3) for b in others)
        terms = [
            math.log(math.exp(float(unit[a] @ unit[p]) / 0.3) / below)
            for p in others
            if classes[p] == classes[a]
        ]
        total -= sum(terms) / len(terms)
    assert math.isclose(float(tcl(WORKED, LABELS, 0.3)), total / 6, rel_tol=1e-9)


def test_four_anchors_by_hand() -> None:
    # Two samples of different classes at two steps, all orthogonal between classes, equal within:
    # each anchor has one positive at similarity 1 and two negatives at 0.
    projected = torch.tensor([[[3.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 5.0]]])
    expected = -math.log(math.e / (math.e + 2))
    assert math.isclose(float(tcl(projected, torch.tensor([0, 1]), 1.0)), expected, rel_tol=1e-6)


def test_the_gradient_matches_finite_differences() -> None:
    variable = WORKED.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: tcl(z, LABELS, 0.5), (variable,))


def test_with_one_step_it_is_the_supervised_contrastive_loss_of_the_batch() -> None:
    projected = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    # Anchors 1 and 2 have each other; anchor 3 has no positive and takes no part.
    expected = -math.log(math.e / (math.e + 1))
    assert math.isclose(float(tcl(projected, torch.tensor([0, 0, 1]), 1.0)), expected, rel_tol=1e-6)


def test_without_positives_loss_and_gradient_are_zero() -> None:
    projected = torch.randn(1, 2, 4, requires_grad=True)
    loss = tcl(projected, torch.tensor([0, 1]))
    (gradient,) = torch.autograd.grad(loss, projected)
    assert float(loss.detach()) == 0.0 and not gradient.any()


def test_one_class_and_equal_steps_reach_the_minimum() -> None:
    projected = torch.ones(3, 2, 4)
    assert math.isclose(float(tcl(projected, torch.tensor([1, 1]))), math.log(5), rel_tol=1e-6)


def test_the_head_projects_to_its_width() -> None:
    assert projection_mlp(20, 16)(torch.zeros(3, 2, 20)).shape == (3, 2, 16)
