import math

import torch

from pumice.train.losses.cross_entropy import cross_entropy

WORKED = torch.tensor(
    [
        [[1.0, 0, -1], [0.5, 0.2, 0.1]],
        [[2.0, 0, -2], [0, 1, 0]],
        [[0.0, 1, 0], [-1, 0, 3]],
    ]
)


def test_the_worked_example_gives_its_number() -> None:
    assert math.isclose(float(cross_entropy(WORKED, torch.tensor([0, 2]))), 0.552717, abs_tol=5e-7)


def test_it_depends_on_the_mean_over_time_alone() -> None:
    labels = torch.tensor([0, 2])
    assert torch.equal(cross_entropy(WORKED, labels), cross_entropy(WORKED.flip(0), labels))
    assert torch.isclose(
        cross_entropy(WORKED.mean(0, keepdim=True), labels), cross_entropy(WORKED, labels)
    )


def test_the_gradient_matches_finite_differences() -> None:
    variable = WORKED.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: cross_entropy(z, torch.tensor([0, 2])), (variable,))


def test_a_single_step_or_equal_steps_have_the_loss_of_that_step() -> None:
    labels = torch.tensor([0, 2])
    plain = torch.nn.functional.cross_entropy(WORKED[0], labels)
    assert torch.isclose(cross_entropy(WORKED[:1], labels), plain)
    assert torch.isclose(cross_entropy(WORKED[:1].expand(4, -1, -1), labels), plain)


def test_a_batch_of_one_class_by_hand() -> None:
    """The correct class has probability 3/4 in both samples."""
    logits = torch.tensor([[[math.log(3), 0.0], [math.log(3), 0.0]]])
    loss = float(cross_entropy(logits, torch.tensor([0, 0])))
    assert math.isclose(loss, -math.log(0.75), rel_tol=1e-6)
