"""Accuracy, confusion, errors and digest of all samples of a report, added up batch by batch."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import EngineError
from ..runtime.evaluate import check_targets
from ..runtime.network import Network
from ..runtime.trace import Trace, logits_over_time
from .headline import NORMAL_QUANTILE
from .model import RegressionErrors


class Totals:
    """Sums over the samples of a report.

    Args:
        network: The network.
        labels: True classes, integers (samples,), or targets of a regression, if known.
    """

    def __init__(self, network: Network, labels: NDArray[Any] | None) -> None:
        self.network, self.labels, self.samples = network, labels, 0
        self.classes = true_classes(labels)
        self._correct: NDArray[np.int64] = np.zeros(0, np.int64)
        self._confusion: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        self._errors: list[NDArray[np.float64]] = []  # absolute and squared, of each batch
        self._digests = {population.name: hashlib.sha256() for population in network.inputs}

    def add(self, trace: Trace, events: Mapping[str, NDArray[Any]]) -> None:
        """Add the run of a batch and its events; raises `EngineError` where labels do not fit."""
        trace = replace(trace, network=self.network)
        for name, digest in self._digests.items():
            for sample in events[name].swapaxes(0, 1):
                digest.update(np.ascontiguousarray(sample).data)
        first, self.samples = self.samples, self.samples + trace.batch
        if self.classes is not None:
            labels = self.classes[first : self.samples]
            confusion = trace.confusion_matrix(labels)  # checks the labels
            logits = logits_over_time(self.network, trace)
            correct = (logits.argmax(axis=-1) == labels).sum(axis=1)
            self._correct = correct if not len(self._correct) else self._correct + correct
            self._confusion = confusion if not len(self._confusion) else self._confusion + confusion
        elif self.labels is not None and self.network.readout.task == "regression":
            estimates = trace.estimates
            targets = check_targets(self.labels[first : self.samples], estimates.shape[1:])
            error = estimates - targets
            self._errors.append(np.stack([np.abs(error), np.square(error)]).mean(axis=3))

    def check(self) -> None:
        """Raise `EngineError` where there are more labels than samples."""
        if self.labels is not None and len(self.labels) != self.samples:
            count, samples = len(self.labels), self.samples
            raise EngineError(f"{count} labels for {samples} samples, needs one each")

    @property
    def accuracy(self) -> tuple[float, ...] | None:
        """Accuracy after each timestep, 0 to 1; None without true classes."""
        if self.classes is None:
            return None
        return tuple((self._correct / self.samples).tolist())

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """Number of samples by true and predicted class."""
        return tuple(map(tuple, self._confusion.tolist()))

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy, or errors of a regression in units of the targets, after the last timestep."""
        if self.accuracy is not None:
            return {"ClassificationAccuracy": self.accuracy[-1]}
        errors = self.errors
        if errors is None:
            return {}
        return {
            "MeanAbsoluteError": errors.mean_absolute[-1],
            "RootMeanSquaredError": errors.root_mean_squared[-1],
        }

    @property
    def errors(self) -> RegressionErrors | None:
        """Errors of a regression; the interval is 1.96 standard errors of the mean wide."""
        if not self._errors or self.labels is None:
            return None
        absolute, squared = np.concatenate(self._errors, axis=2)  # (timesteps, samples) each
        last, interval = absolute[-1], None
        if self.samples > 1:
            spread = NORMAL_QUANTILE * float(last.std(ddof=1)) / self.samples**0.5
            interval = (max(float(last.mean()) - spread, 0.0), float(last.mean()) + spread)
        targets = np.asarray(self.labels, np.float64)
        return RegressionErrors(
            tuple(absolute.mean(axis=1).tolist()),
            tuple(np.sqrt(squared.mean(axis=1)).tolist()),
            interval,
            float(np.sqrt(np.square(targets - targets.mean(axis=0)).mean())),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the events of all inputs, sample by sample, and of the labels."""
        digest = hashlib.sha256()
        for name, each in self._digests.items():
            digest.update(f"{name} {self.samples} {each.hexdigest()} ".encode())
        labels = self.labels if self.classes is None else self.classes
        if labels is not None:
            digest.update(f"labels {labels.dtype} {labels.shape} ".encode() + labels.tobytes())
        return digest.hexdigest()


def true_classes(labels: NDArray[Any] | None) -> NDArray[np.int64] | None:
    """Select labels that are classes, integers (samples,); None for those of a regression."""
    if labels is None or labels.dtype.kind not in "iu" or labels.ndim != 1:
        return None
    return labels.astype(np.int64)
