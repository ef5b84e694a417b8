"""Losses of a regression: squared, absolute and Huber error of the estimates.

Estimates and targets are standardized, so that an error of 1 is one standard deviation of the
target over the training samples.
"""

from torch import Tensor
from torch.nn import functional


def regression_loss(
    logits: Tensor, targets: Tensor, kind: str, every_step: bool = False, delta: float = 1.0
) -> Tensor:
    """Mean error of the estimates.

    Args:
        logits: What each timestep adds to the estimates, (timesteps, batch, outputs).
        targets: Standardized targets, (batch, outputs).
        kind: "mse", "mae" or "huber".
        every_step: Average over the estimates after each timestep, instead of the last alone.
        delta: Error at which the Huber loss becomes linear.
    """
    estimates = logits.cumsum(dim=0)
    estimates = estimates if every_step else estimates[-1:]
    expected = targets.expand_as(estimates)
    if kind == "mse":
        return functional.mse_loss(estimates, expected)
    if kind == "mae":
        return functional.l1_loss(estimates, expected)
    return functional.huber_loss(estimates, expected, delta=delta)
