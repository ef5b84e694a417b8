"""Early exit: a sample stops at the first timestep at which its prediction is confident enough.

With the logits a_t after timestep t = 1, 2, ... (`logits_over_time`), in the integers of the chip:

    margin_t = largest of a_t - second largest of a_t
    a sample stops after the first t with margin_t > thresholds[t - 1], else after its last timestep

From then on it has no spikes, its events are not read, and its logits stay. Comparing sums instead
of probabilities: Wu et al., "Optimising event-driven spiking neural network with regularisation and
cutoff", Frontiers in Neuroscience 19 (2025) 1522788 ("Top-K cutoff").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import as_int
from .errors import NetworkError

NEVER_EXIT = 2**31 - 1  # no margin exceeds it


@dataclass(frozen=True)
class EarlyExit:
    """Early-exit rule: thresholds on the margin between the two largest logits.

    Attributes:
        thresholds: The margin after timestep t must exceed `thresholds[t - 1]`; after a timestep
            without a threshold no sample stops. In 1/64 of a weight unit where the output is an
            integrator, in spikes otherwise; no margin exceeds 2^31 - 1.

    Raises:
        NetworkError: There is no threshold, or one is not an integer from 0 to 2^31 - 1.
    """

    thresholds: tuple[int, ...]

    def __post_init__(self) -> None:
        values = tuple(as_int(value, "early exit: threshold") for value in self.thresholds)
        if not values:
            raise NetworkError("early exit: has no thresholds, needs one or more")
        for value in values:
            if not 0 <= value <= NEVER_EXIT:
                raise NetworkError(f"early exit: threshold is {value}, needs 0 to {NEVER_EXIT}")
        object.__setattr__(self, "thresholds", values)


def margins(logits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compute the margin of the largest logit over the second, int64 (timesteps, samples).

    `logits` is int64 (timesteps, samples, classes), with two classes or more; ties give 0.
    """
    ordered = np.partition(logits, -2, axis=-1)
    difference: NDArray[np.int64] = ordered[..., -1] - ordered[..., -2]
    return difference


def exit_steps(margin: NDArray[np.int64], rule: EarlyExit) -> NDArray[np.int64]:
    """Compute the number of timesteps that each sample runs, int64 (samples,).

    `margin` is what `margins` computes, int64 (timesteps, samples).
    """
    timesteps = len(margin)
    thresholds = np.full(timesteps, NEVER_EXIT)
    defined = rule.thresholds[:timesteps]
    thresholds[: len(defined)] = defined
    stops = margin > thresholds[:, None]
    stops[-1] = True
    steps: NDArray[np.int64] = stops.argmax(axis=0) + 1
    return steps
