"""Linear read-out of spike features: the only supervised part."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError

ReadoutKind = Literal["ridge", "logistic"]
RIDGE_PENALTIES = np.logspace(0, 6, 13)
TRACE_SMOOTHING = 0.2  # weight of the newest timestep in the final trace
Features = NDArray[np.float32]


def extract_features(spikes: NDArray[np.uint8], bins: int, start: float = 0.0) -> Features:
    """Spike counts in time bins, then final exponential traces, float32 (samples, features).

    Args:
        spikes: uint8 (timesteps, samples, ...), of neurons or of the raw input.
        bins: Number of equal time bins.
        start: Fraction of the timesteps that are not read, the first ones.

    The trace of a neuron is the sum of its spikes weighted by 0.8^(timesteps ago), times 0.2.

    Raises:
        DataError: There are more bins than timesteps that are read.
    """
    spikes = spikes[first_step(len(spikes), start) :]
    timesteps, samples = spikes.shape[:2]
    if not 1 <= bins <= timesteps:
        raise DataError(f"bins is {bins}, but {timesteps} timesteps are read")
    flat = spikes.swapaxes(0, 1).reshape(samples, timesteps, -1)
    edges = np.arange(bins) * timesteps // bins
    counts = np.add.reduceat(flat, edges, axis=1, dtype=np.float32)
    ago = np.arange(timesteps)[::-1]
    trace = np.einsum(
        "t,stn->sn", (TRACE_SMOOTHING * (1 - TRACE_SMOOTHING) ** ago).astype(np.float32), flat
    )
    return np.concatenate([counts.reshape(samples, -1), trace], axis=1)


def first_step(timesteps: int, start: float) -> int:
    """First timestep that is read where the fraction `start` of them is left out."""
    return round(start * timesteps)


@dataclass(frozen=True)
class LinearReadout:
    """Fitted linear classifier on features standardized by the training samples."""

    classifier: Any

    def accuracy(self, features: Features, labels: NDArray[np.int64]) -> float:
        """Accuracy, 0 to 1."""
        return float((self.classifier.predict(features) == labels).mean())

    def linear_parameters(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights (outputs, features) and offsets (outputs,) for features without standardization.

        The prediction is the largest of weights @ features + offsets; for two classes there is one
        output, above 0 for the second.
        """
        scaler, last = self.classifier[0], self.classifier[-1]
        weights = np.atleast_2d(last.coef_) / scaler.scale_
        return weights, np.ravel(last.intercept_) - weights @ scaler.mean_


def fit_readout(
    features: Features, labels: NDArray[np.int64], kind: ReadoutKind = "ridge"
) -> LinearReadout:
    """Fit a read-out to training samples, which also determine its penalty.

    "ridge": one-against-all least squares, penalty by leave-one-out error in closed form;
    "logistic": multinomial logistic regression, penalty by three-fold cross-validation.
    """
    from sklearn.linear_model import LogisticRegressionCV, RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    settings = {"l1_ratios": (0.0,), "scoring": "accuracy", "use_legacy_attributes": False}
    last = (
        RidgeClassifierCV(RIDGE_PENALTIES)
        if kind == "ridge"
        else LogisticRegressionCV(Cs=5, cv=3, max_iter=500, **settings)
    )
    classifier = make_pipeline(StandardScaler(), last)
    return LinearReadout(classifier.fit(features, labels))
