import math

import torch

from pumice.train.losses.distillation import tpd, twsd

WORKED = torch.tensor(
    [
        [[1.0, 0, -1], [0.5, 0.2, 0.1]],
        [[2.0, 0, -2], [0, 1, 0]],
        [[0.0, 1, 0], [-1, 0, 3]],
    ]
).double()


def test_the_worked_example_gives_its_numbers() -> None:
    assert math.isclose(float(twsd(WORKED, 3.0)), 0.337862, abs_tol=5e-7)
    assert math.isclose(float(tpd(WORKED, 1.0)), 0.977790, abs_tol=5e-7)


def test_equal_steps_have_zero_twsd_and_their_entropy_as_tpd() -> None:
    equal = torch.tensor([[[math.log(3), 0.0]]]).expand(4, -1, -1)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert abs(float(twsd(equal))) < 1e-6
    assert math.isclose(float(tpd(equal)), entropy, rel_tol=1e-6)


def test_a_single_step_has_zero_loss() -> None:
    assert abs(float(twsd(WORKED[:1]))) < 1e-12
    assert float(tpd(WORKED[:1])) == 0.0


def test_the_teacher_is_detached() -> None:
    variable = WORKED.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(tpd(variable), variable)
    assert not gradient[-1].any() and gradient[0].any()


def test_the_twsd_gradient_matches_finite_differences_with_a_fixed_teacher() -> None:
    variable = WORKED.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(twsd(variable, 3.0), variable)
    teacher = (WORKED.mean(0) / 3).softmax(-1)

    def fixed_teacher_loss(values: torch.Tensor) -> float:
        student = (values / 3).log_softmax(-1)
        return float(9 * -(teacher * student).sum(-1).mean())

    step = torch.zeros_like(WORKED)
    step[1, 0, 2] = 1e-6
    slope = (fixed_teacher_loss(WORKED + step) - fixed_teacher_loss(WORKED - step)) / 2e-6
    assert math.isclose(float(gradient[1, 0, 2]), slope, abs_tol=1e-8)


def test_a_single_class_has_zero_loss() -> None:
    assert float(twsd(torch.randn(3, 2, 1))) == 0.0
    assert float(tpd(torch.randn(3, 2, 1))) == 0.0


def test_the_tpd_gradient_matches_finite_differences_with_a_fixed_target() -> None:
    variable = WORKED.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(tpd(variable, 2.0), variable)
    taken = torch.arange(1, 4).view(-1, 1, 1)
    target = (WORKED.cumsum(0) / taken / 2)[1:].softmax(-1)

    def fixed_teacher_loss(values: torch.Tensor) -> float:
        student = (values.cumsum(0) / taken / 2)[:-1].log_softmax(-1)
        return float(-(target * student).sum(-1).mean())

    for index in [(0, 0, 1), (1, 1, 2), (2, 0, 0)]:
        step = torch.zeros_like(WORKED)
        step[index] = 1e-6
        slope = (fixed_teacher_loss(WORKED + step) - fixed_teacher_loss(WORKED - step)) / 2e-6
        assert math.isclose(float(gradient[index]), slope, abs_tol=1e-8)
