"""Losses on the running means of the logits, and distillation from other models."""

import math

import pytest
import torch
from torch.nn import functional

from pumice.train.losses.cross_entropy import cross_entropy, prefix_cross_entropy, running_means
from pumice.train.losses.distillation import distillation, prefix_distillation
from pumice.train.losses.options import LossOptions
from pumice.train.losses.registry import compute_losses
from pumice.train.losses.tet import tet

LN3 = math.log(3)
# One sample, two classes: the running means are (0, 0) and (2 ln 3, 0).
TWO = torch.tensor([[[0.0, 0.0]], [[4 * LN3, 0.0]]], dtype=torch.float64)
# At temperature 2 they are (1/2, 1/2) and (3/4, 1/4).
DIVERGENCE = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)


def test_running_means_are_what_a_shorter_run_answers() -> None:
    expected = torch.tensor([[[0.0, 0.0]], [[2 * LN3, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(running_means(TWO), expected)


def test_prefix_distillation_of_two_steps_is_one_divergence() -> None:
    assert math.isclose(float(prefix_distillation(TWO, 2.0)), 4 * DIVERGENCE, rel_tol=1e-12)
    assert math.isclose(4 * DIVERGENCE, 0.523248, abs_tol=1e-6)


def test_prefix_distillation_gives_the_prefixes_a_gradient_and_the_teacher_none() -> None:
    """d/dz_1 = tau (S(zbar_1) - S(zbar_T)) = 2 (1/2 - 3/4); the last step is a teacher alone."""
    logits = TWO.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(prefix_distillation(logits, 2.0), logits)
    torch.testing.assert_close(gradient[0, 0], torch.tensor([-0.5, 0.5], dtype=torch.float64))
    assert not gradient[1].any()


def test_a_model_teaches_every_prefix() -> None:
    """Probabilities 3/4 at temperature 2: the first prefix is off by DIVERGENCE, the last by 0."""
    teacher = torch.tensor([[2 * LN3, 0.0]], dtype=torch.float64)
    found = prefix_distillation(TWO, 2.0, teacher)
    assert math.isclose(float(found), 4 * DIVERGENCE / 2, rel_tol=1e-12)
    assert math.isclose(float(prefix_distillation(TWO[1:] / 2, 2.0, teacher)), 0, abs_tol=1e-12)
    assert float(prefix_distillation(TWO[:1])) == 0


def test_prefix_cross_entropy_is_the_mean_over_prefixes() -> None:
    """Class 1 has the probabilities 1/2 and 1/(1 + 9) after one and two steps."""
    expected = (math.log(2) + math.log(10)) / 2
    found = prefix_cross_entropy(TWO, torch.tensor([1]))
    assert math.isclose(float(found), expected, rel_tol=1e-12)
    assert math.isclose(float(cross_entropy(TWO, torch.tensor([1]))), math.log(10), rel_tol=1e-12)


@pytest.mark.parametrize(("over", "expected"), [("mean", 0.0), ("steps", 1.0)])
def test_distillation_from_a_model_is_over_the_mean_or_the_steps(
    over: str, expected: float
) -> None:
    """The mean agrees with the teacher. The steps have (1/2, 1/2) and, at tau 2, (9, 1) / 10."""
    teacher = torch.tensor([[2 * LN3, 0.0]], dtype=torch.float64)
    last = 0.75 * math.log(0.75 / 0.9) + 0.25 * math.log(0.25 / 0.1)
    found = float(distillation(TWO, teacher, 2.0, over))
    assert math.isclose(found, expected * 4 * (DIVERGENCE + last) / 2, abs_tol=1e-12)


def test_label_smoothing_and_mixed_labels_are_probabilities() -> None:
    """Smoothing by 0.2 over 2 classes gives the class 0.9; the mean is (2 ln 3, 0)."""
    log_probs = math.log(0.9), math.log(0.1)
    smoothed = -(0.1 * log_probs[0] + 0.9 * log_probs[1])
    label = torch.tensor([1])
    assert math.isclose(float(cross_entropy(TWO, label, 0.2)), smoothed, rel_tol=1e-12)
    mixed = torch.tensor([[0.1, 0.9]], dtype=torch.float64)
    assert math.isclose(float(cross_entropy(TWO, mixed)), smoothed, rel_tol=1e-12)
    for loss in (tet, prefix_cross_entropy):
        torch.testing.assert_close(loss(TWO, mixed), loss(TWO, label, label_smoothing=0.2))


def test_pkd_of_the_worked_example_equals_a_loop_over_its_definition() -> None:
    logits = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    total = 0.0
    for t in range(1, 5):
        target = (logits.mean(dim=0) / 3).softmax(dim=-1)
        student = (logits[:t].mean(dim=0) / 3).log_softmax(dim=-1)
        total += 9 * float(functional.kl_div(student, target, reduction="batchmean")) / 4
    assert math.isclose(float(prefix_distillation(logits, 3.0)), total, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("schedule", "expected"), [("linear", (1.0, 0.7, 0.2)), ("cosine", (1.0, 0.753073, 0.2))]
)
def test_weights_change_over_the_epochs(schedule: str, expected: tuple[float, ...]) -> None:
    """Linear: 1 - 0.8 * 3/8. Cosine: 1 - 0.8 * (1 - cos(3 pi / 8)) / 2 is 0.7531."""
    table = {"weight": 1.0, "final_weight": 0.2, "weight_schedule": schedule}
    options = LossOptions.model_validate({"cross_entropy": {}, "prefix_distillation": table})
    assert options.scheduled_losses == ["prefix_distillation"]
    label = torch.tensor([0])
    for progress, weight in zip((0.0, 0.375, 1.0), expected, strict=True):
        losses = compute_losses(options, TWO, label, TWO, progress=progress)
        found = float(losses["prefix_distillation"]) / (4 * DIVERGENCE)
        assert math.isclose(found, weight, abs_tol=1e-6)
