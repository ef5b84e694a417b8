import sys
from dataclasses import replace
from typing import Any

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
from pumice.runtime.errors import EngineError, MissingPackage
from pumice.runtime.population import Kind


def network(kind: Kind) -> Network:
    return Network(
        (Population("in", (1,), kind="input"), Population("out", (3,), kind=kind)),
        (Projection("p", "in", "out", Dense(np.ones((3, 1)))),),
    )


def spiking_trace(spikes: NDArray[np.uint8]) -> Trace:
    """Trace of a spiking output, uint8 (timesteps, batch, 3)."""
    return Trace(spikes.shape[0], spikes.shape[1], {"out": spikes}, {}, {}, network=network("cuba"))


SPIKES = np.array([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 1]]], np.uint8)
BATCH = spiking_trace(np.concatenate([SPIKES, SPIKES, SPIKES, SPIKES], axis=1))


def test_logits_of_a_spiking_output_are_its_spike_counts_so_far() -> None:
    expected = [[0, 1, 0], [0, 1, 1], [0, 1, 2]]
    assert logits_over_time(network("cuba"), spiking_trace(SPIKES))[:, 0].tolist() == expected
    assert spiking_trace(SPIKES).logits[:, 0].tolist() == expected


def test_spike_counts_do_not_wrap_after_255_steps() -> None:
    spikes = np.ones((300, 1, 3), np.uint8)
    assert spiking_trace(spikes).logits[-1, 0].tolist() == [300, 300, 300]


def test_logits_of_an_integrator_are_its_voltages() -> None:
    voltages = np.array([[[-5, 3, 2]], [[7, 3, 2]]], np.int32)
    trace = Trace(2, 1, {}, {}, {"out": voltages})
    assert np.array_equal(logits_over_time(network("integrator"), trace), voltages)
    assert accuracy_over_time(network("integrator"), trace, np.array([0])).tolist() == [0.0, 1.0]


def test_logits_of_a_spiking_output_are_spikes_where_voltages_are_recorded_too() -> None:
    voltages = {"out": np.full((3, 1, 3), 9, np.int32)}
    trace = replace(spiking_trace(SPIKES), voltages=voltages, currents=voltages)
    assert trace.logits[-1, 0].tolist() == [0, 1, 2]
    assert repr(trace) == "Trace(3 timesteps, 1 samples, spikes of out, with states)"


def test_the_first_of_tied_logits_is_predicted() -> None:
    """After two steps neurons 1 and 2 have fired once each."""
    assert spiking_trace(SPIKES).accuracy([1]).tolist() == [1, 1, 0]
    assert spiking_trace(SPIKES).accuracy(np.array([2], np.uint8)).tolist() == [0, 0, 1]
    assert spiking_trace(SPIKES).predictions.tolist() == [2]


def test_accuracy_is_the_fraction_of_correct_samples() -> None:
    labels = np.array([1, 1, 1, 2])
    assert accuracy_over_time(network("cuba"), BATCH, labels).tolist() == [0.75, 0.75, 0.25]
    assert BATCH.accuracy(labels).tolist() == [0.75, 0.75, 0.25]


def test_the_confusion_matrix_counts_true_by_predicted_class() -> None:
    matrix = BATCH.confusion_matrix([1, 1, 0, 2])
    assert matrix.tolist() == [[0, 0, 1], [0, 0, 2], [0, 0, 1]]
    with pytest.raises(
        EngineError, match="labels are 0 to 3, but the network has 3 classes, 0 to 2"
    ):
        BATCH.confusion_matrix([0, 1, 2, 3])


@pytest.mark.parametrize("method", ["accuracy", "confusion_matrix", "plot_accuracy"])
def test_each_sample_needs_a_label(method: str) -> None:
    with pytest.raises(EngineError, match="labels for 1 samples, needs one each"):
        getattr(spiking_trace(SPIKES), method)(np.array([1, 2]))


def test_labels_are_integers() -> None:
    with pytest.raises(EngineError, match="labels are float64, needs integers"):
        spiking_trace(SPIKES).accuracy(np.array([1.0]))


def test_a_raster_marks_each_spike_and_a_curve_each_timestep() -> None:
    pytest.importorskip("matplotlib")
    (panel,) = BATCH.plot_raster(sample=1).axes
    assert panel.collections[0].get_offsets().tolist() == [[1, 1], [2, 2], [3, 2]]
    (panel,) = BATCH.plot_accuracy([1, 1, 1, 2]).axes
    assert panel.lines[0].get_ydata().tolist() == [0.75, 0.75, 0.25]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": 4}, "sample 4, but the trace has 4"),
        ({"populations": ["in"]}, "in: its spikes were not recorded; run with record='all'"),
    ],
)
def test_a_raster_needs_spikes_that_were_recorded(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        BATCH.plot_raster(**options)


def test_a_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackage, match=r"needs matplotlib.*pip install 'pumice\[plot\]'"):
        BATCH.plot_raster()
