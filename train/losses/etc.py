"""ETC (enhancing temporal consistency): each step's soft prediction matches the other steps'.

    P_t = softmax(z_t / tau)
    L = tau^2 / (T (T - 1)) sum_t sum_{m != t} KL(P_m || P_t),   P_m detached

Zhao et al., "Improving stability and performance of spiking neural networks through enhancing
temporal consistency", Pattern Recognition 159 (2025) 111094 (arXiv 2305.14174), equations 10 and
11, averaged over t as in equation 12; used with weight 1 and tau = 4, with cross-entropy.
"""

from torch import Tensor


def etc(logits: Tensor, temperature: float = 4.0) -> Tensor:
    """Batch mean of the ETC loss; 0 with a single timestep.

    `logits` is (timesteps, batch, classes). The cost is linear in the timesteps:
    sum_t sum_{m != t} KL(P_m || P_t)
        = (T - 1) sum_m P_m log P_m - (sum_m P_m) (sum_t log P_t) + sum_t P_t log P_t
    """
    timesteps, batch = logits.shape[:2]
    if timesteps == 1:
        return logits.sum() * 0
    student = (logits / temperature).log_softmax(dim=-1)
    teacher = student.detach()
    probability = teacher.exp()
    entropies = (probability * teacher).sum()
    all_terms = (probability.sum(dim=0) * student.sum(dim=0)).sum()
    cross_terms = all_terms - (probability * student).sum()
    pairs = (timesteps - 1) * entropies - cross_terms
    return pairs * temperature**2 / (timesteps * (timesteps - 1) * batch)
