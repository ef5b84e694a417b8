"""The process that learns in Lava: reads what `learning` wrote into a folder, answers there."""

import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .guard import die_with_parent
from .prepare import prepare

EXPONENT = 7  # k of the rule; what it takes away is in the tags


def main(folder: Path) -> None:
    """Learn, and write the weights and the spikes to `found.npz` in `folder`."""
    die_with_parent()
    prepare()
    with np.load(folder / "given.npz", allow_pickle=False) as file:
        given = dict(file)
    groups = json.loads((folder / "groups.json").read_text(encoding="utf-8"))
    found = _learned(given, groups)
    np.savez(folder / "found.npz", **found)


def _learned(given: dict[str, Any], groups: list[list[float]]) -> dict[str, Any]:
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.process import Dense, LearningDense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.lif.process import LIF

    from .execute import execute

    steps, neurons = len(given["events"]), len(given["kept"])
    source = Source(data=np.concatenate([given["events"], given["events"][:1] * 0]).T)
    taken = Dense(weights=given["inputs"])
    lif = LIF(shape=(neurons,), du=1.0, dv=1 - given["kept"], vth=given["threshold"])
    static = Dense(weights=given["fixed"])
    sink = Sink(shape=(neurons,), buffer=steps + 1)
    source.s_out.connect(taken.s_in)
    taken.a_out.connect(lif.a_in)
    lif.s_out.connect(static.s_in)
    static.a_out.connect(lif.a_in)
    lif.s_out.connect(sink.a_in)
    learning = []
    for number, (tau_plus, tau_minus) in enumerate(groups):
        rule = Loihi2FLearningRule(
            dw=f"2^-{EXPONENT}*t*y0*x1*(1-w)-2^-{EXPONENT}*d*x0*y1*w",
            x1_impulse=1.0,
            x1_tau=tau_plus,
            y1_impulse=1.0,
            y1_tau=tau_minus,
        )
        dense = LearningDense(
            weights=given[f"weights{number}"],
            tag_1=given[f"plus{number}"] * 2**EXPONENT,
            tag_2=given[f"minus{number}"] * 2**EXPONENT,
            learning_rule=rule,
        )
        lif.s_out.connect(dense.s_in)
        lif.s_out.connect(dense.s_in_bap)
        dense.a_out.connect(lif.a_in)
        learning.append(dense)
    execute([source], steps + 1, Loihi2SimCfg(select_tag="floating_pt"))
    found = {f"weights{number}": dense.weights.get() for number, dense in enumerate(learning)}
    return found | {"spikes": sink.data.get().T[1:].astype(np.uint8)}


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
