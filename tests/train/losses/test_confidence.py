import math

import torch

from pumice.train.losses.confidence import confidence_distillation

# At temperature 1 the first step says (3/4, 1/4) and the second (1/2, 1/2).
LOGITS = torch.tensor([[[math.log(3), 0.0]], [[0.0, 0.0]]], dtype=torch.float64)


def test_both_directions_by_hand() -> None:
    strong = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    weak = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert math.isclose(
        float(confidence_distillation(LOGITS, "strong_to_weak", 1.0)), strong, rel_tol=1e-9
    )
    assert math.isclose(
        float(confidence_distillation(LOGITS, "weak_to_strong", 1.0)), weak, rel_tol=1e-9
    )


def test_the_teacher_is_detached() -> None:
    for direction, student in (("strong_to_weak", 1), ("weak_to_strong", 0)):
        variable = LOGITS.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(confidence_distillation(variable, direction), variable)  # type: ignore[arg-type]
        assert gradient[student].any() and not gradient[1 - student].any()


def test_the_gradient_matches_finite_differences_with_a_fixed_teacher() -> None:
    variable = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(
        confidence_distillation(variable, "strong_to_weak", 2.0), variable
    )
    teacher = (LOGITS[0] / 2).softmax(-1)

    def crossed(value: float) -> float:
        student = (torch.tensor([[value, 0.0]]).double() / 2).log_softmax(-1)
        return float(-(teacher * student).sum())

    assert math.isclose(
        float(gradient[1, 0, 0]), (crossed(1e-6) - crossed(-1e-6)) / 2e-6, abs_tol=1e-8
    )


def test_a_single_step_equal_steps_and_one_class_have_zero_loss() -> None:
    for logits in (LOGITS[:1], LOGITS[:1].expand(3, -1, -1), torch.randn(3, 2, 1)):
        assert float(confidence_distillation(logits, "weak_to_strong")) == 0.0
