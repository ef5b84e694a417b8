import math

import torch

from pumice.train.losses.tet import tet

WORKED = torch.tensor(
    [
        [[1.0, 0, -1], [0.5, 0.2, 0.1]],
        [[2.0, 0, -2], [0, 1, 0]],
        [[0.0, 1, 0], [-1, 0, 3]],
    ]
).double()
LABELS = torch.tensor([0, 2])


def test_the_worked_example_gives_its_numbers() -> None:
    assert math.isclose(float(tet(WORKED, LABELS)), 0.833235, abs_tol=5e-7)
    assert math.isclose(float(tet(WORKED, LABELS, 1e-3, 1.0)), 0.834107, abs_tol=5e-7)


def test_two_steps_by_hand() -> None:
    # The right class has probability 3/4 at the first step and 1/2 at the second.
    logits = torch.tensor([[[math.log(3), 0.0]], [[0.0, 0.0]]])
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert math.isclose(float(tet(logits, torch.tensor([0]))), expected, rel_tol=1e-6)


def test_the_gradient_matches_finite_differences() -> None:
    variable = WORKED.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: tet(z, LABELS, 0.2), (variable,))


def test_a_single_step_or_equal_steps_are_plain_cross_entropy() -> None:
    plain = torch.nn.functional.cross_entropy(WORKED[0], LABELS)
    assert torch.isclose(tet(WORKED[:1], LABELS), plain)
    assert torch.isclose(tet(WORKED[:1].expand(5, -1, -1), LABELS), plain)


def test_a_single_class_has_zero_loss() -> None:
    assert float(tet(torch.randn(3, 2, 1), torch.tensor([0, 0]))) == 0.0
