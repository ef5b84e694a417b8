from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.report import (
    AccuracyCurve,
    EarlyExitStats,
    Measurements,
    Report,
    assemble_report,
)
from pumice.report.build import MAX_RASTER_ROWS, describe_sample, flatten_dict
from pumice.runtime import Dense, Network, Population, Projection, SumPool, Trace, network_digest
from pumice.runtime.engines.reference import run
from pumice.runtime.errors import DataError, EngineError
from pumice.runtime.neurobench import neurobench_metrics
from pumice.runtime.op_counts import count_ops

EVENTS = np.random.default_rng(4).integers(0, 2, (6, 5, 2, 8, 8)).astype(np.uint8)
NETWORK = Network(
    (
        Population("in", (2, 8, 8), kind="input"),
        Population("read", (3,), "integrator", current_decay=4096, voltage_decay=0),
        Population("pool", (2, 2, 2), threshold=5),
    ),
    (
        Projection("out", "pool", "read", Dense(2 * np.arange(24).reshape(3, 8) - 16)),
        Projection("sum", "in", "pool", SumPool((4, 4), (4, 4))),
    ),
    output="read",
    provenance={
        "data": {"name": "digits", "seed": 0},
        "tags": ["a"],
        "recipe": "tcl",
        "folder": None,
    },
)


def trace() -> Trace:
    return run(NETWORK, EVENTS)


def report(labels: NDArray[np.int64] | None = None, **measured: Any) -> Report:
    return assemble_report(
        NETWORK, trace(), "a test", labels=labels, measurements=Measurements(**measured)
    )


def test_the_figures_are_the_means_of_the_counts() -> None:
    result, counts = report(), count_ops(NETWORK, trace())
    assert result.network == network_digest(NETWORK)
    assert (result.timesteps, result.samples) == (6, 5)
    assert result.synapses == 24 + 128 == counts.synapses
    assert result.events == pytest.approx(counts.total_events.mean())
    assert result.cumulative_operations[-1] == counts.total_synaptic_operations.mean()
    assert len(result.cumulative_operations) == 6
    assert result.neurobench == neurobench_metrics(NETWORK, trace())


def test_parts_are_in_topological_order() -> None:
    result = report()
    assert [p.name for p in result.populations] == ["in", "pool", "read"]
    assert [p.name for p in result.projections] == ["sum", "out"]
    assert [p.kind for p in result.projections] == ["sum_pool", "dense"]
    assert result.projections[0].synapses == 128
    assert result.populations[2].events == 0 and result.populations[2].neuron_updates == 18


def test_labels_add_the_integer_curve_and_its_final_accuracy() -> None:
    given = AccuracyCurve("float", (0.5,) * 6)
    labels = np.array([2, 2, 2, 2, 0])
    result = report(labels, curves=(given,))
    assert [curve.name for curve in result.curves] == ["float", "integer"]
    right = [
        np.mean(trace().voltages["read"][step].argmax(axis=1) == labels).item() for step in range(6)
    ]
    assert list(result.curves[1].accuracy) == right
    assert result.neurobench["ClassificationAccuracy"] == right[-1]


def test_labels_add_the_confusion_matrix_and_the_digest_of_the_data() -> None:
    labels = np.array([2, 2, 2, 2, 0])
    result = report(labels)
    assert np.array_equal(result.confusion, trace().confusion_matrix(labels))
    assert result.classes == ("0", "1", "2")
    digests = {report().inputs_digest, result.inputs_digest, report(labels[::-1]).inputs_digest}
    assert len(digests) == 3 and all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize("labels", [np.linspace(0, 1, 5), np.zeros((5, 2))])
def test_targets_of_a_regression_add_no_accuracy(labels: NDArray[Any]) -> None:
    result = report(labels)
    assert result.curves == () and result.confusion == ()
    assert "ClassificationAccuracy" not in result.neurobench


def test_a_label_beyond_the_outputs_is_an_error() -> None:
    with pytest.raises(EngineError, match="labels are 0 to 7, but the network has 3 classes"):
        report(np.array([0, 0, 0, 0, 7]))


def test_a_given_integer_curve_replaces_the_measured_one() -> None:
    given = (AccuracyCurve("integer", (0.5,) * 6), AccuracyCurve("Lava", (0.5,) * 6))
    assert report(np.zeros(5, np.int64), curves=given).curves == given


def test_a_curve_needs_a_value_for_each_timestep() -> None:
    with pytest.raises(DataError, match="curve float: 2 values, but there are 6 timesteps"):
        report(curves=(AccuracyCurve("float", (0.5, 0.6)),))


def test_exits_need_a_count_for_each_timestep() -> None:
    with pytest.raises(DataError, match="exits: 2 counts, but there are 6 timesteps"):
        replace(report(), early_exit=EarlyExitStats((3, 2), 1.4, 0.9, 0.95))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (((3, -1), 1.4, 0.9, 0.95), "counts are"),
        (((), 1.4, 0.9, 0.95), "counts are"),
        (((3, 2), 1.4, 90, 0.95), "accuracy is 90"),
    ],
)
def test_invalid_exit_statistics_are_rejected(values: tuple[Any, ...], text: str) -> None:
    with pytest.raises(DataError, match=text):
        EarlyExitStats(*values)


def test_a_sample_has_spikes_and_logits() -> None:
    result = describe_sample(
        NETWORK, trace(), 3, np.array([0, 0, 0, 1, 0]), ["no", "perhaps", "yes"]
    )
    voltages = trace().voltages["read"][:, 3]
    assert result.label == "perhaps"
    assert result.prediction == result.classes[int(voltages[-1].argmax())]
    assert np.array_equal(np.array(result.logits).T * 64, voltages)
    assert [strip.population for strip in result.rasters] == ["in", "pool"]
    pool = result.rasters[1]
    fired = trace().spikes["pool"][:, 3].reshape(6, 8)
    assert list(zip(pool.steps, pool.rows, strict=True)) == list(map(tuple, np.argwhere(fired)))


def test_rasters_sample_evenly_spaced_neurons() -> None:
    strip = describe_sample(NETWORK, trace(), 0).rasters[0]
    assert (strip.neurons, strip.num_rows) == (128, MAX_RASTER_ROWS)
    spaced = [k * 128 // MAX_RASTER_ROWS for k in range(MAX_RASTER_ROWS)]
    observed = EVENTS[:, 0].reshape(6, 128)[:, spaced]
    assert len(strip.steps) == observed.sum() and set(strip.rows) <= set(range(MAX_RASTER_ROWS))


@pytest.mark.parametrize(("classes", "names"), [((), "012"), (["a"], "012"), (list("abc"), "abc")])
def test_classes_without_names_are_numbered(classes: list[str], names: str) -> None:
    assert describe_sample(NETWORK, trace(), 0, classes=classes).classes == tuple(names)


def test_a_label_beyond_the_outputs_is_shown_as_its_number() -> None:
    assert describe_sample(NETWORK, trace(), 0, np.full(5, 7)).label == "7"


def test_provenance_becomes_one_line_a_value() -> None:
    assert flatten_dict(NETWORK.provenance) == {
        "data.name": "digits",
        "data.seed": "0",
        "tags": "['a']",
        "recipe": "tcl",
    }
