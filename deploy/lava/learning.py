"""STDP by Lava's own learning rules: a masked `LearningDense` per group of time constants.

Lava holds one pair of trace time constants a connection. Synapses that share theirs are a group,
and a group is a connection of its own. Its matrix is dense: tag 1 holds A+ and tag 2 A-, and both
are 0 where there is no synapse, so that none grows. The rule is

    dw = 2^-k t y0 x1 (1 - w) - 2^-k d x0 y1 w

which is what `pumice.train.hrsnn.stdp` does, in units of w_max. Rules take whole numbers only, so
all weights and thresholds are divided by w_max on the way in, and multiplied on the way out.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import EngineError
from .guard import run_guarded
from .prepare import check_installed

SECONDS = 240.0
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class LearningGroup:
    """Synapses of one pair of time constants: dense matrices (neurons, neurons), target first.

    `weights` are 0 where `plus` and `minus` are: there is no synapse.
    """

    weights: Reals
    plus: Reals
    minus: Reals
    tau_plus: float
    tau_minus: float


@dataclass(frozen=True)
class Learned:
    """What came of learning: weights of each group, (neurons, neurons), and all spikes.

    `spikes` uint8 (timesteps, neurons).
    """

    weights: tuple[Reals, ...]
    spikes: NDArray[np.uint8]


def learn_in_lava(
    events: NDArray[np.uint8],
    inputs: Reals,
    fixed: Reals,
    groups: tuple[LearningGroup, ...],
    kept: Reals,
    threshold: Reals,
    most: float,
    seconds: float = SECONDS,
) -> Learned:
    """Run recurrent neurons that learn in Lava's simulator, in floating point.

    `events` uint8 (timesteps, inputs), `inputs` the weights (neurons, inputs) from them, `fixed`
    the recurrent weights (neurons, neurons) that do not learn, `kept` and `threshold` (neurons,),
    `most` the largest weight that learning may reach. Everything happens in a process of its own.
    Raises `EngineError` where Lava fails or is not done after `seconds`, and `MissingPackage`
    without it.
    """
    check_installed()
    with tempfile.TemporaryDirectory(prefix="pumice-lava-") as name:
        folder = Path(name)
        arrays: dict[str, Any] = {
            "events": events,
            "inputs": inputs / most,
            "fixed": fixed / most,
            "kept": kept,
            "threshold": threshold / most,
        }
        for number, group in enumerate(groups):
            arrays[f"weights{number}"] = group.weights / most
            arrays |= {f"plus{number}": group.plus, f"minus{number}": group.minus}
        np.savez(folder / "given.npz", **arrays)
        constants = [(group.tau_plus, group.tau_minus) for group in groups]
        (folder / "groups.json").write_text(json.dumps(constants), encoding="utf-8")
        log = folder / "log.txt"
        if run_guarded(["-m", "pumice.deploy.lava.learning_child", str(folder)], log, seconds):
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise EngineError(f"lava: {said[-1] if said else 'ended and said nothing'}")
        with np.load(folder / "found.npz", allow_pickle=False) as found:
            weights = tuple(most * found[f"weights{number}"] for number in range(len(groups)))
            return Learned(weights, found["spikes"])
