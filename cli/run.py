"""`pumice run`: run a network on an engine; accuracy, spikes and synaptic operations."""

from typing import TYPE_CHECKING

from .options import (
    DataFolder,
    DataName,
    Engine,
    EventsFile,
    Json,
    NetworkFile,
    Samples,
    Timesteps,
)

MAX_PREDICTIONS = 16  # that are printed

if TYPE_CHECKING:
    from ..runtime.evaluate import NetworkEvaluation


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
    """Run a network and report accuracy and operation counts.

    Without --data or --events the inputs are the test samples of the dataset that trained it.
    """
    from ..runtime import read_network
    from ..runtime.evaluate import evaluate_network
    from ..train.data.inputs import read_inputs
    from .output import print_facts, print_json, track_progress

    network = read_network(file)
    inputs = read_inputs(network, data, folder, events, samples, timesteps, lazy=True)
    result = evaluate_network(
        network, inputs, engine, track=lambda steps: track_progress(steps, f"running {engine}")
    )
    if as_json:
        print_json(result.to_dict())
    else:
        print_facts(_facts(result))


def _facts(result: "NetworkEvaluation") -> dict[str, str]:
    from .output import accuracy_facts, error_facts

    facts = {
        **_predictions(result),
        "samples": f"{result.samples:,} of {result.inputs}, {result.timesteps} timesteps each",
        "engine": f"{result.engine}, {result.seconds:.2f} s",
        "events": f"{result.events:,.0f} per sample",
        "operations": f"{result.synaptic_operations:,.0f} synaptic operations and "
        f"{result.neuron_updates:,} neuron updates per sample",
    }
    if result.mae is not None and result.rmse is not None:
        return {**error_facts(result.mae, result.rmse), **facts}
    return facts if result.accuracy is None else {**accuracy_facts(result.accuracy), **facts}


def _predictions(result: "NetworkEvaluation") -> dict[str, str]:
    """Predicted classes of a few samples without labels."""
    if result.accuracy is not None or result.samples > MAX_PREDICTIONS:
        return {}
    return {"predictions": ", ".join(map(str, result.predictions))}
