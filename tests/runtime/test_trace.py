import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime import (
    Dense,
    Network,
    Population,
    Projection,
    Trace,
    accuracy_over_time,
    logits_over_time,
)
from pumice.runtime.errors import EngineError
from pumice.runtime.population import Kind


def network(kind: Kind) -> Network:
    return Network(
        (Population("in", (1,), kind="input"), Population("out", (3,), kind=kind)),
        (Projection("p", "in", "out", Dense(np.ones((3, 1)))),),
    )


def spiking(spikes: NDArray[np.uint8]) -> Trace:
    return Trace(spikes.shape[0], spikes.shape[1], {"out": spikes}, {}, {})


SPIKES = np.array([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 1]]], np.uint8)


def test_a_spiking_output_says_how_often_each_neuron_has_fired() -> None:
    told = logits_over_time(network("cuba"), spiking(SPIKES))
    assert told[:, 0].tolist() == [[0, 1, 0], [0, 1, 1], [0, 1, 2]]


def test_counts_do_not_turn_over_after_255_steps() -> None:
    spikes = np.ones((300, 1, 3), np.uint8)
    assert logits_over_time(network("cuba"), spiking(spikes))[-1, 0].tolist() == [300, 300, 300]


def test_an_integrator_says_its_voltage() -> None:
    voltages = np.array([[[-5, 3, 2]], [[7, 3, 2]]], np.int32)
    trace = Trace(2, 1, {}, {}, {"out": voltages})
    assert np.array_equal(logits_over_time(network("integrator"), trace), voltages)
    assert accuracy_over_time(network("integrator"), trace, np.array([0])).tolist() == [0.0, 1.0]


def test_the_first_of_equals_is_the_class() -> None:
    """After two steps neurons 1 and 2 have fired once each."""
    assert accuracy_over_time(network("cuba"), spiking(SPIKES), np.array([1])).tolist() == [1, 1, 0]
    assert accuracy_over_time(network("cuba"), spiking(SPIKES), np.array([2])).tolist() == [0, 0, 1]


def test_accuracy_is_the_share_of_right_samples() -> None:
    both = np.concatenate([SPIKES, SPIKES, SPIKES, SPIKES], axis=1)
    shares = accuracy_over_time(network("cuba"), spiking(both), np.array([1, 1, 1, 2]))
    assert shares.tolist() == [0.75, 0.75, 0.25]


def test_each_sample_needs_a_label() -> None:
    with pytest.raises(EngineError, match="labels for 1 samples, needs one each"):
        accuracy_over_time(network("cuba"), spiking(SPIKES), np.array([1, 2]))
