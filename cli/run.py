"""`pumice run`: how often a network is right, and what that costs."""

from time import perf_counter
from typing import TYPE_CHECKING, Any

from .options import (
    DataFolder,
    DataName,
    Engine,
    EngineName,
    EventsFile,
    Json,
    NetworkFile,
    Samples,
    Timesteps,
)

if TYPE_CHECKING:
    from ..runtime import Network
    from ..train.data.inputs import Inputs

BATCH = 128


def run(
    file: NetworkFile,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    engine: Engine = "cpu",
    samples: Samples = None,
    timesteps: Timesteps = None,
    as_json: Json = False,
) -> None:
    """Say how often a network is right, and what that costs.

    Without --data or --events it takes the test samples of the data that trained it.
    """
    from ..runtime import read_network
    from ..train.data.inputs import read_inputs
    from .output import print_facts, print_json

    network = read_network(file)
    told = evaluate(network, read_inputs(network, data, folder, events, samples, timesteps), engine)
    if as_json:
        print_json(told)
    else:
        print_facts(_facts(told))


def evaluate(network: "Network", inputs: "Inputs", name: EngineName) -> dict[str, Any]:
    """Run `network` in batches of 128 samples and return what came of it, as plain values.

    `accuracy` after each timestep where labels are known, `answers` of each sample after the last,
    and per inference (mean) `events`, `operations` and `updates`.
    """
    import numpy as np

    from ..runtime import accuracy_over_time, logits_over_time, network_digest
    from ..runtime.op_counts import count_ops
    from .engines import get_engine
    from .output import progress

    compute, given = get_engine(name), []
    right, totals = np.zeros(1), np.zeros(2)
    start = perf_counter()
    for first in progress(range(0, inputs.samples, BATCH), f"running {name}"):
        part = inputs.slice(first, first + BATCH)
        trace = compute(network, part.events, "output")
        counts = count_ops(network, trace)
        totals += counts.total_events.sum(), counts.total_synaptic_operations.sum()
        given += logits_over_time(network, trace)[-1].argmax(axis=-1).tolist()
        if part.labels is not None:
            right = right + accuracy_over_time(network, trace, part.labels) * part.samples
    return {
        "network": network_digest(network),
        "inputs": inputs.name,
        "engine": name,
        "samples": inputs.samples,
        "timesteps": trace.timesteps,
        "accuracy": None if inputs.labels is None else (right / inputs.samples).tolist(),
        "answers": given,
        "events": totals[0] / inputs.samples,
        "operations": totals[1] / inputs.samples,
        "updates": counts.total_neuron_updates,
        "seconds": perf_counter() - start,
    }


def _facts(told: dict[str, Any]) -> dict[str, str]:
    from .output import accuracy_facts

    facts = {
        "samples": f"{told['samples']:,} of {told['inputs']}, {told['timesteps']} timesteps each",
        "engine": f"{told['engine']}, {told['seconds']:.2f} s",
        "events": f"{told['events']:,.0f} an inference",
        "operations": f"{told['operations']:,.0f} at synapses and {told['updates']:,} neuron "
        "updates an inference",
    }
    return facts if told["accuracy"] is None else {**accuracy_facts(told["accuracy"]), **facts}
