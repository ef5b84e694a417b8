"""The most and the least confident time step teach one another.

With con(t) the batch mean of max softmax(z_t), s = argmax con, w = argmin con, S(x) = softmax(x/a):

    strong to weak (S2W)    KL(S(z_s) || S(z_w)),   no gradient through z_s
    weak to strong (W2S)    KL(S(z_w) || S(z_s)),   no gradient through z_w

a = 2 and weight 1 beside cross-entropy of the mean; one pair of steps a batch. NeurIPS 2025,
OpenReview BrmR69AhUg, known from a transcription that does not say which side is held: that the
first argument is the teacher is this project's reading.
"""

from typing import Literal

from torch import Tensor

Direction = Literal["strong_to_weak", "weak_to_strong"]


def confidence_distillation(
    logits: Tensor, direction: Direction, temperature: float = 2.0
) -> Tensor:
    """Return the loss, averaged over the batch; `logits` is (timesteps, batch, classes)."""
    confident = logits.detach().softmax(dim=-1).amax(dim=-1).mean(dim=-1)
    strong, weak = int(confident.argmax()), int(confident.argmin())
    teacher, student = (strong, weak) if direction == "strong_to_weak" else (weak, strong)
    held = (logits[teacher] / temperature).log_softmax(dim=-1).detach()
    taught = (logits[student] / temperature).log_softmax(dim=-1)
    return (held.exp() * (held - taught)).sum(dim=-1).mean()
