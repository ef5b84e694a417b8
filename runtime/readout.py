"""Readout rule of a network: how the states of its output become predictions.

An engine computes the same spikes and voltages whatever the rule is. V(t) is the output after
timestep t: the voltage of an integrator, or the number of spikes that a neuron has sent so far.

- last: V(t), the prediction after the timesteps so far.
- mean: V(t) / t, what a timestep adds on average.
- max: the largest V of each output so far (max over time).
- length: V(t), held after the last timestep in which the sample has an input.

Classification predicts the class of the largest output, the first of ties. Regression predicts
offset + scale times the output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError, NetworkError

Decision = Literal["last", "mean", "max", "length"]
Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Readout:
    """Readout rule of a network.

    Attributes:
        decision: Which of the states over time is the prediction, see the module.
        task: Whether outputs are classes or estimates of numbers.
        scale: Units of the estimate per unit of the output (1/64 weight unit of an integrator), one
            for each output of a regression.
        offset: Estimate where an output is 0, one for each output of a regression.

    Raises:
        NetworkError: An attribute has another value, or a regression lacks scale or offset.
    """

    decision: Decision = "last"
    task: Task = "classification"
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, known in (("decision", Decision), ("task", Task)):
            if getattr(self, name) not in get_args(known):
                raise NetworkError(
                    f"readout: {name} {getattr(self, name)!r} is none of {get_args(known)}"
                )
        for name in ("scale", "offset"):
            values = tuple(float(value) for value in getattr(self, name))
            if not np.isfinite(values).all():
                raise NetworkError(f"readout: {name} holds {values}, needs finite numbers")
            object.__setattr__(self, name, values)
        if len(self.scale) != len(self.offset) or (self.task == "regression") != bool(self.scale):
            raise NetworkError(
                f"readout: a {self.task} with {len(self.scale)} scales and {len(self.offset)} "
                "offsets; a regression needs one of each for each output, a classification none"
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "decision": self.decision, "task": self.task,
            "scale": list(self.scale), "offset": list(self.offset),
        }  # fmt: skip


def decide(
    outputs: NDArray[Any], readout: Readout, lengths: NDArray[np.int64] | None = None
) -> NDArray[Any]:
    """Apply the decision to outputs after each timestep, (timesteps, samples, outputs).

    `lengths`, int64 (samples,), are the timesteps up to the last input of each sample, which
    "length" needs. Integers stay integers, except of "mean".
    """
    if readout.decision == "max":
        largest: NDArray[Any] = np.maximum.accumulate(outputs, axis=0)
        return largest
    if readout.decision == "mean":
        counts = np.arange(1, len(outputs) + 1).reshape(-1, 1, 1)
        mean: NDArray[Any] = outputs / counts
        return mean
    if readout.decision == "length":
        if lengths is None or lengths.shape != outputs.shape[1:2]:
            raise EngineError(
                'readout: decision "length" needs the lengths of the samples; run with '
                "pumice.run, which adds them to the trace"
            )
        last = np.minimum(np.arange(len(outputs))[:, None], np.maximum(lengths, 1) - 1)
        held: NDArray[Any] = outputs[last, np.arange(len(lengths))]
        return held
    return outputs


def decide_step(
    held: NDArray[Any] | None, outputs: NDArray[Any], readout: Readout, has_input: bool
) -> NDArray[Any]:
    """Apply the decision to the outputs of one timestep, (outputs,), of a sample in progress.

    `held` is the result of the timestep before, None in the first; `has_input` says whether the
    timestep has an input. After each timestep the result is what `decide` gives for a sample that
    ends with it. Outputs of "mean" are left as they are, as their order is the same.
    """
    if held is None:
        return outputs
    if readout.decision == "max":
        largest: NDArray[Any] = np.maximum(held, outputs)
        return largest
    return held if readout.decision == "length" and not has_input else outputs


def input_lengths(events: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Timesteps up to the last one with an input, int64 (samples,), 0 of a sample without any."""
    lengths = []
    for array in events.values():
        active: NDArray[np.bool_] = np.any(array.reshape(*array.shape[:2], -1), axis=2)
        steps = np.arange(1, len(active) + 1)[:, None]
        lengths.append((active * steps).max(axis=0))
    longest: NDArray[np.int64] = np.max(lengths, axis=0).astype(np.int64)
    return longest
