"""Worker process that learns in Lava: reads the job of `learning` from a folder, writes results."""

import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.lava_compat import patch_lava
from .subprocess_guard import die_with_parent

UNUSED_TAU = 1.0  # time constant of a trace that no rule reads


def main(folder: Path) -> None:
    """Learn, and write the weights and the spikes to `result.npz` in `folder`."""
    die_with_parent()
    patch_lava()
    with np.load(folder / "inputs.npz", allow_pickle=False) as file:
        inputs = dict(file)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    result = _learn(inputs, job["rules"], job["number_format"])
    np.savez(folder / "result.npz", **result)


def _learn(inputs: dict[str, Any], rules: list[Any], number_format: str) -> dict[str, Any]:
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.process import Dense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    from .execute import execute

    steps = len(inputs["events"]) + 1  # events arrive one step after they are sent
    source = Source(data=np.concatenate([inputs["events"], inputs["events"][:1] * 0]).T)
    feedforward = Dense(weights=inputs["inputs"])
    static = Dense(weights=inputs["fixed"])
    neurons = _make_neurons(inputs)
    sink = Sink(shape=neurons.s_out.shape, buffer=steps)
    source.s_out.connect(feedforward.s_in)
    neurons.s_out.connect(static.s_in)
    neurons.s_out.connect(sink.a_in)
    learning = [
        _make_learning_connection(inputs, number, rule) for number, rule in enumerate(rules)
    ]
    for dense in learning:
        neurons.s_out.connect(dense.s_in)
        neurons.s_out.connect(dense.s_in_bap)
    for dense in (feedforward, static, *learning):
        dense.a_out.connect(neurons.a_in)
    execute([source], steps, Loihi2SimCfg(select_tag=number_format))
    weights = {f"weights{number}": dense.weights.get() for number, dense in enumerate(learning)}
    return weights | {"spikes": sink.data.get().T[1:].astype(np.uint8)}


def _make_neurons(inputs: dict[str, Any]) -> Any:
    """Create neurons in floating point, or in fixed point if decays are given as integers."""
    from lava.proc.lif.process import LIF

    shape, threshold = inputs["threshold"].shape, inputs["threshold"]
    if "decay" in inputs:
        return LIF(shape=shape, du=4095, dv=inputs["decay"], vth=threshold)
    return LIF(shape=shape, du=1.0, dv=1 - inputs["decay_factor"], vth=threshold)


def _make_learning_connection(inputs: dict[str, Any], number: int, rule: Any) -> Any:
    """Create the connection that learns by one rule."""
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.dense.process import LearningDense
    from lava.utils.weightutils import SignMode

    traces: dict[str, float] = {}
    for side, taus in zip("xy", rule["taus"], strict=True):
        for k, tau in enumerate(taus, start=1):
            traces[f"{side}{k}_tau"] = tau or UNUSED_TAU
            traces[f"{side}{k}_impulse"] = rule["impulse"] if tau else 0.0
    return LearningDense(
        weights=inputs[f"weights{number}"],
        tag_1=inputs[f"tag1{number}"],
        tag_2=inputs[f"tag2{number}"],
        learning_rule=Loihi2FLearningRule(dw=rule["dw"], rng_seed=1, **traces),
        sign_mode=SignMode.EXCITATORY,
    )


if __name__ == "__main__":
    status = 0
    try:
        main(Path(sys.argv[1]))
    except Exception as error:  # any error of Lava is reported to the user
        status = 1
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
    for process in multiprocessing.active_children():
        process.kill()
    sys.stderr.flush()
    os._exit(status)
