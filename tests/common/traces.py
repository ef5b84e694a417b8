"""Compare traces value by value, and slice one sample from a batch."""

from dataclasses import replace

import numpy as np

from pumice.runtime import Trace


def assert_same(left: Trace, right: Trace) -> None:
    """Fail, naming the first array that differs and where, unless the traces are equal."""
    assert (left.timesteps, left.batch) == (right.timesteps, right.batch)
    assert left.steps.tolist() == right.steps.tolist()
    for what in ("currents", "voltages", "spikes", "counts"):
        ours, theirs = getattr(left, what), getattr(right, what)
        assert set(ours) == set(theirs), what
        for name in ours:
            shape = ours[name].shape
            assert (shape, ours[name].dtype) == (theirs[name].shape, theirs[name].dtype), name
            wrong = np.argwhere(ours[name] != theirs[name])
            assert not len(wrong), f"{what} of {name} first differ at {wrong[0]}"


def part(trace: Trace, sample: int) -> Trace:
    """Slice the trace of one sample of a batch."""
    one = slice(sample, sample + 1)
    return replace(
        trace,
        batch=1,
        spikes={name: array[:, one] for name, array in trace.spikes.items()},
        counts={name: array[one] for name, array in trace.counts.items()},
        voltages={name: array[:, one] for name, array in trace.voltages.items()},
        currents={name: array[:, one] for name, array in trace.currents.items()},
        steps=trace.steps[one],
    )
