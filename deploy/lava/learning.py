"""STDP by Lava's own learning rules: a masked `LearningDense` per group of time constants.

Lava has one pair of trace time constants per connection. Synapses that share theirs are a group,
and each group is a connection. Its matrix is dense: tag 1 holds A+ and tag 2 A-, and both are 0 if
there is no synapse, so that none grows. The rule is

    dw = 2^-k t y0 x1 (1 - w) - 2^-k d x0 y1 w

which equals `pumice.train.hrsnn.stdp` in units of w_max. Rules take integers only, so all weights
and thresholds are divided by w_max on the way in, and multiplied on the way out.

In fixed point, one connection holds all synapses of a projection: its two traces per side are mixed
by the tags (see `pumice.runtime.plasticity`). Lava's model of this approximates the chip, according
to its documentation, and draws other random numbers for rounding: the two agree statistically.
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
RULE_EXPONENT = 7  # k of the rule; the tags are scaled by 2^k
TAG_SCALE = 2**RULE_EXPONENT
FLOAT_RULE = f"2^-{RULE_EXPONENT}*t*y0*x1*(1-w)-2^-{RULE_EXPONENT}*d*x0*y1*w"
FloatArray = NDArray[np.float64]
Arrays = dict[str, Any]


@dataclass(frozen=True)
class LearningGroup:
    """Synapses of one pair of time constants, as dense matrices (neurons, neurons), target first.

    Attributes:
        weights: Initial weights, 0 if there is no synapse.
        a_plus: A+ of each synapse, 0 if there is none.
        a_minus: A- of each synapse, 0 if there is none.
        tau_plus: Time constant of the presynaptic trace, in steps.
        tau_minus: Time constant of the postsynaptic trace, in steps.
    """

    weights: FloatArray
    a_plus: FloatArray
    a_minus: FloatArray
    tau_plus: float
    tau_minus: float


@dataclass(frozen=True)
class LearningResult:
    """Result of learning.

    Attributes:
        weights: Weights of each group, (neurons, neurons).
        spikes: uint8 (timesteps, neurons).
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
    timeout: float = TIMEOUT_SECONDS,
) -> LearningResult:
    """Train recurrent neurons by STDP in Lava's simulator, in floating point.

    Runs in a process of its own.

    Args:
        events: uint8 (timesteps, inputs).
        inputs: Weights from the inputs, (neurons, inputs).
        fixed: Recurrent weights that do not learn, (neurons, neurons).
        groups: Synapses that learn.
        decay_factor: Factor of the voltage in each step, (neurons,).
        threshold: Firing thresholds, (neurons,).
        w_max: Upper bound of the weights that learn.
        timeout: Time limit in seconds.

    Raises:
        EngineError: Lava fails, or is not done in time.
        MissingPackage: Lava is not installed.
    """
    arrays: Arrays = {"events": events, "decay_factor": decay_factor}
    arrays |= {"inputs": inputs / w_max, "fixed": fixed / w_max, "threshold": threshold / w_max}
    rules = []
    for number, group in enumerate(groups):
        arrays[f"weights{number}"] = group.weights / w_max
        arrays |= {
            f"tag1{number}": group.a_plus * TAG_SCALE,
            f"tag2{number}": group.a_minus * TAG_SCALE,
        }
        taus = (group.tau_plus, 0.0), (group.tau_minus, 0.0)
        rules.append({"dw": FLOAT_RULE, "impulse": 1.0, "taus": taus})
    result = _run_worker(arrays, rules, "floating_pt", timeout)
    weights = tuple(w_max * result[f"weights{number}"] for number in range(len(groups)))
    return LearningResult(weights, result["spikes"])


def learn_in_lava_fixed(
    network: Network,
    name: str,
    rule: PlasticityRule,
    events: NDArray[np.uint8],
    timeout: float = TIMEOUT_SECONDS,
) -> LearningResult:
    """Train the projection `name` of `network` by `rule` in Lava's simulator, in fixed point.

    Args:
        network: A network of one input and one population of neurons that projects to itself.
        name: The projection that learns.
        rule: The plasticity rule.
        events: uint8 (timesteps, inputs), one sample.
        timeout: Time limit in seconds.

    Raises:
        NetworkError: The rule does not fit the network.
        EngineError: Lava fails, or is not done in time.
        MissingPackage: Lava is not installed.
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
    up, down = (f"{rate}*2^{rule.exponent - 7}" for rate in (rule.potentiation, rule.depression))
    dw = f"{up}*t*y0*x1*(255-w)+{up}*d*y0*x2*(255-w)-{down}*t*x0*y1*w-{down}*d*x0*y2*w"
    taus = [
        [float(-1 / np.log(factor / DECAY_ONE)) for factor in side]
        for side in (rule.pre_decay_factors, rule.post_decay_factors)
    ]
    rules = [{"dw": dw, "impulse": float(rule.impulse), "taus": taus}]
    result = _run_worker(arrays, rules, "fixed_pt", timeout)
    return LearningResult((result["weights0"],), result["spikes"])


def _to_dense(connection: Connection) -> NDArray[np.int64]:
    """Convert a `Sparse` to a matrix (targets, sources)."""
    matrix = np.zeros(getattr(connection, "shape", (0, 0)), np.int64)
    if not isinstance(connection, Sparse):
        raise NetworkError("lava: learning needs sparse projections; convert the others to sparse")
    matrix[connection.rows, connection.columns] = connection.weights
    return matrix


def _run_worker(arrays: Arrays, rules: list[Any], number_format: str, timeout: float) -> Arrays:
    """Run the job in a process of its own, for its weights and spikes."""
    check_installed()
    with tempfile.TemporaryDirectory(prefix="pumice-lava-") as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", **arrays)
        job = {"number_format": number_format, "rules": rules}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        log = folder / "log.txt"
        if run_guarded(["-m", "pumice.deploy.lava.learning_worker", str(folder)], log, timeout):
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise EngineError(f"lava: {lines[-1] if lines else 'ended without a message'}")
        with np.load(folder / "result.npz", allow_pickle=False) as result:
            return dict(result)
