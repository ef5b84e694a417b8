"""Early exit: a sample stops at the first step after which its answer is clear enough.

With a_t what the output says after step t = 1, 2, ... (`answers`), in the integers of the chip:

    margin_t = largest of a_t - second largest of a_t
    a sample stops after the first step t with margin_t > thresholds[t - 1], else after its last

From then on it is silent, its events are not read, and its answer stays. Comparing sums instead of
probabilities: Wu et al., "Optimising event-driven spiking neural network with regularisation and
cutoff", Frontiers in Neuroscience 19 (2025) 1522788 ("Top-K cutoff").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import as_int
from .errors import NetworkError

NEVER_EXIT = 2**31 - 1  # a threshold that no margin passes


@dataclass(frozen=True)
class EarlyExit:
    """The rule: `thresholds[t - 1]` is what the margin after step t has to pass.

    After a step that has none no sample stops early. Margins of an integrator are in 1/64 of
    weights, those of a spiking population in spikes. Raises `NetworkError` where there is none or
    one is not a whole number from 0 to 2^31 - 1, which no margin passes.
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
    """Return by how much each answer is ahead, int64 (timesteps, samples), 0 where two tie.

    `answers` is int64 (timesteps, samples, neurons), with two neurons or more.
    """
    ordered = np.partition(logits, -2, axis=-1)
    ahead: NDArray[np.int64] = ordered[..., -1] - ordered[..., -2]
    return ahead


def exit_steps(ahead: NDArray[np.int64], rule: EarlyExit) -> NDArray[np.int64]:
    """Return how many steps each sample runs, int64 (samples,); `ahead` is what `margins` gave."""
    timesteps = len(ahead)
    needed = np.full(timesteps, NEVER_EXIT)
    given = rule.thresholds[:timesteps]
    needed[: len(given)] = given
    clear = ahead > needed[:, None]
    clear[-1] = True
    steps: NDArray[np.int64] = clear.argmax(axis=0) + 1
    return steps
