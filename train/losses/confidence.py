"""Distillation between the most and the least confident timestep.

With con(t) the batch mean of max softmax(z_t), s = argmax con, w = argmin con, S(x) = softmax(x/a):

    strong to weak (S2W)    KL(S(z_s) || S(z_w)),   no gradient through z_s
    weak to strong (W2S)    KL(S(z_w) || S(z_s)),   no gradient through z_w

a = 2 and weight 1, with cross-entropy of the mean; one pair of steps per batch. NeurIPS 2025,
OpenReview BrmR69AhUg, known from a transcription that does not say which side is detached: that
the first argument is the teacher is this project's reading.
"""

from typing import Literal

from torch import Tensor

Direction = Literal["strong_to_weak", "weak_to_strong"]


def confidence_distillation(
    logits: Tensor, direction: Direction, temperature: float = 2.0
) -> Tensor:
    """Batch mean of the distillation loss of `logits` (timesteps, batch, classes)."""
    confident = logits.detach().softmax(dim=-1).amax(dim=-1).mean(dim=-1)
    strong, weak = int(confident.argmax()), int(confident.argmin())
    teacher, student = (strong, weak) if direction == "strong_to_weak" else (weak, strong)
    teacher_log_probs = (logits[teacher] / temperature).log_softmax(dim=-1).detach()
    student_log_probs = (logits[student] / temperature).log_softmax(dim=-1)
    return (teacher_log_probs.exp() * (teacher_log_probs - student_log_probs)).sum(dim=-1).mean()
