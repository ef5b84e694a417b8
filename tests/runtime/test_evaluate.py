from types import SimpleNamespace

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK

from pumice.runtime import accuracy_over_time, logits_over_time, network_digest
from pumice.runtime.engines import reference
from pumice.runtime.errors import EngineError
from pumice.runtime.evaluate import evaluate_network

TRACE = reference.run(NETWORK, EVENTS)
CLASSES = logits_over_time(NETWORK, TRACE)[-1].argmax(axis=1).tolist()


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_the_result_does_not_depend_on_the_batch_size(batch_size: int) -> None:
    inputs = SimpleNamespace(events=EVENTS, labels=LABELS, name="noise")
    result = evaluate_network(NETWORK, inputs, "reference", batch_size=batch_size)
    expected = accuracy_over_time(NETWORK, TRACE, LABELS)
    assert result.accuracy == pytest.approx(tuple(expected))
    assert list(result.predictions) == CLASSES
    assert (result.samples, result.timesteps, result.inputs) == (7, 5, "noise")
    assert result.network == network_digest(NETWORK) and result.engine == "reference"


def test_an_array_has_no_accuracy() -> None:
    result = evaluate_network(NETWORK, EVENTS)
    assert result.accuracy is None and list(result.predictions) == CLASSES
    assert result.to_dict()["predictions"] == result.predictions


def test_the_batches_can_be_tracked() -> None:
    starts: list[int] = []

    def track(batch_starts: range) -> range:
        starts.extend(batch_starts)
        return batch_starts

    evaluate_network(NETWORK, EVENTS, batch_size=3, track=track)  # type: ignore[arg-type]
    assert starts == [0, 3, 6]


def test_inputs_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(EngineError, match="in: events are"):
        evaluate_network(NETWORK, np.zeros((5, 7, 3, 6, 6), np.uint8))
