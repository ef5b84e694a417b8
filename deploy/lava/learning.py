"""STDP by Lava's own learning rules: a masked `LearningDense` per group of time constants.

Lava holds one pair of trace time constants a connection. Synapses that share theirs are a group,
and a group is a connection of its own. Its matrix is dense: tag 1 holds A+ and tag 2 A-, and both
are 0 where there is no synapse, so that none grows. The rule is

    dw = 2^-k t y0 x1 (1 - w) - 2^-k d x0 y1 w

which is what `pumice.train.hrsnn.stdp` does, in units of w_max. Rules take whole numbers only, so
all weights and thresholds are divided by w_max on the way in, and multiplied on the way out.

In fixed point one connection holds all synapses of a projection: its two traces a side are mixed
by the tags, as `pumice.runtime.plasticity` says. Lava's model of that is an approximation of the
chip by its own words, and draws other numbers to round by: the two agree in their statistics.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Network, Sparse
from ...runtime.arithmetic import DECAY_ONE
from ...runtime.connections import Connection
from ...runtime.errors import EngineError, NetworkError
from ...runtime.lava_compat import check_installed
from ...runtime.plasticity import PlasticityRule, validate_rules
from .subprocess_guard import run_guarded

TIMEOUT_SECONDS = 240.0
RULE_EXPONENT = 7  # k of the rule; what it takes away is in the tags
TAG_SCALE = 2**RULE_EXPONENT
FLOAT_RULE = f"2^-{RULE_EXPONENT}*t*y0*x1*(1-w)-2^-{RULE_EXPONENT}*d*x0*y1*w"
FloatArray = NDArray[np.float64]
Arrays = dict[str, Any]


@dataclass(frozen=True)
class LearningGroup:
    """Synapses of one pair of time constants: dense matrices (neurons, neurons), target first.

    `weights` are 0 where `plus` and `minus` are: there is no synapse.
    """

    weights: FloatArray
    plus: FloatArray
    minus: FloatArray
    tau_plus: float
    tau_minus: float


@dataclass(frozen=True)
class LearningResult:
    """What came of learning: weights of each group, (neurons, neurons), and all spikes.

    `spikes` uint8 (timesteps, neurons).
    """

    weights: tuple[FloatArray, ...]
    spikes: NDArray[np.uint8]


def learn_in_lava(
    events: NDArray[np.uint8],
    inputs: FloatArray,
    fixed: FloatArray,
    groups: tuple[LearningGroup, ...],
    decay_factor: FloatArray,
    threshold: FloatArray,
    w_max: float,
    seconds: float = TIMEOUT_SECONDS,
) -> LearningResult:
    """Run recurrent neurons that learn in Lava's simulator, in floating point.

    `events` uint8 (timesteps, inputs), `inputs` the weights (neurons, inputs) from them, `fixed`
    the recurrent weights (neurons, neurons) that do not learn, `kept` and `threshold` (neurons,),
    `most` the largest weight that learning may reach. Everything happens in a process of its own.
    Raises `EngineError` where Lava fails or is not done after `seconds`, and `MissingPackage`
    without it.
    """
    arrays: Arrays = {"events": events, "kept": decay_factor}
    arrays |= {"inputs": inputs / w_max, "fixed": fixed / w_max, "threshold": threshold / w_max}
    rules = []
    for number, group in enumerate(groups):
        arrays[f"weights{number}"] = group.weights / w_max
        arrays |= {
            f"tag1{number}": group.plus * TAG_SCALE,
            f"tag2{number}": group.minus * TAG_SCALE,
        }
        taus = (group.tau_plus, 0.0), (group.tau_minus, 0.0)
        rules.append({"dw": FLOAT_RULE, "impulse": 1.0, "taus": taus})
    found = _run_worker(arrays, rules, "floating_pt", seconds)
    weights = tuple(w_max * found[f"weights{number}"] for number in range(len(groups)))
    return LearningResult(weights, found["spikes"])


def learn_in_lava_fixed(
    network: Network,
    name: str,
    rule: PlasticityRule,
    events: NDArray[np.uint8],
    seconds: float = TIMEOUT_SECONDS,
) -> LearningResult:
    """Run `network` in Lava's fixed point while its projection `name` learns by `rule`.

    For networks of one input and one population of neurons that projects to itself. `events`:
    uint8 (timesteps, inputs), one sample. Raises as `learn_in_lava` does, and `NetworkError` where
    the rule does not fit.
    """
    validate_rules(network, {name: rule})
    (neurons,) = network.topological_order
    dense = {
        projection.name: _to_dense(projection.connection) for projection in network.projections
    }
    learning = next(p for p in network.projections if p.name == name)
    rest = [p for p in network.projections if p is not learning]
    zero = np.zeros((neurons.neurons, neurons.neurons))
    tags = np.zeros((2, *zero.shape), np.int64)
    connection: Any = learning.connection
    tags[:, connection.rows, connection.columns] = rule.tags
    arrays: Arrays = {
        "events": events,
        "inputs": sum((dense[p.name] for p in rest if p.source != neurons.name), 0),
        "fixed": sum((dense[p.name] for p in rest if p.source == neurons.name), zero),
        "decay": np.broadcast_to(neurons.voltage_decay, neurons.shape),
        "threshold": np.broadcast_to(neurons.threshold, neurons.shape),
        "weights0": dense[name],
        "tag10": tags[0],
        "tag20": tags[1],
    }
    up, down = (f"{size}*2^{rule.exponent - 7}" for size in (rule.potentiation, rule.depression))
    dw = f"{up}*t*y0*x1*(255-w)+{up}*d*y0*x2*(255-w)-{down}*t*x0*y1*w-{down}*d*x0*y2*w"
    taus = [
        [float(-1 / np.log(kept / DECAY_ONE)) for kept in side]
        for side in (rule.pre_decay_factors, rule.post_decay_factors)
    ]
    rules = [{"dw": dw, "impulse": float(rule.impulse), "taus": taus}]
    found = _run_worker(arrays, rules, "fixed_pt", seconds)
    return LearningResult((found["weights0"],), found["spikes"])


def _to_dense(connection: Connection) -> NDArray[np.int64]:
    """Return a `Sparse` as a matrix (targets, sources)."""
    matrix = np.zeros(getattr(connection, "shape", (0, 0)), np.int64)
    if not isinstance(connection, Sparse):
        raise NetworkError("lava: learns where all projections are sparse; make them so")
    matrix[connection.rows, connection.columns] = connection.weights
    return matrix


def _run_worker(arrays: Arrays, rules: list[Any], form: str, seconds: float) -> Arrays:
    """Do the job in a process of its own; return its weights and spikes."""
    check_installed()
    with tempfile.TemporaryDirectory(prefix="pumice-lava-") as name:
        folder = Path(name)
        np.savez(folder / "given.npz", **arrays)
        job = {"form": form, "rules": rules}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        log = folder / "log.txt"
        if run_guarded(["-m", "pumice.deploy.lava.learning_worker", str(folder)], log, seconds):
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise EngineError(f"lava: {said[-1] if said else 'ended and said nothing'}")
        with np.load(folder / "found.npz", allow_pickle=False) as found:
            return dict(found)
