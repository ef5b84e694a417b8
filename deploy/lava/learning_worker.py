"""The process that learns in Lava: reads what `learning` wrote into a folder, answers there."""

import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.lava_compat import patch_lava
from .subprocess_guard import die_with_parent

UNUSED_TAU = 1.0  # the time constant of a trace that no rule reads


def main(folder: Path) -> None:
    """Learn, and write the weights and the spikes to `found.npz` in `folder`."""
    die_with_parent()
    patch_lava()
    with np.load(folder / "given.npz", allow_pickle=False) as file:
        given = dict(file)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    found = _learn(given, job["rules"], job["form"])
    np.savez(folder / "found.npz", **found)


def _learn(given: dict[str, Any], rules: list[Any], form: str) -> dict[str, Any]:
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.process import Dense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    from .execute import execute

    steps = len(given["events"]) + 1  # what the input sends arrives a step later
    source = Source(data=np.concatenate([given["events"], given["events"][:1] * 0]).T)
    taken, static = Dense(weights=given["inputs"]), Dense(weights=given["fixed"])
    neurons = _make_neurons(given)
    sink = Sink(shape=neurons.s_out.shape, buffer=steps)
    source.s_out.connect(taken.s_in)
    neurons.s_out.connect(static.s_in)
    neurons.s_out.connect(sink.a_in)
    learning = [_make_learning_connection(given, number, rule) for number, rule in enumerate(rules)]
    for dense in learning:
        neurons.s_out.connect(dense.s_in)
        neurons.s_out.connect(dense.s_in_bap)
    for dense in (taken, static, *learning):
        dense.a_out.connect(neurons.a_in)
    execute([source], steps, Loihi2SimCfg(select_tag=form))
    found = {f"weights{number}": dense.weights.get() for number, dense in enumerate(learning)}
    return found | {"spikes": sink.data.get().T[1:].astype(np.uint8)}


def _make_neurons(given: dict[str, Any]) -> Any:
    """Return neurons in floating point, or in fixed point where decays are given as integers."""
    from lava.proc.lif.process import LIF

    shape, threshold = given["threshold"].shape, given["threshold"]
    if "decay" in given:
        return LIF(shape=shape, du=4095, dv=given["decay"], vth=threshold)
    return LIF(shape=shape, du=1.0, dv=1 - given["kept"], vth=threshold)


def _make_learning_connection(given: dict[str, Any], number: int, rule: Any) -> Any:
    """Return the connection that learns by one rule."""
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.dense.process import LearningDense
    from lava.utils.weightutils import SignMode

    traces: dict[str, float] = {}
    for side, taus in zip("xy", rule["taus"], strict=True):
        for place, tau in enumerate(taus, start=1):
            traces[f"{side}{place}_tau"] = tau or UNUSED_TAU
            traces[f"{side}{place}_impulse"] = rule["impulse"] if tau else 0.0
    return LearningDense(
        weights=given[f"weights{number}"],
        tag_1=given[f"tag1{number}"],
        tag_2=given[f"tag2{number}"],
        learning_rule=Loihi2FLearningRule(dw=rule["dw"], rng_seed=1, **traces),
        sign_mode=SignMode.EXCITATORY,
    )


if __name__ == "__main__":
    status = 0
    try:
        main(Path(sys.argv[1]))
    except Exception as error:  # whatever Lava raises is for the user to read
        status = 1
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
    for process in multiprocessing.active_children():
        process.kill()
    sys.stderr.flush()
    os._exit(status)
