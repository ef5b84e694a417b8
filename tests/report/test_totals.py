"""Reports of more samples than are recorded: figures of all samples, costs of the first."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command import NETWORK

from pumice.report import build_report, pipeline
from pumice.report.early_exit import compare_early_exit
from pumice.report.format import summarize
from pumice.runtime import batches
from pumice.runtime.early_exit import EarlyExit
from pumice.runtime.engines.run import run
from pumice.runtime.errors import EngineError
from pumice.train.data import FrameSet

RANDOM = np.random.default_rng(2)
POPULATION = NETWORK.inputs[0]
SAMPLES = 300  # three batches
EVENTS = (RANDOM.random((5, SAMPLES, *POPULATION.shape)) < 0.3).astype(np.uint8)
TRACE = run(NETWORK, EVENTS)
CLASSES = TRACE.logits.shape[-1]
LABELS = RANDOM.integers(0, CLASSES, SAMPLES)


class Lazy:
    """Samples that are read a batch at a time, and may not be read otherwise."""

    samples, labels, name = SAMPLES, LABELS, "lazy"

    def __init__(self) -> None:
        self.largest = 0

    def iter_batches(self, batch_size: int) -> Any:
        self.largest = batch_size
        for first in range(0, SAMPLES, batch_size):
            yield {POPULATION.name: EVENTS[:, first : first + batch_size]}


def test_a_report_of_many_samples_reads_them_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build_report(NETWORK, SimpleNamespace(events=EVENTS, labels=LABELS), "t", engines="cpu")
    lazy = build_report(NETWORK, Lazy(), "t", engines="cpu")
    assert whole.cost_samples == 0 and replace(lazy, inputs="") == whole
    neurons = sum(population.neurons for population in NETWORK.populations)
    monkeypatch.setattr(pipeline, "RECORDED_BYTES", 130 * 5 * neurons)
    cut = build_report(NETWORK, Lazy(), "t", engines="cpu")
    first = build_report(NETWORK, EVENTS[:, :128], "t", engines="cpu")
    assert cut.samples == SAMPLES and cut.cost_samples == 128
    assert (cut.curves, cut.confusion, cut.inputs_digest) == (
        whole.curves, whole.confusion, whole.inputs_digest)  # fmt: skip
    assert (cut.energies, cut.cumulative_operations) == (
        first.energies, first.cumulative_operations)  # fmt: skip
    assert "Operations and costs are means over the first 128 samples" in summarize(cut)
    expected = (TRACE.logits.argmax(axis=-1) == LABELS).mean(axis=1)
    assert cut.curves[0].accuracy == tuple(expected.tolist())
    assert cut.confusion == tuple(map(tuple, TRACE.confusion_matrix(LABELS).tolist()))
    for wrong in (LABELS[:-1], np.append(LABELS, 0)):
        with pytest.raises(EngineError, match="labels for"):
            build_report(NETWORK, SimpleNamespace(events=EVENTS, labels=wrong), engines="cpu")


def test_early_exit_is_compared_batch_by_batch() -> None:
    margins = tuple(int(m) for m in np.percentile(np.ptp(TRACE.logits, axis=-1), [90, 80, 70, 60]))
    network = replace(NETWORK, early_exit=EarlyExit((*margins, 0)))
    parts = [compare_early_exit(network, EVENTS[:, k : k + 128], LABELS[k : k + 128])
             for k in (0, 128, 256)]  # fmt: skip
    whole = compare_early_exit(network, Lazy(), LABELS)
    weights = np.array([128, 128, 44]) / 300
    assert whole.samples == 300 and sum(whole.exits) == 300
    assert whole.exits == tuple(np.sum([part.exits for part in parts], axis=0).tolist())
    for value in ("mean_steps", "agreement", "accuracy", "full_accuracy"):
        mean = weights @ [getattr(part, value) for part in parts]
        assert getattr(whole, value) == pytest.approx(mean)
    upper = [part.energy[0].with_exit[1] for part in parts]
    assert whole.energy[0].with_exit[1] == pytest.approx(weights @ upper)
    assert whole.events.with_exit == pytest.approx(weights @ [p.events.with_exit for p in parts])


def test_part_of_a_dataset_is_read_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = EVENTS.reshape(5, SAMPLES, 1, -1, POPULATION.shape[-1])
    part = FrameSet(frames.astype(np.uint8), LABELS)
    monkeypatch.setattr(FrameSet, "events", property(lambda self: 1 / 0))
    read = [*batches.iter_batches(NETWORK, part, 130)]
    assert [first for _, first in read] == [0, 130, 260]
    joined = batches.join_batches([events for events, _ in read])
    assert np.array_equal(joined[POPULATION.name], EVENTS)
